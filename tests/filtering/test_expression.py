"""Filters are read as written, and whatever else is written is refused with its place."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.filtering.expression import (
    DEEPEST,
    LONGEST,
    MOST_VALUES,
    Combined,
    FilterError,
    Term,
    parse,
)
from recommender.filtering.fields import FIELDS, fields_with

FIELDS_HERE = fields_with({"pages": "number", "screen-size": "number", "3d": "boolean"})


def term(name: str, operator: str, *values) -> Term:
    return Term(name, FIELDS_HERE[name], operator, values)


def refused(text: str) -> FilterError:
    with pytest.raises(FilterError) as error:
        parse(text, FIELDS_HERE)
    return error.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("price < 20", term("price", "<", Decimal(20))),
        ("price>=-0.5", term("price", ">=", Decimal("-0.5"))),
        ('language = "zh"', term("language", "in", "zh")),
        ('language != "zh"', Combined("not", (term("language", "in", "zh"),))),
        ('category in ("drama", "war")', term("category", "in", "drama", "war")),
        ("price NOT IN (1, 2)", Combined("not", (term("price", "in", Decimal(1), Decimal(2)),))),
        ("published > 2015-01-01", term("published", ">", date(2015, 1, 1))),
        ("attr:3d = True", term("attr:3d", "in", True)),
        (r'creator = "A \"B\" \\ C"', term("creator", "in", 'A "B" \\ C')),
        ("attr:screen-size > 5", term("attr:screen-size", ">", Decimal(5))),
    ],
)
def test_a_comparison_is_read_with_values_of_the_type_of_its_field(text, expected):
    assert parse(text, FIELDS_HERE) == expected


def test_not_binds_closer_than_and_and_and_closer_than_or():
    a, b, c = (term("price", "<", Decimal(n)) for n in (1, 2, 3))
    assert parse("price < 1 or not price < 2 and price < 3", FIELDS) == Combined(
        "or", (a, Combined("and", (Combined("not", (b,)), c)))
    )
    assert parse("(price < 1 or not (price < 2)) and price < 3", FIELDS) == Combined(
        "and", (Combined("or", (a, Combined("not", (b,)))), c)
    )


@pytest.mark.parametrize(
    ("text", "code", "at"),
    [
        ("", "unfinished", 1),
        ("price <", "unfinished", 8),
        ("price < 1 2", "unexpected", 11),
        ("price < 1e5", "unexpected", 10),
        ("price < nan", "unexpected", 9),
        ("price < ٣", "unexpected", 9),
        ("price < 1; DROP TABLE catalog_item", "unexpected", 10),
        ("price < 1 -- and", "unexpected", 11),
        ("price in ()", "unexpected", 11),
        ("language = 'zh'", "unexpected", 12),
        ('language = "zh', "unexpected", 12),
        ('language = "\x00"', "unexpected", 12),
        ('language = "\ud800"', "unexpected", 12),
        ('language = "%s" % 1', "unexpected", 17),
        ('language = "a" and _connector = "OR"', "unknown_field", 20),
        ("Price < 1", "unknown_field", 1),
        ("pages < 1", "unknown_field", 1),
        ("attr:colour = 1", "unknown_field", 1),
        ("__class__ = 1", "unknown_field", 1),
        ('language > "a"', "wrong_operator", 10),
        ("attr:3d < true", "wrong_operator", 9),
        ('price < "20"', "wrong_type", 9),
        ("price = true", "wrong_type", 9),
        ('price in (1, "a")', "wrong_type", 14),
        ("language = 5", "wrong_type", 12),
        ("published > 2015", "wrong_type", 13),
        ("published > 2015-02-30", "date", 13),
        ("published > 0000-01-01", "date", 13),
        ("price < 1" + "0" * 15, "number", 9),
        ("price < 0." + "0" * 11, "number", 9),
        ("price < " + "9" * 1_900, "number", 9),
        ("(" * 11 + "price < 1" + ")" * 11, "too_deep", 11),
        ("(" * 900 + "price < 1" + ")" * 900, "too_deep", 11),
        ("(" * 1_999, "unfinished", 2_000),
        ("not " * 480 + "price < 1", "too_deep", 41),
        (" or ".join(["price = 1"] * 51), "too_many", 651),
        (f"price in ({','.join('1' * 51)})", "too_many", 1),
        (" or ".join(["price = 1"] * 10_000), "too_long", LONGEST + 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text, code, at):
    error = refused(text)
    assert (error.code, error.at) == (code, at)


def test_a_refusal_says_what_is_allowed():
    assert refused("price ! 5").facts == {"found": "! 5", "known": ["=", "in", "not"]}
    assert refused("prize < 5").facts["known"] == sorted(FIELDS_HERE)
    assert refused("language < 5").facts["known"] == ("=", "!=", "in", "not in")
    assert refused("price < true").facts == {"field": "price", "type": "number"}


def test_the_limits_themselves_are_allowed():
    deep = "(" * DEEPEST + "price < 1" + ")" * DEEPEST
    assert parse(deep, FIELDS) == term("price", "<", Decimal(1))
    assert len(parse(f"price in ({','.join('1' * MOST_VALUES)})", FIELDS).values) == MOST_VALUES
    assert parse("price < 1".ljust(LONGEST), FIELDS) == term("price", "<", Decimal(1))


PIECES = st.sampled_from(
    [*FIELDS_HERE, "and", "or", "not", "in", "(", ")", ",", "<", "=", "!=", '"', '"zh"', "\\", "1"]
    + ["2015-01-01", "true", "nan", "1e400", "_connector", ";", "--", "%s", "\x00", "’", " ", "'"]
)


@given(st.text(max_size=200) | st.lists(PIECES, max_size=60).map(" ".join))
def test_whatever_is_written_is_read_or_refused(text):
    try:
        parse(text, FIELDS_HERE)
    except FilterError as error:
        place = error.at
    else:
        place = 1
    assert 1 <= place <= len(text) + 1
