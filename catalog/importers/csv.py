"""Items, people and feedback from CSV files that begin with a header; docs/import.md has examples.

A cell that is empty says nothing; a column that is not there leaves what is there alone.
"""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from django.utils.text import slugify

from catalog.importers import bulk
from catalog.importers.bulk import Load, Report
from catalog.importers.reading import Unusable, find, open_lines, read_header
from catalog.models import Attribute
from catalog.text import clean

EXPECTED = {  # in the order in which they are loaded
    "people": "id[,name]",
    "items": "id,title[,description,language,kind,published,url,image_url,price,currency,latitude,"
    "longitude,available,categories,creators,attr:NAME]",
    "feedback": "user,item,kind[,value,text,at], or user,item,rating[,text,at]",
}
ATTRIBUTE = "attr:"
NAME_CHARACTERS = 200  # of a creator
SLUG_CHARACTERS = 100  # of a category

# A stripped cell that is not empty → what is staged. Raises ValueError, with the reason.
Reader = Callable[[str], object]
Column = tuple[int, Reader]


def load(
    job: Load, path: Path, *, what: str = "", kind: str = "", hide_missing: bool = False
) -> Iterator[Report]:
    """Load a folder with any of people.csv, items.csv and feedback.csv, or one such file.

    what    which of them, where there are several, or where the header of the one does not tell
    Raises  Unusable
    """
    for holds, file in files_of(path, what):
        with open_lines(file) as lines:
            header, rows = read_header(lines, f"expected {holds}: {EXPECTED[holds]}")
            if holds == "people":
                yield load_people(job, file.name, header, rows)
            elif holds == "items":
                yield load_items(job, file.name, header, rows, kind, hide_missing)
            else:
                yield load_feedback(job, file.name, header, rows)


def files_of(path: Path, what: str) -> list[tuple[str, Path]]:
    """(what it holds, its path), in the order in which to load. Raises Unusable."""
    if path.is_dir():
        wanted = [what] if what else list(EXPECTED)
        found = [(name, file) for name in wanted if (file := find(path, f"{name}.csv"))]
        if not found:
            raise Unusable(f"{path} has no {' or '.join(f'{name}.csv' for name in wanted)}")
        return found
    if not path.exists():
        raise Unusable(f"{path} is not there; give a CSV file, or a folder with items.csv")
    return [(what or recognise(path), path)]


def recognise(path: Path) -> str:
    """What a file holds, by its header. Raises Unusable."""
    expected = "; ".join(f"{name}: {columns}" for name, columns in EXPECTED.items())
    with open_lines(path) as lines:
        header, _ = read_header(lines, f"expected one of {expected}")
    if {"user", "item"} <= set(header):
        return "feedback"
    if "title" in header:
        return "items"
    if "id" in header and set(header) <= {"id", "name"}:
        return "people"
    raise Unusable(f"{path.name} has the columns {', '.join(header)}; expected one of {expected}")


def load_people(job: Load, name: str, header: list[str], rows: Iterator) -> Report:
    columns = pick(name, header, {"id": str, "name": cleaned}, needed=["id"])
    report = job.people(name, take(rows, header, columns), list(columns)[1:])
    return with_ignored(report, header, columns)


def load_items(
    job: Load, name: str, header: list[str], rows: Iterator, kind: str, hide_missing: bool
) -> Report:
    readers: dict[str, Reader] = {"id": str} | dict.fromkeys(bulk.ITEM_FIELDS, str)
    del readers["attributes"]
    readers |= {"title": cleaned, "description": cleaned, "kind": cleaned}
    readers |= {"categories": category_names, "creators": creator_names}
    columns = pick(name, header, readers, needed=["id", "title"])
    attributes = pick_attributes(name, header)
    report = job.items(
        name,
        take(rows, header, columns, attributes),
        [*list(columns)[1:], *(["attributes"] if attributes else [])],
        kind=kind,
        attributes=list(attributes),
        hide_missing=hide_missing,
    )
    return with_ignored(report, header, [*columns, *(f"{ATTRIBUTE}{a}" for a in attributes)])


def load_feedback(job: Load, name: str, header: list[str], rows: Iterator) -> Report:
    is_rating = "rating" in header
    if is_rating and {"kind", "value"} & set(header):
        raise Unusable(f"{name}: a column rating stands in the place of kind and value")
    opinion = {"rating": str} if is_rating else {"kind": str.lower, "value": str}
    columns = pick(
        name,
        header,
        {"user": str, "item": str, **opinion, "text": cleaned, "at": str},
        needed=["user", "item", "rating" if is_rating else "kind"],
    )
    staged_as = {"user": "person", "rating": "value"}
    (report,) = job.feedback(
        name,
        take(rows, header, columns),
        [staged_as.get(column, column) for column in columns],
        kind="rating" if is_rating else "",
    )
    return with_ignored(report, header, columns)


# --- columns ----------------------------------------------------------------------------------


def pick(
    name: str, header: Sequence[str], readers: dict[str, Reader], *, needed: Sequence[str]
) -> dict[str, Column]:
    """The known columns that are there. Raises Unusable if a needed one is not."""
    missing = [column for column in needed if column not in header]
    if missing:
        raise Unusable(
            f"{name} has no column {' and no column '.join(missing)};"
            f" its columns are {', '.join(header)}"
        )
    return {
        column: (header.index(column), reader)
        for column, reader in readers.items()
        if column in header
    }


def pick_attributes(name: str, header: Sequence[str]) -> dict[str, Column]:
    """The attr: columns by the attribute's name. Raises Unusable if one is not declared."""
    places = {
        column.removeprefix(ATTRIBUTE): place
        for place, column in enumerate(header)
        if column.startswith(ATTRIBUTE)
    }
    types = dict(Attribute.objects.filter(name__in=places).values_list("name", "type"))
    undeclared = sorted(places.keys() - types.keys())
    if undeclared:
        raise Unusable(
            f"{name} has columns for the attributes {', '.join(undeclared)}, which are not"
            " declared; declare them, with their types, among the site's attributes first"
        )
    return {
        attribute: (place, lambda text, attribute=attribute: typed(text, attribute, types))
        for attribute, place in places.items()
    }


def take(
    rows: Iterator[tuple[int, list[str], str]],
    header: Sequence[str],
    columns: dict[str, Column],
    attributes: dict[str, Column] | None = None,
) -> Iterator[tuple]:
    """Rows as catalog.importers.bulk stages them: (line, fault, *columns[, attributes])."""
    width, readers = len(header), list(columns.values())
    ids = [
        place if column in ("id", "user", "item") else None
        for column, (place, _) in columns.items()
    ]
    for line, cells, fault in rows:
        if not fault and len(cells) == width:
            try:
                values = [
                    read(text) if (text := cells[place].strip()) else None
                    for place, read in readers
                ]
                if attributes:
                    values.append(read_attributes(cells, attributes))
                yield line, "", *values
                continue
            except ValueError as error:
                fault = str(error)
        # Whose row it was: not if cells are missing, since then they may be out of place.
        whose = [
            cells[place].strip() or None
            if place is not None and len(cells) == width and is_whole(cells[place])
            else None
            for place in ids
        ]
        fault = fault or f"not {width} cells, which the header has"
        yield line, fault, *whose, *([None] if attributes else [])


def is_whole(text: str) -> bool:
    return "\0" not in text and "\ufffd" not in text


def with_ignored(report: Report, header: Sequence[str], columns: Sequence[str]) -> Report:
    ignored = [name for name in header if name not in columns]
    if ignored:
        report.notes.append(f"columns not known, so ignored: {', '.join(ignored)}")
    return report


# --- cells ------------------------------------------------------------------------------------


def cleaned(text: str) -> str | None:
    return clean(text) or None


def category_names(text: str) -> list[str]:
    return check_categories(parts(text))


def creator_names(text: str) -> list[str]:
    return check_creators(parts(text))


@lru_cache(10_000)
def slug_of(name: str) -> str:
    return slugify(name, allow_unicode=True)


def check_categories(names: list[str]) -> list[str]:
    for name in names:
        slug = slug_of(name)
        if not slug:
            raise ValueError("a category without letters or digits")
        if len(slug) > SLUG_CHARACTERS:
            raise ValueError(f"a category longer than {SLUG_CHARACTERS} characters")
    return names


def check_creators(names: list[str]) -> list[str]:
    if any(len(name) > NAME_CHARACTERS for name in names):
        raise ValueError(f"a creator longer than {NAME_CHARACTERS} characters")
    return names


def parts(text: str) -> list[str]:
    """What stands between the bars, clean, each once, in order.

    >>> parts("Drama| Crime ||Drama")
    ['Drama', 'Crime']
    """
    return list(dict.fromkeys(name for part in text.split("|") if (name := clean(part))))


def read_attributes(cells: list[str], attributes: dict[str, Column]) -> str:
    """The attributes of a row as an object in JSON."""
    values = {
        name: read(text)
        for name, (place, read) in attributes.items()
        if (text := cells[place].strip())
    }
    return json.dumps(values, ensure_ascii=False)


def typed(text: str, name: str, types: dict[str, str]) -> object:
    """The value of an attribute of the type that was declared for it. Raises ValueError."""
    kind = types[name]
    if kind == Attribute.Type.TEXT:
        return clean(text)
    if kind == Attribute.Type.BOOLEAN and text.lower() in ("true", "yes", "1"):
        return True
    if kind == Attribute.Type.BOOLEAN and text.lower() in ("false", "no", "0"):
        return False
    try:
        if kind == Attribute.Type.NUMBER and math.isfinite(number := float(text)):
            return int(number) if number.is_integer() and abs(number) < 2**53 else number
        if kind == Attribute.Type.DATE:
            datetime.fromisoformat(text)
            return text
    except ValueError:
        pass
    raise ValueError(f"the attribute {name} is not a {kind}")
