"""Served is not seen: what of a list came into sight is told, once; what was seen several times and
not taken up steps back, and comes again with time. No worker runs here."""

from datetime import timedelta

import pytest
from django.db import connection
from django.db.models.functions import Now

from catalog.uuid7 import uuid7
from recommender import store
from recommender.models import SeenItem, SeenPlaces, Served
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person

pytestmark = pytest.mark.django_db
IMPRESSIONS = "/api/v1/impressions/"
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop(alice):
    items = [make_item(f"thing {n}", creator=f"Maker {n}") for n in range(20)]
    embed_and_learn()
    give(alice, items[0])
    return items


def tell(client, *entries: tuple[str, list], status: int = 200):
    told = [{"list": str(of), "positions": positions} for of, positions in entries]
    response = client.post(IMPRESSIONS, told[0] if len(told) == 1 else told, format="json")
    assert response.status_code == status, response.json()
    return response.json()


def listed(client, **query) -> tuple[str, list[str]]:
    body = client.get(LISTS, {"limit": 5, "diversity": 0} | query).json()
    return body["id"], [row["item"]["title"] for row in body["results"]]


def test_a_position_counts_once_however_often_it_is_told(as_alice, alice, shop):
    of, _titles = listed(as_alice)
    assert tell(as_alice, (of, [1, 2]))["new"] == 2
    assert tell(as_alice, (of, [2, 1, 3, 3]))["new"] == 1
    assert SeenPlaces.objects.get(pk=of).places == [1, 2, 3]
    row = Served.objects.get(pk=of)
    seen = SeenItem.objects.filter(user=alice).values_list("item_id", "times")
    assert dict(seen) == dict.fromkeys(row.item_ids[:3], 1)


def test_what_was_seen_three_times_loses_half_and_steps_back(as_alice, alice, shop):
    of, titles = listed(as_alice)
    first = Served.objects.get(pk=of)
    for _ in range(3):
        of, _now = listed(as_alice, seed=1)
        place = Served.objects.get(pk=of).item_ids.index(first.item_ids[0]) + 1
        tell(as_alice, (of, [place]))
    body = as_alice.get(LISTS, {"limit": 20, "diversity": 0}).json()
    now = {row["item"]["title"]: row["relevance"] for row in body["results"]}
    assert next(iter(now)) != titles[0]
    assert now[titles[0]] == pytest.approx(first.relevance[0] / 2, abs=0.02)
    item = next(r["item"]["id"] for r in body["results"] if r["item"]["title"] == titles[0])
    why = as_alice.get(f"{LISTS}{body['id']}/why/{item}/").json()
    points = {row["part"]: row["points"] for row in why["points"]}
    assert points["rested"] < 0
    assert sum(points.values()) == why["relevance"]


def test_it_comes_back_with_time(as_alice, alice, shop, settings):
    of, titles = listed(as_alice)
    tell(as_alice, (of, [1]))
    SeenItem.objects.update(times=6)
    assert listed(as_alice)[1][0] != titles[0]
    weeks = timedelta(days=10 * settings.IMPRESSION_HALF_LIFE_DAYS)
    SeenItem.objects.update(last_at=Now() - weeks)
    assert listed(as_alice)[1][0] == titles[0]


def test_nobody_else_and_nobody_without_consent_is_touched(as_alice, as_bob, alice, shop):
    before = listed(as_bob)[1]
    of, _titles = listed(as_alice)
    tell(as_alice, (of, [1]))
    SeenItem.objects.update(times=6)
    assert listed(as_bob)[1] == before
    carol = client_of(make_person("carol", agrees=False))
    own, _titles = listed(carol)
    assert tell(carol, (own, [1]), status=403)["type"] == "urn:medley:no_consent"
    assert not SeenPlaces.objects.filter(pk=own).exists()


def test_a_list_of_somebody_else_or_of_nobody_answers_as_a_missing_one(as_alice, as_bob, shop):
    of, _titles = listed(as_bob)
    for wrong in (of, uuid7()):
        entry = {"list": str(wrong), "positions": [1]}
        assert is_problem(as_alice.post(IMPRESSIONS, entry, format="json"), 404)
    assert not SeenPlaces.objects.exists()


def test_a_position_that_the_list_does_not_have_is_named(as_alice, shop):
    of, _titles = listed(as_alice)
    response = as_alice.post(IMPRESSIONS, {"list": of, "positions": [1, 6, 9]}, format="json")
    assert is_problem(response, 400)
    (error,) = response.json()["errors"]
    assert error["field"] == "positions"
    assert "1 to 5" in error["detail"]
    assert "6, 9" in error["detail"]
    assert not SeenPlaces.objects.exists()


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"list": "x", "positions": [1]},
        {"list": str(uuid7())},
        {"list": str(uuid7()), "positions": []},
        {"list": str(uuid7()), "positions": [0]},
        {"list": str(uuid7()), "positions": [10**30]},
        {"list": str(uuid7()), "positions": [1] * 101},
        {"list": str(uuid7()), "positions": [1], "more": 1},
        [],
        [{}] * 101,
        3,
    ],
)
def test_what_cannot_be_read_is_refused(as_alice, shop, body):
    assert is_problem(as_alice.post(IMPRESSIONS, body, format="json"), 400)


def test_one_bad_entry_of_a_batch_does_not_hinder_the_others(as_alice, as_bob, shop):
    good, _titles = listed(as_alice)
    theirs, _titles = listed(as_bob)
    body = [
        {"list": good, "positions": [1]},
        {"list": theirs, "positions": [1]},
        {"list": good, "positions": [77]},
        {"list": good, "positions": ["x"]},
        7,
        {"list": good, "positions": [2]},
    ]
    response = as_alice.post(IMPRESSIONS, body, format="json")
    assert response.status_code == 207
    assert [(row["status"], row["list"]) for row in response.json()] == [
        (200, good),
        (404, theirs),
        (400, good),
        (400, good),
        (400, None),
        (200, good),
    ]
    assert [(row.list_id, row.places) for row in SeenPlaces.objects.all()] == [
        (Served.objects.get(pk=good).pk, [1, 2])
    ]


def test_exposure_counts_what_was_seen_of_a_list_where_that_was_told(as_alice, as_bob, shop):
    seen, _titles = listed(as_alice)
    tell(as_alice, (seen, [1]))
    served, _titles = listed(as_bob)
    of_seen, of_served = (Served.objects.get(pk=of).item_ids for of in (seen, served))
    shown = store.showings()
    counted = {int(i): round(float(n), 2) for i, n in zip(shown.items, shown.shown, strict=True)}
    both = [of_seen[0], *of_served]
    assert counted == {item: float(both.count(item)) for item in set(both)}


def test_telling_takes_six_statements_at_most(as_alice, shop, django_assert_max_num_queries):
    lists = [listed(as_alice)[0] for _ in range(5)]
    for some in (lists[:1], lists):
        # token; savepoint, person, consent, lists, sights, release
        with django_assert_max_num_queries(7):
            tell(as_alice, *[(of, [1, 2]) for of in some], status=200 if len(some) == 1 else 207)
    assert connection.in_atomic_block
