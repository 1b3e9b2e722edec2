"""A list of only what a filter lets pass, and as much of it as there is."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Attribute, Item
from recommender.models import Served
from tests.api.test_errors import is_problem
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop() -> dict[str, Item]:
    Attribute.objects.create(name="litres", type="number")
    items = {
        f"kettle {n}": make_item(
            f"kettle {n}",
            price=n,
            language="zh" if n % 2 else "en",
            categories=["kitchen"],
            creator="Ann" if n < 3 else "Bob",
            attributes={"litres": n / 10},
        )
        for n in range(12)
    }
    items |= {f"boots {n}": make_item(f"boots {n}", categories=["outdoors"]) for n in range(12)}
    embed_and_learn()
    return items


def titles(client, path: str, filter: str, **more) -> list[str]:
    body = client.get(path, {"filter": filter, "limit": 100, **more}).json()
    return sorted(row["item"]["title"] for row in body["results"])


def similar_to(item: Item) -> str:
    return f"/api/v1/items/{item.uuid}/similar/"


@pytest.mark.parametrize(
    ("filter", "numbers"),
    [
        ('price < 5 and language = "zh"', [1, 3]),
        ('category in ("kitchen", "war") and not creator = "Bob"', [1, 2]),
        ("attr:litres >= 1", [10, 11]),
        ('creator = "Bob"', [*range(3, 12)]),  # more than a list has of one creator otherwise
        ("price > 100", []),
        ("not price >= 0", None),
    ],
)
def test_only_what_passes_is_shown_and_all_of_it(as_alice, alice, shop, filter, numbers):
    give(alice, shop["kettle 0"])
    expected = (
        sorted(f"kettle {n}" for n in numbers)
        if numbers is not None
        else sorted(f"boots {n}" for n in range(12))
    )
    assert titles(as_alice, LISTS, filter) == expected
    assert titles(as_alice, similar_to(shop["kettle 0"]), filter) == expected


def test_somebody_without_history_is_shown_all_that_passes(as_alice, shop):
    assert titles(as_alice, LISTS, "price < 3") == ["kettle 0", "kettle 1", "kettle 2"]


def test_a_list_says_by_which_filter_it_was_made(as_alice, shop):
    as_alice.get(LISTS, {"filter": "price < 3"})
    assert Served.objects.get().settings["filter"] == "price < 3"


def test_a_filter_costs_no_statement(as_alice, alice, shop):
    give(alice, shop["kettle 0"])
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    for query in ({}, {"filter": "attr:litres < 1 and price < 5"}):
        with CaptureQueriesContext(connection) as queries:
            assert as_alice.get(LISTS, query).status_code == 200
        sent = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
        assert len(sent) == 6


@pytest.mark.parametrize(
    ("filter", "code", "at", "told"),
    [
        ("prize < 20", "unknown_field", 1, "price"),
        ("attr:colour = 1", "unknown_field", 1, "attr:litres"),
        ('price < "20"', "wrong_type", 9, "number"),
        ('language < "zh"', "wrong_operator", 10, "not in"),
        ("price <", "unfinished", 8, "number"),
        ("1 = 1; DROP TABLE catalog_item", "unexpected", 1, "field"),
        ('_connector = "OR"', "unknown_field", 1, "price"),
        ("price < nan", "unexpected", 9, "number"),
        ("price < " + "9" * 400, "number", 9, "15"),
        ("published > 2015-02-30", "date", 13, "day"),
        ("(" * 500 + "price < 1" + ")" * 500, "too_deep", 11, "10"),
        (" or ".join(["price < 1"] * 51), "too_many", 651, "50"),
    ],
)
def test_a_filter_that_cannot_be_used_is_refused_with_its_place(
    as_alice, shop, filter, code, at, told
):
    for path in (LISTS, similar_to(shop["kettle 0"])):
        response = as_alice.get(path, {"filter": filter})
        assert is_problem(response, 400)
        [error] = response.json()["errors"]
        assert (error["field"], error["code"]) == ("filter", code)
        assert error["detail"].startswith(f"At character {at}: ")
        assert told in error["detail"]
    assert not Served.objects.exists()


@pytest.mark.parametrize(
    "filter",
    [
        " ",
        'language = "\x00"',
        " or ".join(["price < 1"] * 10_000),
        "’ OR ’1’=’1",
        "😀 = 1",
        "price < 1 %s %(a)s {0}",
        "filter=1",
    ],
)
def test_no_string_gives_a_500(as_alice, shop, filter):
    response = as_alice.get(LISTS, {"filter": filter})
    assert is_problem(response, 400)
    assert response.json()["errors"][0]["field"] == "filter"


def test_values_are_never_part_of_a_statement(as_alice, shop):
    for hostile in ("%s", "%(a)s", "'; DROP TABLE catalog_item; --", "{column}", "\\\\"):
        assert titles(as_alice, LISTS, f'language = "{hostile}"') == []
        assert len(titles(as_alice, LISTS, f'language != "{hostile}"')) == 24


def test_the_description_of_the_api_tells_of_filters(client):
    paths = client.get("/api/schema/", {"format": "json"}).json()["paths"]
    for path in ("/api/v1/recommendations/", "/api/v1/items/{uuid}/similar/"):
        [filter] = [p for p in paths[path]["get"]["parameters"] if p["name"] == "filter"]
        assert filter["schema"]["maxLength"] == 2000
        assert "published > 2015-01-01" in filter["description"]
