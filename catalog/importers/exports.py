"""Files as others publish or export them: Amazon reviews, MIND, Gorse.

Each is turned into the objects that files of our own shape hold, row by row, and judged as they.

Sources: Ni et al. 2019, doi:10.18653/v1/D19-1018, and Hou et al. 2024, arXiv:2403.03952 (Amazon);
Wu et al. 2020, doi:10.18653/v1/2020.acl-main.331 (MIND); Gorse, github.com/gorse-io/gorse.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import msgspec

from catalog.importers.bulk import Load, Report
from catalog.importers.csv import NAME_CHARACTERS
from catalog.importers.objects import (
    FEEDBACK_FIELDS,
    FeedbackRow,
    FeedbackStage,
    ItemRow,
    ItemStage,
    Numbered,
    PersonRow,
    PersonStage,
    Place,
    open_objects,
    staged,
    write,
)
from catalog.importers.reading import (
    File,
    Unusable,
    files_in,
    find,
    open_lines,
    read_header,
    read_rows,
)

ITEM_SHAPE, FEEDBACK_SHAPE = (ItemRow, ItemStage), (FeedbackRow, FeedbackStage)
TITLE_CHARACTERS, TEXT_CHARACTERS = 500, 20_000


def _feedback(job: Load, name: str, rows: Iterator[Numbered]) -> Iterator[Report]:
    """With the people that the rows name, since there is no list of them."""
    ready = staged(rows, *FEEDBACK_SHAPE[:1], FeedbackStage())
    yield from job.feedback(name, ready, FEEDBACK_FIELDS, makes_people=True)


def _each(rows: Iterator[Numbered], turn: Callable[[dict], dict]) -> Iterator[Numbered]:
    """The rows turned into objects of our own shape."""
    for line, row, fault in rows:
        try:
            found = msgspec.json.decode(row) if isinstance(row, bytes) and not fault else row
            yield line, turn(found) if not fault else None, fault
        except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
            named = isinstance(error, ValueError) and not isinstance(error, msgspec.DecodeError)
            yield line, None, str(error) if named else "not a row of this format"


def _without_empty(**fields: object) -> dict:
    return {name: value for name, value in fields.items() if value not in (None, "", [])}


# --- Amazon reviews, 2014 to 2023 ---------------------------------------------------------------

REVIEWS = re.compile(r"\.(jsonl|json|ndjson)(\.gz)?$")
META = re.compile(r"^meta[_-]", re.IGNORECASE)
MONEY = re.compile(r"\d+(?:\.\d+)?")


def amazon(job: Load, place: Place, *, kind: str = "", hide_missing: bool = False):
    """A folder with meta_*.jsonl and reviews beside it, one or more of each."""
    files = [file for file in files_in(place) if REVIEWS.search(file.name)]
    if not files:
        raise Unusable(f"{place} has neither reviews nor meta_…, in .jsonl or .json, also .gz")
    for file in sorted(files, key=lambda file: META.match(file.name) is None):
        with open_objects(file) as rows:
            if META.match(file.name):
                yield write(
                    job,
                    file.name,
                    _each(rows, product),
                    ItemRow,
                    ItemStage(),
                    kind=kind or "product",
                    hide_missing=hide_missing,
                )
            else:
                yield from _feedback(job, file.name, _each(rows, review))


def product(row: dict) -> dict:
    """
    >>> product({"asin": "B1", "title": "Pen", "price": "$1.50", "brand": "Ink", "category": ["A"]})
    {'id': 'B1', 'title': 'Pen', 'price': '1.50', 'currency': 'USD', 'categories': ['A'], 'creators': ['Ink']}
    """  # noqa: E501
    said = row.get("description") or row.get("features") or ""
    text = " ".join(said) if isinstance(said, list) else str(said)
    categories = row.get("categories") or row.get("category") or []
    if categories and isinstance(categories[0], list):
        categories = categories[0]
    maker = str(row.get("store") or row.get("brand") or "")[:NAME_CHARACTERS]
    price = MONEY.search(str(row.get("price") or "").replace(",", ""))
    images = row.get("images") or row.get("imageURLHighRes") or row.get("imUrl") or []
    image = images[0] if isinstance(images, list) and images else images or None
    if isinstance(image, dict):
        image = image.get("large") or image.get("hi_res")
    return _without_empty(
        id=row.get("parent_asin") or row["asin"],
        title=str(row.get("title") or "")[:TITLE_CHARACTERS] or row.get("asin"),
        description=text[:TEXT_CHARACTERS],
        price=price and price[0],
        currency="USD" if price else None,
        image_url=image,
        categories=[str(name)[:100] for name in categories][:100],
        creators=[maker] if maker else None,
    )


def review(row: dict) -> dict:
    """A rating; the words of a review stay where they are.

    >>> review({"reviewerID": "A", "asin": "B1", "overall": 5.0, "unixReviewTime": 1514764800})
    {'user': 'A', 'item': 'B1', 'kind': 'rating', 'value': 5.0, 'at': 1514764800}
    """
    at = row.get("unixReviewTime") or row["timestamp"]
    return {
        "user": row.get("reviewerID") or row["user_id"],
        "item": row.get("parent_asin") or row["asin"],
        "kind": "rating",
        "value": row["rating"] if "rating" in row else row["overall"],
        "at": at // 1000 if at > 10**11 else at,
    }


# --- MIND ---------------------------------------------------------------------------------------

NEWS, BEHAVIORS = 5, 5  # columns that are looked at
CLICKED = "-1"


def mind(job: Load, place: Place, *, kind: str = "", hide_missing: bool = False):
    """A folder with news.tsv and behaviors.tsv, without a header as they are published."""
    news, behaviors = find(place, "news.tsv"), find(place, "behaviors.tsv")
    if not (news and behaviors):
        raise Unusable(f"{place} is not a folder with news.tsv and behaviors.tsv")
    with open_lines(news) as lines:
        rows = _each(read_rows(lines, "\t"), article)
        yield write(
            job,
            news.name,
            rows,
            ItemRow,
            ItemStage(),
            kind=kind or "news",
            hide_missing=hide_missing,
        )
    with open_lines(behaviors) as lines:
        yield from _feedback(job, behaviors.name, clicks(read_rows(lines, "\t")))


def article(cells: list[str]) -> dict:
    if len(cells) < NEWS:
        raise ValueError(f"not {NEWS} cells or more")
    name, category, subcategory, title, abstract, *others = cells
    return _without_empty(
        id=name,
        title=title[:TITLE_CHARACTERS],
        description=abstract[:TEXT_CHARACTERS],
        url=others[0] if others else None,
        categories=list(dict.fromkeys(filter(None, [category, subcategory]))),
        language="en",
    )


def clicks(rows: Iterator[tuple[int, list[str], str]]) -> Iterator[Numbered]:
    """What was clicked of what was shown, and before it once for each person what they had read.

    What was read has no moment: it counts as read a minute apart, up to the first list.
    """
    known: set[str] = set()
    for line, cells, fault in rows:
        if fault or len(cells) < BEHAVIORS:
            yield line, None, fault or f"not {BEHAVIORS} cells"
            continue
        _number, person, moment, history, shown = cells[:BEHAVIORS]
        try:
            at = datetime.strptime(moment, "%m/%d/%Y %I:%M:%S %p").replace(tzinfo=UTC).timestamp()
        except ValueError:
            yield line, None, "time is not as 11/15/2019 8:55:22 AM"
            continue
        read = [] if person in known else history.split()
        known.add(person)
        seen = [(name, at - 60 * (len(read) - n)) for n, name in enumerate(read)]
        clicked = [name[:-2] for name in shown.split() if name.endswith(CLICKED)]
        for name, when in [*seen, *((name, at) for name in clicked)]:
            yield line, {"user": person, "item": name, "kind": "view", "at": when}, ""


# --- Gorse --------------------------------------------------------------------------------------

KINDS = {  # what feedback is often called there
    **dict.fromkeys(("view", "read", "click", "watch", "visit", "open"), "view"),
    **dict.fromkeys(("like", "star", "upvote", "thumbsup", "favorite", "favourite"), "like"),
    **dict.fromkeys(("dislike", "downvote", "thumbsdown"), "dislike"),
    **dict.fromkeys(("save", "bookmark", "collect", "wishlist"), "save"),
    **dict.fromkeys(("purchase", "buy", "order"), "purchase"),
    **dict.fromkeys(("share", "repost", "forward"), "share"),
    **dict.fromkeys(("rating", "rate"), "rating"),
    **dict.fromkeys(("hide", "notinterested"), "hide"),
}
GORSE = ("users", "items", "feedback")


def gorse(job: Load, place: Place, *, kind: str = "", hide_missing: bool = False):
    """A folder with any of users, items and feedback, in .csv or .jsonl."""
    found = {
        name: file
        for name in GORSE
        for ending in ("jsonl", "csv")
        if (file := find(place, f"{name}.{ending}"))
    }
    if not found:
        raise Unusable(f"{place} has no users, items or feedback, in .csv or .jsonl")
    how = {
        "users": (PersonRow, PersonStage, gorse_user),
        "items": (ItemRow, ItemStage, gorse_item),
        "feedback": (FeedbackRow, FeedbackStage, gorse_feedback),
    }
    for name, file in found.items():
        shape, stage, turn = how[name]
        for rows in _gorse_rows(file):
            if name == "feedback":
                yield from _feedback(job, file.name, _each(rows, turn))
            else:
                yield write(
                    job,
                    file.name,
                    _each(rows, turn),
                    shape,
                    stage(),
                    kind=kind,
                    hide_missing=hide_missing,
                )


def _gorse_rows(file: File) -> Iterator[Iterator[Numbered]]:
    """Once: the rows, as objects whose names are small letters alone."""
    if ".csv" in file.name:
        with open_lines(file) as lines:
            header, rows = read_header(lines, "expected what Gorse exports")
            names = [_small(name) for name in header]
            yield ((line, dict(zip(names, cells, strict=False)), bad) for line, cells, bad in rows)
    else:
        with open_objects(file) as rows:
            yield rows


def _small(name: str) -> str:
    return name.lower().replace("_", "")


def _named(row: dict) -> dict:
    return {_small(name): value for name, value in row.items()}


def gorse_user(row: dict) -> dict:
    return {"id": _named(row)["userid"]}


def gorse_item(row: dict) -> dict:
    """Gorse has no titles: the comment is one, else a label that is called so, else the id.

    >>> gorse_item({"ItemId": "7", "Comment": "A kettle", "Categories": ["kitchen"]})
    {'id': '7', 'title': 'A kettle', 'available': True, 'categories': ['kitchen']}
    """
    row = _named(row)
    labels, categories = row.get("labels"), row.get("categories") or []
    title = row.get("comment") or (isinstance(labels, dict) and labels.get("title"))
    if isinstance(categories, str):
        categories = [name for name in re.split(r"[|,]", categories) if name]
    return _without_empty(
        id=row["itemid"],
        title=str(title or row["itemid"])[:TITLE_CHARACTERS],
        published=_real(row.get("timestamp")),
        available=str(row.get("ishidden", False)).lower() not in ("true", "1"),
        categories=categories,
    )


def gorse_feedback(row: dict) -> dict:
    row = _named(row)
    said = re.sub(r"[^a-z]", "", str(row["feedbacktype"]).lower())
    if said not in KINDS:
        raise ValueError(f"unknown feedback type: {str(row['feedbacktype'])[:50]}")
    kind, value = KINDS[said], row.get("value")
    return _without_empty(
        user=row["userid"],
        item=row["itemid"],
        kind=kind,
        value=float(value) if kind == "rating" and value not in (None, "") else None,
        at=_real(row.get("timestamp")),
    )


def _real(moment: object) -> object:
    """The moment, unless it is the zero of the language that Gorse is written in."""
    return None if str(moment).startswith("0001-01-01") else moment
