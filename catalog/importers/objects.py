"""People, items and feedback as objects: lines of JSON, or rows of Parquet.

An object is judged by a compiled schema before it is staged. It says all of its item or person:
what it does not name is empty. Names are those of the columns of CSV; lists are lists.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta, Struct

from catalog import services
from catalog.importers.archives import Archive
from catalog.importers.bulk import Load, Report
from catalog.importers.csv import check_categories, check_creators, cleaned
from catalog.importers.reading import (
    DAMAGED,
    LINE_BYTES,
    PROGRESS_LINES,
    TOO_LONG,
    UTF8_MARK,
    File,
    Unusable,
    find,
    open_stream,
)
from catalog.models import Attribute
from catalog.text import clean

Id = Annotated[str, Meta(min_length=1, max_length=200, description="as your system knows it")]
Address = Annotated[str, Meta(max_length=2000, description="http or https")]
Moment = str | int | float | None
Names = Annotated[list[str], Meta(max_length=100)]


class PersonRow(Struct, forbid_unknown_fields=True):
    """All of a person: without a name, they have none."""

    id: Id
    name: Annotated[str, Meta(max_length=100)] | None = None


class ItemRow(Struct, forbid_unknown_fields=True):
    """All of an item: what is not named is empty, and an item that is listed is available."""

    id: Id
    title: Annotated[str, Meta(max_length=500)]
    description: Annotated[str, Meta(max_length=20_000)] | None = None
    kind: Annotated[str, Meta(max_length=30)] | None = None
    language: Annotated[str, Meta(max_length=12)] | None = None
    published: Annotated[Moment, Meta(description="ISO 8601, a year, or Unix seconds")] = None
    url: Address | None = None
    image_url: Address | None = None
    price: Decimal | None = None
    currency: Annotated[str, Meta(max_length=3)] | None = None
    latitude: Annotated[float, Meta(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Meta(ge=-180, le=180)] | None = None
    available: bool | None = None
    categories: Names | None = None
    creators: Names | None = None
    attributes: dict[str, str | int | float | bool | None] | None = None


class FeedbackRow(Struct, forbid_unknown_fields=True):
    """What a person did with an item. By user, item, kind and moment it is known again."""

    user: Id
    item: Id
    kind: Annotated[str, Meta(max_length=10)]
    at: Annotated[Moment, Meta(description="ISO 8601, or Unix seconds")] = None
    value: float | None = None
    text: Annotated[str, Meta(max_length=5000)] | None = None


class DatedFeedbackRow(FeedbackRow, kw_only=True, forbid_unknown_fields=True):
    """Feedback that says when: sent again, it is the same."""

    at: Annotated[str | int | float, Meta(description="ISO 8601, or Unix seconds")]


class IdRow(Struct, forbid_unknown_fields=True):
    """One that is there."""

    id: Id


PERSON_FIELDS = ("name",)
ITEM_FIELDS = (
    *("title", "description", "kind", "language", "published", "url", "image_url", "price"),
    *("currency", "latitude", "longitude", "available", "attributes", "categories", "creators"),
)
FEEDBACK_FIELDS = ("person", "item", "kind", "value", "text", "at")

Place = Path | Archive
Numbered = tuple[int, object, str]  # line, what stands there, fault
Stage = Callable[[object], tuple]  # a checked object → what is staged of it. Raises ValueError


def staged(rows: Iterable[Numbered], shape: type[Struct], stage: Stage) -> Iterator[tuple]:
    """Rows as bulk stages them. One that cannot be used names its id, if that can be read.

    rows  lines of JSON as bytes, or objects that are read already
    """
    read = msgspec.json.Decoder(shape).decode
    ids = [name for name in ("id", "user", "item") if name in shape.__struct_fields__]
    width = len(stage.fields)
    for line, row, fault in rows:
        if not fault:
            try:
                if isinstance(row, bytes):
                    # No text of Postgres holds NUL, and a surrogate is half a character.
                    if b"\\u0000" in row:
                        raise ValueError("a NUL character")
                    found = read(row)
                else:
                    found = msgspec.convert(row, shape)
                yield line, "", *stage(found)
                continue
            except (ValueError, RecursionError) as error:  # msgspec's own are ValueErrors
                fault = _said(error)
        yield line, fault, *_whose(row, ids), *([None] * (width - len(ids)))


def _said(error: Exception) -> str:
    """
    >>> _said(msgspec.ValidationError("Expected `str`, got `int` - at `$.title`"))
    'invalid: Expected str, got int at title'
    """
    if isinstance(error, msgspec.ValidationError):
        return "invalid: " + str(error).replace("`", "").replace(" - at $.", " at ")
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError):
        return "not JSON"
    return str(error) if isinstance(error, ValueError) else "nested too deeply"


def _whose(row: object, ids: list[str]) -> list[str | None]:
    if isinstance(row, bytes):
        try:
            row = msgspec.json.decode(row)
        except (ValueError, RecursionError):
            row = None
    named = row if isinstance(row, dict) else {}
    found = [named.get(name) for name in ids]
    return [
        value[:200] if isinstance(value, str) and value and "\0" not in value else None
        for value in found
    ]


class PersonStage:
    fields = ("id", "name")

    def __call__(self, row: PersonRow) -> tuple:
        return whole(row.id), row.name and cleaned(row.name)


class IdStage:
    fields = ("id",)

    def __call__(self, row: IdRow) -> tuple:
        return (whole(row.id),)


class FeedbackStage:
    fields = FEEDBACK_FIELDS

    def __call__(self, row: FeedbackRow) -> tuple:
        text = row.text and cleaned(row.text)
        return (
            *(whole(row.user), whole(row.item), row.kind.lower(), said(row.value), text),
            said(row.at),
        )


class ItemStage:
    """Knows which attributes are declared."""

    fields = ("id", *ITEM_FIELDS)

    def __init__(self) -> None:
        self.attributes = dict(Attribute.objects.values_list("name", "type"))

    def __call__(self, row: ItemRow) -> tuple:
        return (
            whole(row.id),
            cleaned(row.title),
            row.description and cleaned(row.description),
            row.kind and cleaned(row.kind),
            said(row.language),
            said(row.published),
            said(row.url),
            said(row.image_url),
            said(row.price),
            said(row.currency),
            said(row.latitude),
            said(row.longitude),
            {None: None, True: "true", False: "false"}[row.available],
            self._declared(row.attributes) if row.attributes else None,
            check_categories(_distinct(row.categories)) if row.categories else None,
            check_creators(_distinct(row.creators)) if row.creators else None,
        )

    def _declared(self, attributes: dict) -> str:
        for name, value in attributes.items():
            if name not in self.attributes:
                raise ValueError(f"undeclared attribute: {name[:50]}")
            if value is not None and not services.has_type(value, self.attributes[name]):
                raise ValueError(f"attribute of another type: {name} is a {self.attributes[name]}")
        return json.dumps(
            {
                name: clean(value) if isinstance(value, str) else value
                for name, value in attributes.items()
                if value is not None
            },
            ensure_ascii=False,
        )


def said(value: object) -> str | None:
    """A cell as text; None where nothing is said.

    >>> said(" EUR "), said(4.5), said(""), said(None)
    ('EUR', '4.5', None, None)
    """
    return None if value is None else str(value).strip() or None


def whole(name: str) -> str:
    name = name.strip()
    if not name or "\0" in name:
        raise ValueError("no id")
    return name


def _distinct(names: list[str]) -> list[str]:
    return list(dict.fromkeys(name for part in names if (name := clean(part))))


def read_lines(stream: BinaryIO, advance: Callable[[], object] = lambda: None) -> Iterator:
    """(number, bytes, fault) of each line that is not blank; more than LINE_BYTES is a fault."""
    for number in count(1):
        raw = stream.readline(LINE_BYTES)
        if not raw:
            return
        if number == 1:
            raw = raw.removeprefix(UTF8_MARK)
        if number % PROGRESS_LINES == 0:
            advance()
        if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LINE_BYTES)
            yield number, b"", TOO_LONG
        elif raw.strip():
            yield number, raw, ""


@contextmanager
def open_objects(file: File) -> Iterator[Iterator[Numbered]]:
    """The lines of a file of JSON, packed with gzip or not. Raises Unusable."""
    with open_stream(file) as (stream, advance):
        yield checked(read_lines(stream, advance), file.name)


def checked(rows: Iterator[Numbered], name: str) -> Iterator[Numbered]:
    try:
        yield from rows
    except DAMAGED as error:
        raise Unusable(f"{name} is damaged: {error}") from None


# --- files of our own shape ---------------------------------------------------------------------

SHAPES = {  # in the order in which they are loaded
    "people": (PersonRow, PersonStage),
    "items": (ItemRow, ItemStage),
    "feedback": (FeedbackRow, FeedbackStage),
}
ENDINGS = {"jsonl": ("jsonl", "ndjson", "json"), "parquet": ("parquet",)}


def load(
    job: Load,
    place: Place,
    format: str,
    *,
    what: str = "",
    kind: str = "",
    hide_missing: bool = False,
) -> Iterator[Report]:
    """Load a folder or an archive with any of people, items and feedback, or one such file.

    format  jsonl or parquet, which also is how the files end
    Raises  Unusable
    """
    if format == "parquet":
        from catalog.importers.parquet import open_objects as opened  # pyarrow, which is optional
    else:
        opened = open_objects
    for holds, file in _files_of(place, format, what, opened):
        shape, stage = SHAPES[holds]
        with opened(file) as rows:
            yield write(job, file.name, rows, shape, stage(), kind=kind, hide_missing=hide_missing)


def _files_of(place: Place, format: str, what: str, opened) -> list[tuple[str, File]]:
    names = [f"{name}.{ending}" for name in SHAPES for ending in ENDINGS[format]]
    if isinstance(place, Path) and not place.is_dir():
        if not place.exists():
            raise Unusable(f"{place} is not there; give a file, or a folder with {names[0]}")
        if not what:
            with opened(place) as rows:
                what = _recognised(place, rows)
        return [(what, place)]
    found = [
        (name, file)
        for name in ([what] if what else SHAPES)
        for ending in ENDINGS[format]
        if (file := find(place, f"{name}.{ending}"))
    ]
    if not found:
        raise Unusable(f"{place} has no {' or '.join(names)}")
    return found


def _recognised(place: Path, rows: Iterator[Numbered]) -> str:
    """What a file holds, by its first object. Raises Unusable."""
    for _line, row, _fault in rows:
        try:
            first = msgspec.json.decode(row) if isinstance(row, bytes) else row
        except (ValueError, RecursionError):
            break
        if isinstance(first, dict) and "id" in first:
            return "items" if "title" in first else "people"
        if isinstance(first, dict) and {"user", "item"} <= set(first):
            return "feedback"
        break
    raise Unusable(f"{place.name} begins with nothing known; say what it holds by --what")


def write(
    job: Load,
    name: str,
    rows: Iterable[Numbered],
    shape: type[Struct],
    stage: Stage,
    *,
    kind: str = "",
    hide_missing: bool = False,
) -> Report:
    """Write people, items or feedback, by the shape of the rows."""
    ready = staged(rows, shape, stage)
    if shape is PersonRow:
        return job.people(name, ready, PERSON_FIELDS)
    if shape is ItemRow:
        return job.items(
            name,
            ready,
            ITEM_FIELDS,
            kind=kind,
            attributes=list(stage.attributes),
            hide_missing=hide_missing,
        )
    (report,) = job.feedback(name, ready, FEEDBACK_FIELDS)
    return report
