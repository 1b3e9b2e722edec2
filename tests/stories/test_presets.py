"""Wishes of taste and presets: kept or for one request, said in the answer, undone. Each preset
moves what it is there for. No worker runs here."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from catalog import guests, services
from recommender import evaluate, steer, store
from recommender.diversity import Limits
from recommender.evaluation.replay import list_for, look_back
from recommender.models import Preference, Scenario, Served
from recommender.ranking.pipeline import Rules
from recommender.ranking.tuning import PRESETS, Tuning
from recommender.recommend import recommend
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
LISTS, ME = "/api/v1/recommendations/", "/api/v1/me/"
WORDS = ["kettle", "boots", "tent"]


@pytest.fixture
def shop(alice):
    """Items of three kinds, a day apart; the first few of each are liked by many. Alice has two."""
    now = datetime.now(UTC)
    items = [
        make_item(
            f"{WORDS[n % 3]} {WORDS[n % 3]} {n}",
            categories=[WORDS[n % 3]],
            published_at=now - timedelta(days=n),
        )
        for n in range(60)
    ]
    for number in range(8):
        person = make_person(f"person {number}")
        for n in range(30, 30 + 3 * number + 3):
            import_feedback(person, items[n])
    embed_and_learn()
    for n in (0, 3):
        give(alice, items[n])
    services.set_consent(alice, True)
    return items


def answer(client, **query) -> dict:
    response = client.get(LISTS, {"limit": 10} | query)
    assert response.status_code == 200, response.content
    return response.json()


def ids(client, **query) -> list[str]:
    return [row["item"]["id"] for row in answer(client, **query)["results"]]


def age(client, shop, **query) -> float:
    days = {str(item.uuid): n for n, item in enumerate(shop)}
    return float(np.mean([days[item] for item in ids(client, **query)]))


def fame(client, shop, **query) -> float:
    liked = {str(item.uuid): item.feedback.count() for item in shop}
    return float(np.mean([liked[item] for item in ids(client, **query)]))


def unlike(client, **query) -> float:
    rows = answer(client, **query)["results"]
    return float(np.mean(["kettle" not in row["item"]["title"] for row in rows]))


@pytest.mark.parametrize(
    ("wish", "measure"), [("recency", age), ("popularity", fame)], ids=["recency", "popularity"]
)
def test_a_wish_moves_its_own_measure_both_ways(as_alice, shop, wish, measure):
    down, none, up = (measure(as_alice, shop, **{wish: much}) for much in (-1, 0, 1))
    if wish == "recency":  # age grows as it falls
        down, up = up, down
    assert down < none < up


def test_novelty_leads_away_from_what_was_liked_or_nearer_to_it(as_alice, shop):
    assert unlike(as_alice, novelty=-1) <= unlike(as_alice) < unlike(as_alice, novelty=1)


@pytest.mark.parametrize(
    "query", [{"novelty": 1}, {"recency": -1}, {"popularity": -1, "recency": 1, "novelty": -1}]
)
def test_a_wish_reorders_and_loses_nothing(as_alice, shop, query):
    rows = answer(as_alice, limit=100, **query)["results"]
    assert len(rows) == 58
    assert all(0 <= row["relevance"] <= 1 for row in rows)


def test_it_is_a_part_of_its_own_in_why(as_alice, shop):
    listed = answer(as_alice, recency=1)
    item = listed["results"][0]["item"]["id"]
    why = as_alice.get(f"{LISTS}{listed['id']}/why/{item}/").json()
    assert "wish_recency" in {row["part"] for row in why["points"]}
    assert sum(row["points"] for row in why["points"]) == why["relevance"]


def test_a_request_says_what_was_applied_and_keeps_nothing(as_alice, alice, shop):
    found = answer(as_alice, recency=0.5, diversity=0.1)
    assert found["tuning"] == {
        "preset": None,
        "diversity": 0.1,
        "novelty": 0,
        "recency": 0.5,
        "popularity": 0,
    }
    assert found["steering"]["changed"] > 0
    assert Served.objects.get().settings["recency"] == 0.5
    assert not Preference.objects.exists()
    assert answer(as_alice)["tuning"]["preset"] == "balanced"


def test_a_preset_is_kept_obeyed_and_undone(as_alice, shop):
    before = ids(as_alice)
    for name in ("discovery", "niche", "chronological"):
        assert as_alice.patch(ME, {"preset": name}, format="json").json()["preset"] == name
        assert ids(as_alice) != before
        assert answer(as_alice)["tuning"]["preset"] == name
        assert ids(as_alice) == ids(as_alice, preset=name)
    as_alice.patch(ME, {"preset": "balanced"}, format="json")
    assert ids(as_alice) == before
    assert answer(as_alice)["steering"] is None


def test_nobody_else_is_touched(as_alice, as_bob, shop):
    before = ids(as_bob)
    as_alice.patch(ME, {"preset": "niche"}, format="json")
    assert ids(as_bob) == before


def test_each_preset_moves_what_it_is_there_for(as_alice, shop):
    assert unlike(as_alice, preset="discovery", limit=30) > unlike(as_alice, limit=30)
    assert fame(as_alice, shop, preset="niche") < fame(as_alice, shop)
    assert age(as_alice, shop, preset="chronological") < age(as_alice, shop)


def test_a_chronological_list_is_the_newest_that_one_has_not_seen_or_muted(as_alice, alice, shop):
    steer.steer(alice.pk, action="mute", kind="category", target="boots")
    steer.steer(alice.pk, action="less", kind="category", target="tent")
    expected = [item for n, item in enumerate(shop) if n not in (0, 3) and n % 3 != 1][:10]
    found = answer(as_alice, preset="chronological")
    assert [row["item"]["id"] for row in found["results"]] == [str(i.uuid) for i in expected]
    assert found["diversity"]["budget"] == 0
    assert found["diversity"]["explored"] == []


def test_by_date_nothing_goes_by_who_asks(as_alice, as_bob, alice, bob, shop, settings):
    settings.EXPLORATION_SHARE = 0.5
    for n in (0, 3):
        give(bob, shop[n], "dislike")
    steer.tune(bob.pk, "chronological")
    assert ids(as_alice, preset="chronological") == ids(as_bob)


def test_guests_and_visitors_have_presets_too(as_alice, shop):
    guest = guests.make_guest()
    client = client_of(guest)
    client.patch(ME, {"preset": "chronological"}, format="json")
    newest = [str(item.uuid) for item in shop[:10]]
    assert ids(client) == newest
    visitor = recommend(None, limit=10, preset="chronological")
    assert [str(row.facts.uuid) for row in visitor.results] == newest


def test_whoever_moves_one_thing_of_a_list_by_date_has_one_by_taste(as_alice, alice, shop):
    steer.tune(alice.pk, "chronological")
    as_alice.patch(ME, {"recency": 0.2}, format="json")
    assert store.tuning_of(alice.pk) == Tuning(recency=0.2)


def test_a_null_diversity_is_that_of_the_site(as_alice, alice, shop):
    as_alice.patch(ME, {"diversity": 0.9}, format="json")
    assert as_alice.get(ME).json()["preset"] is None
    as_alice.patch(ME, {"diversity": None}, format="json")
    assert as_alice.get(ME).json()["preset"] == "balanced"


@pytest.mark.parametrize(
    "wrong",
    [
        {"novelty": 1.01},
        {"recency": -2},
        {"popularity": "nan"},
        {"novelty": "much"},
        {"preset": "Balanced"},
        {"preset": "chronological", "recency": 0.5},
        {"preset": "chronological", "diversity": 0.5},
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_kept(as_alice, shop, wrong):
    assert is_problem(as_alice.get(LISTS, wrong), 400)
    assert is_problem(as_alice.patch(ME, wrong, format="json"), 400)
    assert not Preference.objects.exists()
    assert not Served.objects.exists()


def test_a_place_that_goes_by_something_else_cannot_be_chronological(as_alice, alice, shop):
    Scenario.objects.create(slug="rising", kind="trending")
    rising = {"scenario": "rising", "limit": 5}
    assert is_problem(as_alice.get(LISTS, rising | {"preset": "chronological"}), 400)
    steer.tune(alice.pk, "chronological")
    assert answer(as_alice, **rising)["tuning"]["preset"] == "balanced"


@pytest.mark.parametrize("column", ["novelty", "recency", "popularity"])
def test_the_database_refuses_what_is_off_the_scale(alice, column):
    with pytest.raises(IntegrityError), transaction.atomic():
        Preference.objects.create(user=alice, **{column: 1.5})


@pytest.mark.parametrize("name", PRESETS)
def test_a_replay_makes_the_lists_of_a_request(as_alice, alice, shop, name, settings):
    embed_and_learn()  # of all that is known, as a replay does
    past = look_back(store.library(evaluate._space()), store.events())
    model = store.model_of_version(store.active_version().pk)
    preset = PRESETS[name]
    diversity = settings.DEFAULT_DIVERSITY if preset.diversity is None else preset.diversity
    limits = Limits(max_per_creator=settings.MAX_PER_CREATOR)
    rows = np.flatnonzero(past.events.people == alice.pk)
    rules = Rules(10, diversity, limits=limits, model=model)
    replayed = list_for(past, rows, rules, pool_size=settings.POOL_SIZE, tuning=preset)
    live = recommend(alice.pk, limit=10, preset=name)
    assert replayed.tolist() == [row.facts.id for row in live.results]
