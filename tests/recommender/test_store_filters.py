"""What a filter finds: the SQL of any expression is the expression, and nothing is missing."""

import operator
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.models import Attribute, Item
from recommender import store
from recommender.filtering.expression import Expression, Term, parse
from recommender.filtering.fields import fields_with
from recommender.store import Source
from tests.factories import make_item

pytestmark = pytest.mark.django_db
ATTRIBUTES = {"pages": "number", "colour": "text", "in-colour": "boolean", "made": "date"}
FIELDS = fields_with(ATTRIBUTES)
NOW = datetime.now(UTC)

# What may be said of an item, and what a filter may ask for: few values, so that they meet.
TEXTS, WORDS = ["", "en", "zh", 'a "b" \\ %s'], ["drama", "war", "剧情"]
NUMBERS = ["-1", "0", "0.25", "0.5", "10", "48.1"]
DATES = [date(1999, 12, 31), date(2000, 1, 1), date(2020, 2, 29)]


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
    moment = item.published_at or NOW
    facts = {
        "kind": "item",
        "language": language,
        "currency": "",
        "price": price and Decimal(price),
        "latitude": latitude and float(latitude),
        "longitude": None,
        "published": day,
        "added": NOW.date(),
        "age_days": (NOW - moment) / timedelta(days=1),
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
        "text": st.sampled_from(TEXTS + WORDS).map(quoted),
        "number": st.sampled_from(NUMBERS),
        "boolean": st.sampled_from(["true", "false"]),
        "date": st.sampled_from(DATES).map(str),
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
