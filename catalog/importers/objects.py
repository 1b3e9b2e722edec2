"""People, items and feedback as objects: lines of JSON, or rows of Parquet.

An object is judged by a compiled schema before it is staged. It says all of its item or person:
what it does not name is empty. Names are those of the columns of CSV; lists are lists.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from itertools import count
from typing import Annotated, BinaryIO

import msgspec
from msgspec import Meta, Struct

from catalog import services
from catalog.importers.csv import check_categories, check_creators, cleaned
from catalog.importers.reading import LINE_BYTES, TOO_LONG, UTF8_MARK
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
        if number % 4096 == 0:
            advance()
        if len(raw) == LINE_BYTES and not raw.endswith(b"\n"):
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(LINE_BYTES)
            yield number, b"", TOO_LONG
        elif raw.strip():
            yield number, raw, ""
