"""What a filter may speak of: common fields of items, and attributes that a site declares."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

ATTRIBUTE = "attr:"  # before the name of a declared attribute, as in the header of a CSV file


class Type(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"


ORDERED = (Type.NUMBER, Type.DATE)  # only of these is one less than another


@dataclass(frozen=True)
class Field:
    """A field that an item has once or not at all; or, if many, any number of times."""

    type: Type
    many: bool = False

    @property
    def operators(self) -> tuple[str, ...]:
        same = ("=", "!=", "in", "not in")
        return (*same, "<", "<=", ">", ">=") if self.type in ORDERED else same


FIELDS: Mapping[str, Field] = {
    "kind": Field(Type.TEXT),
    "language": Field(Type.TEXT),
    "currency": Field(Type.TEXT),
    "price": Field(Type.NUMBER),
    "latitude": Field(Type.NUMBER),
    "longitude": Field(Type.NUMBER),
    "published": Field(Type.DATE),
    "added": Field(Type.DATE),
    "age_days": Field(Type.NUMBER),
    "popularity": Field(Type.NUMBER),
    "trend": Field(Type.NUMBER),
    "category": Field(Type.TEXT, many=True),
    "creator": Field(Type.TEXT, many=True),
}


def fields_with(attributes: Mapping[str, str]) -> dict[str, Field]:
    """All fields of a site, whose declared attributes are given as names and types."""
    return {**FIELDS, **{f"{ATTRIBUTE}{name}": Field(Type(t)) for name, t in attributes.items()}}
