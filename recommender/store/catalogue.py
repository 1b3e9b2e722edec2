"""Items as anybody sees them: page by page, one in full, and what a result is made of.

Each is one statement for any number of items, and none of them asks who looks.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import numpy as np
from django.db import connection, transaction

from catalog.models import Item
from recommender.filtering.expression import Term, parse
from recommender.filtering.fields import FIELDS, fields_with
from recommender.store.candidates import Source, nearest_passing
from recommender.store.filters import Condition, condition_of, declared
from recommender.store.items import FACTS, Facts, facts_of
from recommender.store.replicas import item_side, reader
from recommender.store.spaces import Space
from recommender.store.sql import SCAN_TUPLES, SHOWN, TOPICS
from recommender.store.topics import TopicOfItem

MOST_VALUES = 20  # of one facet


def condition_in(filter: str) -> Condition:
    """What a filter asks of items, read with the attributes that are declared: one statement.

    Raises FilterError if it cannot be used
    """
    return condition_of(parse(filter, fields_with(declared())))


def of_kind(kind: str) -> Condition:
    """What a filter by one kind asks."""
    return condition_of(Term("kind", FIELDS["kind"], "in", (kind,)))


def by_creator(creator: UUID) -> Condition:
    return Condition(
        "EXISTS (SELECT 1 FROM catalog_itemcreator r JOIN catalog_creator c"
        " ON c.id = r.creator_id WHERE r.item_id = i.id AND c.uuid = %s)",
        (creator,),
    )


def shown_id(uuid: UUID) -> int | None:
    """The id of an item that is shown."""
    found = Item.objects.filter(uuid=uuid, is_available=True, removed_at=None)
    return found.values_list("id", flat=True).first()


def items_shown(
    only: Condition | None, *, after: UUID | None = None, ascending: bool = False, limit: int
) -> list[Facts]:
    """Items that are shown, in the order of their public ids, which is that of their arrival.

    after      the item behind which to begin
    ascending  the oldest first, else the newest
    """
    order, beyond = ("ASC", ">") if ascending else ("DESC", "<")
    where, params = [SHOWN], []
    if only is not None:
        where.append(f"({only.sql})")
        params += only.params
    if after is not None:
        where.append(f"i.uuid {beyond} %s")
        params.append(after)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FACTS} FROM catalog_item i WHERE {' AND '.join(where)}"
            f" ORDER BY i.uuid {order} LIMIT {int(limit)}",
            params,
        )
        return [facts_of(row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Full:
    """Everything that is known of an item and shown."""

    facts: Facts  # with the whole description
    language: str
    price: Decimal | None
    currency: str
    latitude: float | None
    longitude: float | None
    updated_at: datetime
    attributes: dict
    topics: list[TopicOfItem]


def item_in_full(uuid: UUID) -> Full | None:
    """None for an item that is not shown."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {FACTS}, i.description, i.language, i.price, i.currency, i.latitude,"
            " i.longitude, i.updated_at, i.attributes::text,"
            " (SELECT coalesce(json_agg(json_build_array(t.slug, t.name, t.language, it.weight,"
            "   t.is_shared OR it.source = 'editor') ORDER BY t.is_shared OR it.source = 'editor'"
            f"   DESC, it.weight DESC, t.id), '[]')::text FROM {TOPICS} WHERE it.item_id = i.id)"
            f" FROM catalog_item i WHERE i.uuid = %s AND {SHOWN}",
            [uuid],
        )
        row = cursor.fetchone()
    if row is None:
        return None
    *of_list, description, language, price, currency, north, east, updated_at, given, topics = row
    return Full(
        facts_of(of_list, description=description),
        language,
        price,
        currency,
        north,
        east,
        updated_at,
        json.loads(given),
        [TopicOfItem(*topic) for topic in json.loads(topics)],
    )


# --- search -------------------------------------------------------------------------------------


@item_side
def nearest_that_pass(space: Space, vector: np.ndarray, only: Condition, *, limit: int) -> list:
    """Ids of the shown items nearest to a unit vector that meet a condition: as many as there are,
    up to the limit."""
    link = reader()
    with transaction.atomic(using=link.alias), link.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'relaxed_order', true),"
            f" set_config('hnsw.ef_search', '{max(40, min(1000, int(limit)))}', true),"
            f" set_config('hnsw.max_scan_tuples', '{SCAN_TUPLES}', true)"
        )
        text, params = nearest_passing(space, Source(weight=1.0, vector=vector, limit=limit), only)
        cursor.execute(text, params)
        return [item for (item,) in cursor.fetchall()]


@dataclass(frozen=True)
class Value:
    """One value of a facet, and how many of the items have it."""

    value: str
    names: dict  # of a category, in each language
    count: int


@dataclass(frozen=True)
class Facets:
    """What items have in common, the commonest values first."""

    values: dict[str, list[Value]]  # by field: category, kind, language, creator
    prices: list[Decimal] | None  # None: not asked for


_OF_EACH = {
    "category": (
        "c.slug, c.names FROM of JOIN catalog_item_categories r ON r.item_id = of.id"
        " JOIN catalog_category c ON c.id = r.category_id"
    ),
    "creator": (
        "c.name, '{}'::jsonb FROM of JOIN catalog_itemcreator r ON r.item_id = of.id"
        " JOIN catalog_creator c ON c.id = r.creator_id"
    ),
    "kind": "of.kind, '{}'::jsonb FROM of",
    "language": "of.language, '{}'::jsonb FROM of WHERE of.language <> ''",
    "price": "of.price::text, '{}'::jsonb FROM of WHERE of.price IS NOT NULL",
}
FACETS = tuple(_OF_EACH)


@item_side
def facets(item_ids: Sequence[int], fields: Sequence[str]) -> Facets:
    """Counts of the values that items have, for some of FACETS: one statement."""
    parts = " UNION ALL ".join(
        # Of prices all, since ranges are made of them.
        f"(SELECT '{field}', value, names::text, count(*) FROM (SELECT {_OF_EACH[field]})"
        " AS had (value, names) GROUP BY value, names ORDER BY count(*) DESC, value"
        + (")" if field == "price" else f" LIMIT {MOST_VALUES})")
        for field in fields
    )
    with reader().cursor() as cursor:
        cursor.execute(
            "WITH of AS MATERIALIZED (SELECT id, kind, language, price FROM catalog_item"
            f" WHERE id = ANY(%s)) {parts}",
            [[int(item) for item in item_ids]],
        )
        rows = cursor.fetchall()
    values = {field: [] for field in fields if field != "price"}
    prices: list[Decimal] | None = [] if "price" in fields else None
    for field, value, names, count in rows:
        if field == "price":
            prices += [Decimal(value)] * count
        else:
            values[field].append(Value(value, json.loads(names), count))
    return Facets(values, prices)
