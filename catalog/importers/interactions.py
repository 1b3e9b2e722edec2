"""Interactions, items and candidates as plain files, such as a benchmark or a shop exports them.

    interactions  user,item[,rating][,ts or timestamp]
    items         item[,title][,genres][,text]     genres with | between them
    candidates    item                             what may be recommended, if not every item

Names of columns are read without case and in any order; others are ignored. What the numbers mean
is not written in such files, so a first reading of all of them finds it out: see `Meaning`.
"""

import re
import textwrap
from bisect import insort
from collections.abc import Callable, Iterator, Sequence
from csv import reader as csv_reader
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from django.utils.text import slugify

from catalog.importers import bulk
from catalog.importers.bulk import MOST_PARTS
from catalog.importers.csv import SLUG_CHARACTERS, cleaned, parts
from catalog.importers.reading import Unusable, open_lines, read_header
from catalog.models import Feedback, Item, User

INTERACTIONS, ITEMS = "user,item[,rating][,ts]", "item[,title][,genres][,text]"
SOURCE = "files"
TEXTLESS = "no text"  # the kind of an item of which nothing is known but its id
ID_CHARACTERS, TITLE_CHARACTERS, TEXT_CHARACTERS = 200, 500, 20_000
SHORT_TITLE_CHARACTERS = 80  # of an item that has a text and no title
MOST_NAMED = 20
LOWEST, HIGHEST = 0.5, 5.0  # rating of feedback
TYPICAL = 0.999  # so much of a column decides what it is; the rest is a mistake in some rows
POSITIVE, NEGATIVE, NOTHING = ("like", None), ("dislike", None), ("dwell", "0")
MOMENTS = (-3e10, 3.2e10)  # seconds since 1970 of the years 1019 and 2984
UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))  # from so large a number on, so many a second
WITHOUT_TIMES = datetime(2000, 1, 1, tzinfo=UTC).timestamp()  # a row a second from then on
LABEL = re.compile(r"\w+:")
WORD = re.compile(r"\w+")
FIELDS = ("person", "item", "kind", "value", "at")
ITEM_FIELDS = ("title", "description", "categories", "kind", "available")


@dataclass
class Files:
    """What there is to load; each column is where the module says."""

    train: Path
    items: Path
    valid: Path | None = None
    candidates: Path | None = None

    @property
    def paths(self) -> list[Path]:
        return [*self.interactions, self.items, *filter(None, [self.candidates])]

    @property
    def interactions(self) -> list[Path]:
        return [self.train, *filter(None, [self.valid])]


@dataclass
class Loaded:
    """What became of the files."""

    people: int = 0
    items: int = 0
    events: int = 0
    notes: list[str] = field(default_factory=list)
    bad_rows: int = 0
    named: list[str] = field(default_factory=list)  # the first of them
    last_of_train: int = 0  # id of its last feedback; what is above is of the validation file


class BadRows:
    """Rows that cannot be used as they stand: how many, and the first of them by name."""

    def __init__(self, files: Files) -> None:
        self._place = {path.name: place for place, path in enumerate(files.paths)}
        self._first: list[tuple[int, int, str]] = []
        self.count = 0

    def add(self, file: str, line: int, reason: str) -> None:
        self.count += 1
        insort(self._first, (self._place.get(file, 0), line, f"{file} line {line}: {reason}"))
        del self._first[MOST_NAMED:]

    def add_rejects(self, path: Path) -> None:
        """Those that a load has written down."""
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv_reader(file)
            next(rows)  # the header
            for name, line, _, reason in rows:
                self.add(name, int(line), reason)

    @property
    def named(self) -> list[str]:
        return [text for *_, text in self._first]


# --- A first reading ----------------------------------------------------------------------------


@dataclass
class Column:
    """What the numbers of a column are like, in memory that does not grow with it."""

    cells: int = 0
    numbers: int = 0
    low: float = float("inf")
    high: float = float("-inf")

    def add(self, number: float | None) -> None:
        self.cells += 1
        if number is not None:
            self.numbers += 1
            self.low, self.high = min(self.low, number), max(self.high, number)

    @property
    def is_readable(self) -> bool:
        return 2 * self.numbers > self.cells


@dataclass
class Ratings(Column):
    """Of ratings above 0: how many are on a scale up to five and up to ten, are whole, are one."""

    positive: int = 0
    least: float = float("inf")
    to_five: int = 0
    to_ten: int = 0
    whole: int = 0
    ones: int = 0

    def add(self, number: float | None) -> None:
        super().add(number)
        if number is not None and number > 0:
            self.positive += 1
            self.least = min(self.least, number)
            self.to_five += LOWEST <= number <= 5
            self.to_ten += LOWEST <= number <= 10
            self.whole += number.is_integer()
            self.ones += number == 1


@dataclass
class Survey:
    """What a first reading of all interactions found."""

    bad: BadRows
    people: dict[str, None] = field(default_factory=dict)  # in order of their first row
    items: dict[str, None] = field(default_factory=dict)
    rows: int = 0
    ratings: Ratings = field(default_factory=Ratings)
    moments: Column = field(default_factory=Column)
    late: int = 0  # moments in the future
    has_times: bool = True  # in each of the files
    allowed: dict[str, None] | None = None  # the items that may be recommended, if not all


def survey(files: Files) -> Survey:
    """Read what is needed to say what the files mean, and whether they can be used.

    Raises Unusable
    """
    with open_lines(files.items) as lines:
        needed(files.items, read_header(lines, f"expected {ITEMS}")[0], "item")
    found, now = Survey(BadRows(files)), datetime.now(UTC).timestamp()
    if files.candidates:
        found.allowed = candidates_of(files.candidates, found.bad)
    for path in files.interactions:
        with open_lines(path) as lines:
            header, rows = read_header(lines, f"expected {INTERACTIONS}")
            person, item, rating, moment = places(path, header)
            found.has_times &= moment is not None
            for _, cells, fault in rows:
                if fault or misfit(cells, header):
                    continue
                found.rows += 1
                for ids, place in ((found.people, person), (found.items, item)):
                    if 0 < len(name := cells[place].strip()) <= ID_CHARACTERS:
                        ids[name] = None
                if rating is not None:
                    found.ratings.add(number(cells[rating]))
                if moment is not None:
                    at = seconds(cells[moment])
                    found.moments.add(at)
                    found.late += at is not None and at > now
    if not found.rows:
        raise Unusable(f"{files.train.name} has no row that can be read; expected {INTERACTIONS}")
    return found


def places(path: Path, header: Sequence[str]) -> tuple[int, int, int | None, int | None]:
    """Where user, item, rating and moment stand. Raises Unusable."""
    moment = next((name for name in ("ts", "timestamp") if name in header), None)
    return (
        *(needed(path, header, name) for name in ("user", "item")),
        header.index("rating") if "rating" in header else None,
        header.index(moment) if moment else None,
    )


def needed(path: Path, header: Sequence[str], name: str) -> int:
    if name not in header:
        raise Unusable(f"{path.name} has no column {name}; its columns are {', '.join(header)}")
    return header.index(name)


def number(cell: str) -> float | None:
    """
    >>> number(" 4.5"), number("four"), number("nan"), number("1_0")
    (4.5, None, None, None)
    """
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) <= 1e300 and "_" not in cell else None  # nan is not


def seconds(cell: str) -> float | None:
    """Seconds since 1970 from seconds, milli-, micro- or nanoseconds, or ISO 8601, else None.

    >>> seconds("874724710"), seconds("874724710000"), seconds("1997-09-20T03:05:10Z")
    (874724710.0, 874724710.0, 874724710.0)
    """
    value = number(cell)
    if value is None:
        try:
            moment = datetime.fromisoformat(cell.strip())
        except ValueError:
            return None
        value = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    else:
        value /= next((unit for least, unit in UNITS if abs(value) >= least), 1.0)
    return value if MOMENTS[0] < value < MOMENTS[1] else None


# --- What it means ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Meaning:
    """How cells become opinions and moments, the same for all files.

    rated    whether the column of ratings is looked at
    scale    a rating above 0 is multiplied by it; None: it is a positive event, however large
    by_time  else the order of the rows is the order in time
    back     seconds to take off each moment
    first    the moment of a row whose own cannot be read
    """

    rated: bool
    scale: float | None
    by_time: bool
    back: float
    first: float
    now: float

    def opinion(self, cell: str) -> tuple[str, str | None]:
        """(kind, value) of feedback. Raises ValueError for what is no rating of this scale.

        0 says that there was something and not what: neither for nor against the item.
        """
        value = number(cell)
        if value is None:
            raise ValueError(f"rating {cell[:30]!r} is not a number")
        if value <= 0:
            return NEGATIVE if value < 0 else NOTHING
        if self.scale is None:
            return POSITIVE
        if value * self.scale > HIGHEST:
            raise ValueError(f"rating {cell[:30]!r} is beyond {HIGHEST / self.scale:g}")
        return "rating", f"{max(value * self.scale, LOWEST):.6g}"

    def moment(self, cell: str) -> float:
        """Seconds since 1970. Raises ValueError."""
        at = seconds(cell)
        if at is None:
            raise ValueError(f"time {cell[:30]!r} is neither seconds since 1970 nor a date")
        if at - self.back > self.now:
            raise ValueError(f"time {cell[:30]!r} is in the future")
        return at - self.back


def meaning(found: Survey) -> tuple[Meaning, list[str]]:
    """What the numbers mean, and the same in words."""
    rated = found.ratings.positive > 0 and found.ratings.is_readable
    scale, said = scale_of(found.ratings) if rated else (None, "none that can be used")
    notes = [f"ratings: {said}" + ("" if scale else "; each row is a positive event")]
    now = datetime.now(UTC).timestamp()
    by_time = found.has_times and found.moments.is_readable
    back = 0.0
    if by_time and 2 * found.late > found.moments.numbers:
        back = found.moments.high - now + 60  # a minute, since clocks differ
        notes.append(f"times: most are in the future, so all are {back / 86_400:.0f} days earlier")
    elif not by_time:
        notes.append("times: none that can be used in all files; rows are in their order in time")
    return Meaning(rated, scale, by_time, back, found.moments.low - back, now), notes


def scale_of(ratings: Ratings) -> tuple[float | None, str]:
    """What to multiply ratings above 0 by, None where they are no opinions; and why."""
    if ratings.least == ratings.high:
        return None, "all equal"
    if 2 * ratings.ones > ratings.positive == ratings.whole:
        return None, "most are 1, so they count something"
    if ratings.to_five >= TYPICAL * ratings.positive:
        return 1.0, f"from {LOWEST} to 5, as they are"
    if ratings.to_ten >= TYPICAL * ratings.positive:
        return 0.5, f"from {LOWEST} to 10, halved"
    return None, "on no scale up to 5 or 10"


# --- Loading ------------------------------------------------------------------------------------


def load(files: Files, found: Survey, *, rejects: Path, say: Callable[[str], object]) -> Loaded:
    """Load everything in one transaction. Raises Unusable.

    found    what a survey of these files found
    rejects  a file to write, with what cannot be loaded
    """
    means, notes = meaning(found)
    allowed, bad = found.allowed, found.bad
    with bulk.load(SOURCE, rejects=rejects, say=say) as job:
        people = job.people("people", ((n, "", name) for n, name in enumerate(found.people)))
        items = job.items(
            files.items.name,
            item_rows(files.items, [*found.items, *(allowed or ())], allowed, bad),
            ITEM_FIELDS,
        )
        clock = count(1)
        (train,) = job.feedback(
            files.train.name, event_rows(files.train, means, clock, bad), FIELDS
        )
        last_of_train = Feedback.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
        reports = [train]
        if files.valid:
            reports += job.feedback(
                files.valid.name, event_rows(files.valid, means, clock, bad), FIELDS
            )
    loaded = Loaded(
        people=people.loaded,
        items=items.loaded,
        events=sum(report.loaded for report in reports),
        notes=notes,
        last_of_train=last_of_train,
    )
    bad.add_rejects(rejects)
    loaded.bad_rows, loaded.named = bad.count, bad.named
    if repeated := sum(report.unchanged for report in reports):
        loaded.notes.append(f"rows of the validation file that stand in the first, too: {repeated}")
    if allowed is not None:
        loaded.notes.append(f"candidates: {len(allowed):,} items may be recommended")
    return loaded


def candidates_of(path: Path, bad: BadRows) -> dict[str, None]:
    found = {}
    with open_lines(path) as lines:
        header, rows = read_header(lines, "expected item")
        place = needed(path, header, "item")
        for line, cells, fault in rows:
            fault = fault or misfit(cells, header)
            name = "" if fault else cells[place].strip()
            if name:
                found[name] = None
            else:
                bad.add(path.name, line, fault or "no item")
    if not found:
        raise Unusable(f"{path.name} lists no item")
    return found


def misfit(cells: Sequence[str], header: Sequence[str]) -> str:
    fits = len(cells) == len(header)
    return "" if fits else f"not {len(header)} cells, which the header has"


def item_rows(
    path: Path, others: Sequence[str], allowed: dict[str, None] | None, bad: BadRows
) -> Iterator[tuple]:
    """Rows of the file as bulk stages them, then those that only `others` names."""
    seen = set()
    with open_lines(path) as lines:
        header, rows = read_header(lines, f"expected {ITEMS}")
        place = needed(path, header, "item")
        columns = [header.index(n) if n in header else None for n in ("title", "genres", "text")]
        for line, cells, fault in rows:
            fault = fault or misfit(cells, header)
            if fault:
                yield line, fault, None, *([None] * len(ITEM_FIELDS))
                continue
            name = cells[place].strip() or None
            seen.add(name)
            texts = (cells[column] if column is not None else "" for column in columns)
            yield line, "", name, *content(name or "", *texts), is_allowed(name, allowed)
    if not seen - {None}:
        raise Unusable(f"{path.name} lists no item; expected {ITEMS}")
    for at, name in enumerate(dict.fromkeys(others), start=line + 1):
        if name not in seen and len(name) <= ID_CHARACTERS:
            yield at, "", name, name, None, [], TEXTLESS, is_allowed(name, allowed)


def is_allowed(name: str | None, allowed: dict[str, None] | None) -> str:
    return "yes" if allowed is None or name in allowed else "no"


def content(item: str, title: str, genres: str, text: str) -> tuple:
    """(title, description, categories, kind) of what a file says of an item."""
    title, text = cleaned(title) or "", cleaned(text) or ""
    categories = [
        name for name in parts(genres) if 0 < len(slugify(name, True)) <= SLUG_CHARACTERS
    ][:MOST_PARTS]
    if not title and text:
        title = textwrap.shorten(text, SHORT_TITLE_CHARACTERS, placeholder="")
        title = title or text[:SHORT_TITLE_CHARACTERS]
    title = (title or ", ".join(categories))[:TITLE_CHARACTERS]
    text = beyond(text, title, categories)[:TEXT_CHARACTERS]
    return title or item, text or None, categories, None if title else TEXTLESS


def beyond(text: str, title: str, categories: Sequence[str]) -> str:
    """What a text says that title and categories do not.

    >>> beyond("Heat (1995). Genres: Action, Crime", "Heat (1995)", ["Action", "Crime"])
    ''
    >>> beyond("Heat (1995): a thief and a detective", "Heat (1995)", ["Crime"])
    'a thief and a detective'
    """
    text = text.removeprefix(title).lstrip(" .:,;-–—。：，")
    said = set(WORD.findall(" ".join([title, *categories]).casefold()))
    says = set(WORD.findall(LABEL.sub(" ", text).casefold()))
    return "" if says <= said else text


def event_rows(path: Path, means: Meaning, clock: Iterator[int], bad: BadRows) -> Iterator[tuple]:
    """Rows of FIELDS as bulk stages them.

    One whose rating or time cannot be read still says that the person has the item.
    """
    with open_lines(path) as lines:
        header, rows = read_header(lines, f"expected {INTERACTIONS}")
        person, item, rating, moment = places(path, header)
        for line, cells, fault in rows:
            fault = fault or misfit(cells, header)
            if fault:
                yield line, fault, *([None] * len(FIELDS))
                continue
            who, what = cells[person].strip() or None, cells[item].strip() or None
            at, opinion = WITHOUT_TIMES + next(clock), POSITIVE
            try:
                if means.by_time:
                    at = means.first
                    at = means.moment(cells[moment])
                if rating is not None and means.rated:
                    opinion = means.opinion(cells[rating])
            except ValueError as error:
                opinion = NOTHING
                if who and what:  # else bulk names it
                    bad.add(path.name, line, f"{error}; it counts as seen, not as an opinion")
            yield line, "", who, what, *opinion, datetime.fromtimestamp(at, UTC).isoformat()


# --- Afterwards ---------------------------------------------------------------------------------


def people() -> list[tuple[int, str]]:
    """(id, id in the files) of everybody."""
    return list(User.objects.filter(source=SOURCE).order_by("pk").values_list("pk", "external_id"))


def items() -> dict[int, str]:
    """Id → id in the files, of all items."""
    return dict(Item.objects.filter(source=SOURCE).values_list("pk", "external_id"))


def items_with_text() -> list[int]:
    """Ids of those that say something."""
    found = Item.objects.filter(source=SOURCE).exclude(kind=TEXTLESS)
    return list(found.order_by("pk").values_list("pk", flat=True))


def pairs_after(feedback_id: int) -> list[tuple[int, int]]:
    """(person, item) of what was loaded after that feedback."""
    return list(Feedback.objects.filter(pk__gt=feedback_id).values_list("user_id", "item_id"))
