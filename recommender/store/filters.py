"""A filter as a condition of a statement about `catalog_item i`.

Its text is made of what stands in this file alone; names of attributes and values are parameters.
"""

import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from catalog.models import Attribute
from recommender.filtering.expression import Expression, Term
from recommender.filtering.fields import ATTRIBUTE, FIELDS, Type
from recommender.store.sql import MOMENT


@dataclass(frozen=True)
class Condition:
    """What is true of the items that a filter lets pass, and false or null of the others."""

    sql: str
    params: tuple


NOTHING = Condition("false", ())


COLUMNS: Mapping[str, str] = {
    "kind": "i.kind",
    "language": "i.language",
    "currency": "i.currency",
    "price": "i.price",
    "latitude": "i.latitude",
    "longitude": "i.longitude",
    "published": "(i.published_at AT TIME ZONE 'UTC')::date",
    "added": "(i.created_at AT TIME ZONE 'UTC')::date",
    "age_days": f"(extract(epoch FROM now() - {MOMENT}) / 86400)",
}
# The other way round, so that the index of what is newest answers it: younger is later.
YOUNGER: Mapping[str, str] = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
BORN = f"{MOMENT} {{later}} now() - %s::numeric * interval '1 day'"
OLDEST, YOUNGEST = Decimal(1_000_000), Decimal(-4_000_000)  # days; years 1 to 9999 lie between
# Rows that belong to an item, and what is asked of any of them.
ROWS: Mapping[str, tuple[str, str]] = {
    "category": (
        "catalog_item_categories r JOIN catalog_category c ON c.id = r.category_id"
        " WHERE r.item_id = i.id",
        "c.slug",
    ),
    "creator": (
        "catalog_itemcreator r JOIN catalog_creator c ON c.id = r.creator_id"
        " WHERE r.item_id = i.id",
        "c.name",
    ),
    "popularity": ("recommender_popularity p WHERE p.item_id = i.id", "p.score"),
    "trend": ("recommender_popularity p WHERE p.item_id = i.id", "p.trend"),
}
ZERO_WITHOUT_A_ROW = ("popularity", "trend")
# By the type, since an attribute may hold what it held before it was declared anew.
ATTRIBUTES: Mapping[Type, str] = {
    Type.TEXT: "(CASE WHEN jsonb_typeof(i.attributes -> %s) = 'string'"
    " THEN i.attributes ->> %s END)",
    Type.NUMBER: "(CASE WHEN jsonb_typeof(i.attributes -> %s) = 'number'"
    " THEN (i.attributes ->> %s)::numeric END)",
    Type.BOOLEAN: "(CASE WHEN jsonb_typeof(i.attributes -> %s) = 'boolean'"
    " THEN (i.attributes ->> %s)::boolean END)",
    Type.DATE: "(CASE WHEN pg_input_is_valid(i.attributes ->> %s, 'timestamptz')"
    " THEN ((i.attributes ->> %s)::timestamptz AT TIME ZONE 'UTC')::date END)",
}
CASTS: Mapping[Type, str] = {
    Type.TEXT: "text",
    Type.NUMBER: "numeric",
    Type.BOOLEAN: "boolean",
    Type.DATE: "date",
}
# The text of each comparison, and what it says of a single number.
TESTS: Mapping[str, tuple[str, Callable]] = {
    "in": ("{column} = ANY(%s::{cast}[])", lambda number, among: number in among),
    "<": ("{column} < %s::{cast}", operator.lt),
    "<=": ("{column} <= %s::{cast}", operator.le),
    ">": ("{column} > %s::{cast}", operator.gt),
    ">=": ("{column} >= %s::{cast}", operator.ge),
}


def declared() -> dict[str, str]:
    """Attributes of items, with their types: what a filter may ask for."""
    return dict(Attribute.objects.values_list("name", "type"))


def passes(condition: Condition, item_id: int) -> bool:
    """Whether it is true of an item as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT 1 FROM catalog_item i WHERE i.id = %s AND {condition.sql})",
            [item_id, *condition.params],
        )
        return cursor.fetchone()[0]


def condition_of(expression: Expression) -> Condition:
    params: list = []
    return Condition(_sql(expression, params), tuple(params))


def in_category(slug: str) -> Condition:
    """What a filter by one category asks."""
    return condition_of(Term("category", FIELDS["category"], "in", (slug,)))


def all_of(conditions: Iterable[Condition | None]) -> Condition | None:
    """True where each of those that are there is; None without any."""
    there = [condition for condition in conditions if condition is not None]
    if not there:
        return None
    sql = " AND ".join(f"({condition.sql})" for condition in there)
    return Condition(sql, tuple(value for condition in there for value in condition.params))


def which_hold(conditions: Sequence[Condition]) -> Condition:
    """A column: for each condition, whether it is true of an item."""
    tests = ", ".join(f"({condition.sql}) IS TRUE" for condition in conditions)
    params = tuple(value for condition in conditions for value in condition.params)
    return Condition(f"ARRAY[{tests}]::boolean[]", params)


def _sql(expression: Expression, params: list) -> str:
    """The text; what it has parameters for is appended."""
    if isinstance(expression, Term):
        return _term(expression, params)
    parts = [_sql(part, params) for part in expression.parts]
    if expression.operator == "not":
        return f"({parts[0]}) IS NOT TRUE"  # null, which is what a missing value gives, is false
    return "(" + {"and": " AND ", "or": " OR "}[expression.operator].join(parts) + ")"


def _term(term: Term, params: list) -> str:
    if term.name.startswith(ATTRIBUTE):
        params += [term.name.removeprefix(ATTRIBUTE)] * 2
        return _test(ATTRIBUTES[term.field.type], term, params)
    if term.name == "age_days" and term.operator in YOUNGER:
        params.append(min(max(Decimal(_value(term)), YOUNGEST), OLDEST))
        return BORN.format(later=YOUNGER[term.operator])
    if term.name not in ROWS:
        return _test(COLUMNS[term.name], term, params)
    rows, column = ROWS[term.name]
    test = _test(column, term, params)
    if term.name in ZERO_WITHOUT_A_ROW and TESTS[term.operator][1](Decimal(0), _value(term)):
        return f"NOT EXISTS (SELECT 1 FROM {rows} AND NOT {test})"
    return f"EXISTS (SELECT 1 FROM {rows} AND {test})"


def _test(column: str, term: Term, params: list) -> str:
    params.append(_value(term))
    return TESTS[term.operator][0].format(column=column, cast=CASTS[term.field.type])


def _value(term: Term) -> object:
    return list(term.values) if term.operator == "in" else term.values[0]
