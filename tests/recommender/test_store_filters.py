"""What a filter finds: the SQL of any expression is the expression, and nothing is missing."""

import operator
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from django.contrib.postgres.functions import TransactionNow
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Attribute, Item
from recommender import embed, store
from recommender.filtering.expression import Expression, Term, parse
from recommender.filtering.fields import fields_with
from recommender.store import Source, candidates
from recommender.store.sql import SHOWN
from tests.factories import make_item

pytestmark = pytest.mark.django_db
ATTRIBUTES = {"pages": "number", "colour": "text", "in-colour": "boolean", "made": "date"}
FIELDS = fields_with(ATTRIBUTES)
NEWEST = Source(weight=1, order="new")

# What may be said of an item, and what a filter may ask for: few values, so that they meet.
TEXTS, WORDS = ["", "en", "zh", 'a "b" \\ %s'], ["drama", "war", "剧情"]
NUMBERS = ["-1", "0", "0.25", "0.5", "10", "48.1"]
DATES = [date(1999, 12, 31), date(2000, 1, 1), date(2020, 2, 29)]
HOSTILE = ["%s", "%(a)s", "{column}", "'; DROP TABLE catalog_item; --", "_connector", "\U0001f600"]
LARGEST = "9" * 15 + "." + "9" * 10


def made(n: int) -> tuple[Item, dict]:
    """An item, and what is true of it by the names of fields; None and [] where nothing is."""
    rng = np.random.default_rng(n)

    def one_of(values, missing: float = 0.3):
        return None if rng.random() < missing else values[rng.integers(len(values))]

    language, price = one_of(TEXTS, 0), one_of(NUMBERS[1:])
    latitude, day = one_of(NUMBERS), one_of(DATES)
    categories = [word for word in WORDS if rng.random() < 0.4]
    creator, popularity = one_of(TEXTS[1:]), one_of([0.1, 0.25, 0.5])
    attributes = {
        "pages": one_of([-1, 0, 0.25, 10]),
        "colour": one_of(TEXTS),
        "in-colour": one_of([True, False]),
        "made": one_of([d.isoformat() for d in DATES] + ["2020-02-29T23:30:00-05:00"]),
    }
    item = make_item(
        f"item {n}",
        language=language,
        price=price and Decimal(price),
        latitude=latitude and float(latitude),
        published_at=day and datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC),
        categories=categories,
        creator=creator,
        attributes={name: value for name, value in attributes.items() if value is not None},
    )
    Item.objects.filter(pk=item.pk).update(created_at=TransactionNow())  # so its age is 0
    item.refresh_from_db(fields=["created_at"])
    moment = item.published_at or item.created_at
    facts = {
        "kind": "item",
        "language": language,
        "currency": "",
        "price": price and Decimal(price),
        "latitude": latitude and float(latitude),
        "longitude": None,
        "published": day,
        "added": item.created_at.date(),
        "age_days": (item.created_at - moment) / timedelta(days=1),
        "popularity": popularity or 0.0,
        "trend": (popularity or 0.0) / 2,
        "category": categories,
        "creator": [creator] if creator is not None else [],
        "attr:pages": attributes["pages"],
        "attr:colour": attributes["colour"],
        "attr:in-colour": attributes["in-colour"],
        "attr:made": attributes["made"] and day_of(attributes["made"]),
    }
    return item, facts


def day_of(text: str) -> date:
    moment = datetime.fromisoformat(text)
    return (moment.astimezone(UTC) if moment.tzinfo else moment).date()


ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def is_true(expression: Expression, facts: Mapping) -> bool:
    """What a filter means, in Python."""
    if isinstance(expression, Term):
        found = facts[expression.name]
        if expression.field.many:
            return any(value in expression.values for value in found)
        if found is None:
            return False
        if expression.operator == "in":
            return any(found == exact(value, found) for value in expression.values)
        [value] = expression.values
        return ORDERS[expression.operator](found, exact(value, found))
    parts = [is_true(part, facts) for part in expression.parts]
    return {"and": all, "or": any, "not": lambda one: not one[0]}[expression.operator](parts)


def exact(value, beside):
    return float(value) if isinstance(beside, float) else value


def literal(kind: str) -> st.SearchStrategy[str]:
    return {
        "text": st.sampled_from(TEXTS + WORDS + HOSTILE).map(quoted),
        "number": st.sampled_from([*NUMBERS, LARGEST, f"-{LARGEST}"]),
        "boolean": st.sampled_from(["true", "false"]),
        "date": st.sampled_from([*DATES, date.min, date.max]).map(date.isoformat),
    }[kind]


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@st.composite
def terms(draw) -> str:
    name = draw(st.sampled_from([*FIELDS]))
    sign = draw(st.sampled_from(FIELDS[name].operators))
    values = literal(FIELDS[name].type)
    if sign.endswith("in"):
        several = draw(st.lists(values, min_size=1, max_size=3))
        return f"{name} {sign} ({', '.join(several)})"
    return f"{name} {sign} {draw(values)}"


FILTERS = st.recursive(
    terms(),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({' '.join(t)})")
        | inner.map(lambda one: f"not ({one})")
    ),
    max_leaves=6,
)


@pytest.fixture
def shelf() -> dict[int, dict]:
    """Forty items with what is true of each, by id."""
    for name, kind in ATTRIBUTES.items():
        Attribute.objects.create(name=name, type=kind)
    facts = {item.pk: about for item, about in map(made, range(40))}
    liked = [pk for pk in facts if facts[pk]["popularity"]]
    numbers = np.array([facts[pk]["popularity"] for pk in liked])
    store.replace_popularity(np.array(liked), numbers, numbers / 2)
    return facts


def found(text: str, *sources: Source, space=None, seen=(), limit: int = 100) -> list[int]:
    only = store.condition_of(parse(text, FIELDS))
    return store.find(space, sources, seen=seen, limit=limit, only=only).ids.tolist()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILTERS)
def test_sql_finds_what_the_expression_is_true_of(shelf, text):
    expression = parse(text, FIELDS)
    expected = [pk for pk in shelf if is_true(expression, shelf[pk])]
    assert found(text, Source(weight=1, item_ids=list(shelf))) == expected
    assert sorted(found(text, Source(weight=1, order="new"))) == expected


@pytest.fixture(params=["few", "many"])
def space(request, shelf, monkeypatch) -> store.Space:
    """The space of the shelf; its matches are few to search, or too many to look at each."""
    if request.param == "many":
        monkeypatch.setattr(candidates, "EXACT", 2)
        monkeypatch.setattr(candidates, "NEAREST", 0)
    embed.embed_everything()
    active = store.active_space()
    return store.Space(active.id, active.dimension)


def test_every_source_finds_the_best_of_what_passes(shelf, space):
    text, passes = 'category = "war"', [pk for pk in shelf if "war" in shelf[pk]["category"]]
    assert len(passes) > 10
    vector = store.embedding_of(space, passes[0])
    pool = store.find(space, [Source(weight=1, vector=vector)], seen=[], limit=100)
    nearest = [pk for pk in pool.ids.tolist() if pk in passes]
    assert found(text, Source(weight=1, vector=vector, limit=5), space=space) == nearest[:5]
    newest = store.find(None, [NEWEST], seen=[], limit=100).ids.tolist()
    assert found(text, NEWEST, space=space) == [pk for pk in newest if pk in passes]
    liked = [pk for pk in passes if shelf[pk]["popularity"]]
    by_popularity = sorted(liked, key=lambda pk: (-shelf[pk]["popularity"], pk))
    assert found(text, Source(weight=1, order="popular"), space=space) == by_popularity


def test_more_matches_are_looked_at_each_where_the_catalogue_is_large(shelf, monkeypatch):
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE catalog_item")
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'catalog_item'::regclass")
        assert cursor.fetchone()[0] >= len(shelf)
    condition = store.condition_of(parse('category = "war"', FIELDS))
    few = {}
    for nearest in (0, 10_000):
        monkeypatch.setattr(candidates, "EXACT", 2)
        monkeypatch.setattr(candidates, "NEAREST", nearest)
        ctes, params = candidates._matching(None, store.Condition("true", ()), condition)
        with connection.cursor() as cursor:
            cursor.execute(
                "WITH seen AS (SELECT 0::bigint AS id WHERE false),"
                f"{ctes.rstrip(',')} SELECT are_few FROM counted",
                params,
            )
            (few[nearest],) = cursor.fetchone()
    assert few == {0: False, 10_000: True}


def test_what_was_seen_is_left_out_of_what_passes(shelf, space):
    passes = [pk for pk in shelf if "war" in shelf[pk]["category"]]
    vector = store.embedding_of(space, passes[0])
    sources = Source(weight=1, vector=vector), NEWEST, Source(weight=1, order="popular")
    left = found('category = "war"', *sources, space=space, seen=passes[:3])
    assert sorted(left) == passes[3:]


def test_what_is_new_fills_the_pool_when_nothing_else_does(shelf, space):
    passes = [pk for pk in shelf if "war" in shelf[pk]["category"]]
    few = Source(weight=1, order="new", limit=1)
    assert sorted(found('category = "war"', few, space=space)) == passes
    assert len(found('category = "war"', few, space=space, limit=4)) == 4


def test_a_filter_finds_as_many_little_known_as_were_asked_for(shelf, space):
    last_came = [pk for pk in shelf if "war" in shelf[pk]["category"]][::-1]
    source = Source(weight=1, order="little_known", limit=3)
    assert found('category = "war"', source, space=space) == last_came[:3]


def test_an_index_that_gives_up_early_makes_no_list_short(shelf, space):
    passes = [pk for pk in shelf if "war" in shelf[pk]["category"]]
    vector = store.embedding_of(space, passes[0])
    near = Source(weight=1, vector=vector, limit=len(passes))
    expected = found('category = "war"', near, space=space)
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            f"CREATE INDEX {space.index} ON recommender_itemembedding USING hnsw"
            f" ((embedding::halfvec({space.dimension})) halfvec_cosine_ops)"
            f" WHERE space_id = {space.id}"
        )
        cursor.execute("SET LOCAL enable_seqscan = off; SET LOCAL enable_sort = off")
        cursor.execute("SET LOCAL enable_bitmapscan = off; SET LOCAL hnsw.ef_search = 1")
        cursor.execute(
            "SELECT e.item_id FROM recommender_itemembedding e"
            f" WHERE space_id = {space.id} ORDER BY {space.column} <=> %s::halfvec LIMIT 40",
            [store.as_text(vector)],
        )
        assert len(cursor.fetchall()) < len(passes)
    assert found('category = "war"', near, space=space) == expected
    assert sorted(expected) == passes
    # Each counts once: the nearest has 1/61, the farthest of them as much and a little more.
    given = Source(weight=1, item_ids=expected[-1:])
    assert found('category = "war"', near, given, space=space)[0] == expected[-1]


def test_an_attribute_of_another_type_than_declared_is_missing(shelf):
    item = make_item("old")
    Item.objects.filter(pk=item.pk).update(
        attributes={"pages": "ten", "colour": 7, "in-colour": "true", "made": "yesterday-ish"}
    )
    source = Source(weight=1, item_ids=[item.pk])
    for text in ("attr:pages > -5", 'attr:colour = "7"', "attr:in-colour = true"):
        assert found(text, source) == []
        assert found(f"not {text}", source) == [item.pk]
    assert found("attr:made > 1900-01-01 or attr:made <= 1900-01-01", source) == []


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("price < 5", "item_price_shown"),
        ('language = "zh"', "item_language_shown"),
        ("age_days < 2.5", "item_newest_shown"),
    ],
)
def test_what_filters_ask_for_most_is_found_by_an_index(db, text, index):
    condition = store.condition_of(parse(text, FIELDS))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalog_item (uuid, source, external_id, kind, title, description,"
            " language, url, image_url, currency, is_available, attributes, price, published_at)"
            " SELECT gen_random_uuid(), 'many', n, 'item', 'Item ' || n, '',"
            " CASE WHEN n % 100 = 0 THEN 'zh' ELSE 'en' END, '', '', '', true, '{}', n % 500,"
            " now() - n * interval '1 day' FROM generate_series(1, 5000) n"
        )
        cursor.execute("ANALYZE catalog_item")
        cursor.execute(
            f"EXPLAIN SELECT i.id FROM catalog_item i WHERE {SHOWN} AND {condition.sql}",
            condition.params,
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert index in plan
    assert "Index Cond" in plan


@pytest.mark.parametrize("days", ["100000000000", "-100000000000"])
def test_an_age_beyond_all_calendars_is_compared_all_the_same(db, days):
    item = make_item("old", published_at=datetime(1, 1, 2, tzinfo=UTC))
    for comparison, expected in (("<", float(days) > 0), (">", float(days) < 0)):
        condition = store.condition_of(parse(f"age_days {comparison} {days}", FIELDS))
        assert store.passes(condition, item.pk) == expected
