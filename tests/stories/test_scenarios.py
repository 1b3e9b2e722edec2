"""A place with rules of its own: each rule shows in the very next list made there."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from catalog.models import Item
from recommender.models import Popularity, Scenario, ScenarioPin, Served
from recommender.recommend import recommend
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/recommendations/"
NOW = datetime.now(UTC)


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


@pytest.fixture
def shop() -> dict[str, Item]:
    """Twelve kettles and twelve boots: number n is n days old and costs n."""
    items = {
        f"{what} {n}": make_item(
            f"{what} {n}",
            price=n,
            categories=[what],
            creator=f"{what} maker {n}",
            published_at=days_ago(n),
        )
        for what in ("kettle", "boots")
        for n in range(12)
    }
    embed_and_learn()
    return items


def make_scenario(slug: str = "home", **fields) -> Scenario:
    return Scenario.objects.create(slug=slug, **fields)


def ask(client, scenario: str = "home", **query) -> dict:
    query = {"limit": 10, "diversity": 0, "scenario": scenario} | query
    response = client.get(LISTS, query)
    assert response.status_code == 200, response.content
    return response.json()


def titles(client, scenario: str = "home", **query) -> list[str]:
    return [row["item"]["title"] for row in ask(client, scenario, **query)["results"]]


def put_popularity(item: Item, *, score: float, trend: float) -> None:
    Popularity.objects.update_or_create(item=item, defaults={"score": score, "trend": trend})


def test_a_scenario_has_an_order_of_its_own_for_each_session(as_alice, shop):
    make_scenario("home", rotation=0.5, exploration=0)
    orders = {tuple(titles(as_alice, seed=seed)) for seed in range(5)}
    assert len(orders) > 1
    Scenario.objects.update(rotation=0)
    assert len({tuple(titles(as_alice, seed=seed)) for seed in range(5)}) == 1


# --- which there are ----------------------------------------------------------------------------


def test_a_site_without_scenarios_has_a_home(as_alice, shop):
    [home] = as_alice.get("/api/v1/scenarios/").json()["results"]
    assert home == {"slug": "home", "name": "For you", "kind": "personal", "needs": None}
    assert ask(as_alice)["scenario"] == home
    assert titles(as_alice) == [
        row["item"]["title"]
        for row in as_alice.get(LISTS, {"limit": 10, "diversity": 0}).json()["results"]
    ]


def test_those_that_are_active_are_listed_in_their_order_by_their_name(as_alice, shop):
    make_scenario("late", position=2, kind="fresh", names={"en": "Fresh", "zh": "新鲜"})
    make_scenario("home", position=1)
    make_scenario("off", position=0, is_active=False)
    in_chinese = as_alice.get("/api/v1/scenarios/", headers={"accept-language": "zh-hans"})
    assert [(row["slug"], row["name"]) for row in in_chinese.json()["results"]] == [
        ("home", "为您推荐"),
        ("late", "新鲜"),
    ]


@pytest.mark.parametrize("slug", ["nowhere", "off", "h\u00f6me", "'; --", "%s"])
def test_one_that_is_not_there_is_refused_and_those_that_are_named(as_alice, shop, slug):
    make_scenario("late", kind="fresh")
    make_scenario("off", is_active=False)
    response = as_alice.get(LISTS, {"scenario": slug})
    assert is_problem(response, 400)
    [error] = response.json()["errors"]
    assert (error["field"], error["code"]) == ("scenario", "unknown_scenario")
    assert error["detail"].endswith("there are: home, late.")
    assert not Served.objects.exists()


@pytest.mark.parametrize(
    ("scenario", "query", "field", "code"),
    [
        ("aisle", {}, "category", "required"),
        ("aisle", {"category": "nothing"}, "category", "unknown_category"),
        ("like", {}, "item", "required"),
        ("like", {"item": "0198f5a0-0000-7000-8000-000000000000"}, "item", "unknown_item"),
        ("like", {"item": "1"}, "item", "invalid"),
        ("because", {"item": "0198f5a0-0000-7000-8000-000000000000"}, "item", "not_liked"),
        ("home", {"category": "boots"}, "category", "not_taken"),
        ("home", {"item": "0198f5a0-0000-7000-8000-000000000000"}, "item", "not_taken"),
    ],
)
def test_what_does_not_go_together_is_refused(as_alice, alice, shop, scenario, query, field, code):
    make_scenario("aisle", kind="category")
    make_scenario("like", kind="similar")
    make_scenario("because", kind="because")
    give(alice, shop["boots 1"])
    response = as_alice.get(LISTS, {"scenario": scenario} | query)
    assert is_problem(response, 400)
    assert [(e["field"], e["code"]) for e in response.json()["errors"]] == [(field, code)]
    assert not Served.objects.exists()


@pytest.mark.parametrize("kind", Scenario.Kind.values)
def test_each_kind_takes_six_statements(as_alice, alice, shop, kind):
    give(alice, shop["boots 1"])
    scenario = make_scenario("place", kind=kind, filter="price < 11", half_life_days=3)
    scenario.boosts = [{"if": "price < 5", "strength": 0.5}]
    scenario.save()
    ScenarioPin.objects.create(scenario=scenario, item=shop["boots 5"], place=2)
    query = {"scenario": "place"}
    query |= {"category": "boots"} if kind == "category" else {}
    query |= {"item": str(shop["boots 3"].uuid)} if kind == "similar" else {}
    # 1 token and person, 2 person side and scenario, 3 items touched and the one it is about,
    # 4 candidates, 5 facts to show, 6 the list that is kept
    with CaptureQueriesContext(connection) as queries:
        assert len(as_alice.get(LISTS, query).json()["results"]) >= 5
    sent = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
    assert len(sent) == 6


# --- what a list is about -----------------------------------------------------------------------


def test_a_fresh_list_has_the_newest_first(as_alice, shop):
    make_scenario("fresh", kind="fresh", half_life_days=1)
    newest = titles(as_alice, "fresh", limit=6)
    assert {title.split()[1] for title in newest} == {"0", "1", "2"}


def test_a_trending_list_has_first_what_more_and_more_like(as_alice, alice, shop):
    make_scenario("trending", kind="trending")
    give(alice, shop["kettle 1"])
    for n in (3, 4, 5):
        put_popularity(shop[f"boots {n}"], score=0.1, trend=n / 5)
    put_popularity(shop["kettle 2"], score=1.0, trend=0.0)
    assert titles(as_alice, "trending")[:3] == ["boots 5", "boots 4", "boots 3"]
    assert len(titles(as_alice, "trending", limit=20)) == 20  # and others fill the list


def test_a_list_of_a_category_has_nothing_else(as_alice, shop):
    make_scenario("aisle", kind="category")
    assert sorted(titles(as_alice, "aisle", category="boots", limit=100)) == sorted(
        f"boots {n}" for n in range(12)
    )


def test_a_list_like_an_item_is_about_it_and_leaves_it_out(as_alice, shop):
    make_scenario("like", kind="similar")
    kettle = shop["kettle 3"]
    answer = ask(as_alice, "like", item=kettle.uuid)
    shown = [row["item"]["title"] for row in answer["results"]]
    assert all(title.startswith("kettle") for title in shown[:8])
    assert "kettle 3" not in shown
    assert answer["about"] == {"id": str(kettle.uuid), "title": "kettle 3"}


def test_because_you_liked_speaks_of_the_newest_like_or_of_one_that_is_named(as_alice, alice, shop):
    make_scenario("because", kind="because")
    import_feedback(alice, shop["kettle 1"], days_ago=9)
    import_feedback(alice, shop["boots 1"], days_ago=1)
    newest = ask(as_alice, "because")
    assert newest["about"]["title"] == "boots 1"
    assert all(row["item"]["title"].startswith("boots") for row in newest["results"][:8])
    named = ask(as_alice, "because", item=shop["kettle 1"].uuid)
    assert named["about"]["title"] == "kettle 1"
    assert all(row["item"]["title"].startswith("kettle") for row in named["results"][:8])


def test_because_you_liked_is_empty_for_who_liked_nothing(as_alice, shop):
    make_scenario("because", kind="because")
    answer = ask(as_alice, "because")
    assert answer["results"] == []
    assert answer["about"] is None


# --- rules --------------------------------------------------------------------------------------


def test_a_filter_of_the_scenario_and_one_of_the_request_hold_together(as_alice, shop):
    make_scenario(filter="price < 4")
    assert len(titles(as_alice, limit=100)) == 8
    assert sorted(titles(as_alice, filter='category = "boots" and price > 1')) == [
        "boots 2",
        "boots 3",
    ]


def test_of_a_filter_that_speaks_of_what_is_gone_nothing_passes(as_alice, shop):
    make_scenario(filter="attr:gone = 1")
    assert titles(as_alice) == []


def test_a_boost_lifts_what_it_is_true_of_and_an_opposite_one_lowers_it(as_alice, shop):
    home = make_scenario(boosts=[{"if": 'category = "boots"', "strength": 0.8}])
    assert all(title.startswith("boots") for title in titles(as_alice))
    home.boosts = [{"if": 'category = "boots"', "strength": -0.8}]
    home.save()
    assert all(title.startswith("kettle") for title in titles(as_alice))
    assert len(titles(as_alice, limit=100)) == 24  # it reorders, and leaves nothing out


def test_half_lives_put_old_items_behind(as_alice, alice, shop):
    give(alice, shop["kettle 11"])
    make_scenario(half_life_days=1)
    places = {title: place for place, title in enumerate(titles(as_alice, limit=100))}
    assert places["kettle 0"] < places["kettle 4"] < places["kettle 9"]


def test_what_a_scenario_did_is_told_in_points(as_alice, shop):
    make_scenario(half_life_days=1, boosts=[{"if": 'category = "boots"', "strength": 0.8}])
    answer = ask(as_alice)
    row = next(row for row in answer["results"] if row["item"]["title"] == "boots 5")
    why = as_alice.get(f"{LISTS}{answer['id']}/why/{row['item']['id']}/").json()
    points = {point["part"]: point["points"] for point in why["points"]}
    assert points["boosted"] > 0 > points["fresh"]
    assert sum(points.values()) == why["relevance"]


def test_the_request_goes_before_the_person_the_scenario_and_the_site(as_alice, shop, settings):
    settings.DEFAULT_DIVERSITY = 0.1
    assert recommend(None).diversity == 0.1
    make_scenario(diversity=0.2, strategy="dpp", max_per_category=5, max_per_creator=7)
    by_scenario = recommend(None)
    assert (by_scenario.diversity, by_scenario.strategy) == (0.2, "dpp")
    as_alice.patch("/api/v1/me/", {"diversity": 0.6}, format="json")
    as_alice.get(LISTS)
    kept = Served.objects.latest("served_at")
    assert kept.settings["diversity"] == 0.6
    assert (kept.settings["max_per_category"], kept.settings["max_per_creator"]) == (5, 7)
    as_alice.get(LISTS, {"diversity": 0.9, "max_per_category": 9, "strategy": "mmr"})
    kept = Served.objects.latest("served_at")
    assert (kept.settings["diversity"], kept.settings["strategy"]) == (0.9, "mmr")
    assert (kept.settings["max_per_category"], kept.settings["max_per_creator"]) == (9, 7)


def test_what_was_seen_never_comes_again_or_after_so_many_days(as_alice, alice, shop):
    import_feedback(alice, shop["boots 1"], kind="view", days_ago=40)
    import_feedback(alice, shop["boots 2"], kind="view", days_ago=5)
    import_feedback(alice, shop["boots 3"], kind="dislike", days_ago=40)
    import_feedback(alice, shop["boots 4"], kind="rating", value=1, days_ago=40)
    seen = {f"boots {n}" for n in (1, 2, 3, 4)}
    assert seen.isdisjoint(titles(as_alice, limit=100))
    make_scenario(again_after_days=30)
    answer = ask(as_alice, limit=100)
    assert seen.intersection(r["item"]["title"] for r in answer["results"]) == {"boots 1"}
    why_not = as_alice.get(f"{LISTS}{answer['id']}/why-not/{shop['boots 2'].uuid}/").json()
    assert why_not["stage"] == "seen"


# --- pins ---------------------------------------------------------------------------------------


def pin(scenario: Scenario, item: Item, place: int, **fields) -> ScenarioPin:
    return ScenarioPin.objects.create(scenario=scenario, item=item, place=place, **fields)


def test_a_pin_stands_at_its_place_and_is_told_as_what_it_is(as_alice, alice, shop):
    give(alice, shop["boots 1"])
    home = make_scenario(diversity=0)
    before = titles(as_alice)
    pin(home, shop["kettle 11"], 3)
    answer = ask(as_alice)
    after = [row["item"]["title"] for row in answer["results"]]
    assert after == [*before[:2], "kettle 11", *before[2:9]]
    assert answer["results"][2]["reason"] == {
        "kind": "promoted",
        "text": "Promotion",
        "item": None,
    }
    assert Served.objects.get(pk=answer["id"]).propensity == [1.0] * 10
    why = as_alice.get(f"{LISTS}{answer['id']}/why/{shop['kettle 11'].uuid}/").json()
    assert "place 3 was given to it" in why["moved"]
    assert "pinned" in [source["source"] for source in why["sources"]]
    dropped = shop[before[9]]
    why_not = as_alice.get(f"{LISTS}{answer['id']}/why-not/{dropped.uuid}/").json()
    assert why_not["stage"] == "pinned"


def test_a_limit_that_a_pin_breaks_is_named_with_its_reason(as_alice, shop):
    home = make_scenario(max_per_category=1)
    assert ask(as_alice, limit=2)["diversity"]["unmet"] == []
    pin(home, shop["kettle 1"], 1)
    pin(home, shop["kettle 2"], 2)
    broken = ask(as_alice, limit=2)
    assert [row["item"]["title"] for row in broken["results"]] == ["kettle 1", "kettle 2"]
    assert broken["diversity"]["unmet"] == [
        {
            "limit": "max_per_category",
            "asked": 1.0,
            "got": 2.0,
            "reason": "not together with what is pinned",
        }
    ]
    assert broken["diversity"]["binding"] == ["max_per_category"]


@pytest.mark.parametrize(
    ("starts", "ends", "is_there"),
    [(None, None, True), (1, -1, True), (-1, None, False), (None, 1, False), (None, -1, True)],
)
def test_a_pin_stands_between_its_dates_alone(as_alice, shop, starts, ends, is_there):
    pin(
        make_scenario(),
        shop["kettle 11"],
        1,
        starts_at=starts and days_ago(starts),
        ends_at=ends and days_ago(ends),
    )
    assert (titles(as_alice)[0] == "kettle 11") == is_there


@pytest.mark.parametrize("why", ["unavailable", "removed", "seen", "muted", "filtered"])
def test_what_may_not_be_shown_is_not_pinned(as_alice, alice, shop, why):
    item, home = shop["kettle 11"], make_scenario()
    pin(home, item, 1)
    assert titles(as_alice)[0] == "kettle 11"
    if why == "unavailable":
        Item.objects.filter(pk=item.pk).update(is_available=False)
    elif why == "removed":
        Item.objects.filter(pk=item.pk).update(removed_at=NOW)
    elif why == "seen":
        give(alice, item)
    elif why == "muted":
        steer = {"action": "mute", "kind": "category", "target": "kettle"}
        assert as_alice.post("/api/v1/me/steering/", steer, format="json").status_code == 201
    else:
        Scenario.objects.update(filter="price < 11")
    assert "kettle 11" not in titles(as_alice, limit=100)


# --- control, in each scenario ------------------------------------------------------------------


@pytest.mark.parametrize("kind", Scenario.Kind.values)
def test_a_less_moves_the_next_list_of_each_kind_and_undo_brings_it_back(
    as_alice, alice, shop, kind
):
    give(alice, shop["boots 1"])
    for n in range(12):
        put_popularity(shop[f"boots {n}"], score=n / 12, trend=n / 12)
        put_popularity(shop[f"kettle {n}"], score=n / 13, trend=n / 13)
    make_scenario("place", kind=kind)
    query = {"limit": 8, "diversity": 0}
    query |= {"category": "boots"} if kind == "category" else {}
    query |= {"item": str(shop["boots 3"].uuid)} if kind == "similar" else {}
    before = titles(as_alice, "place", **query)
    target = shop[before[0]].creators.get()
    said = {"action": "less", "kind": "creator", "target": str(target.uuid)}
    steering = as_alice.post("/api/v1/me/steering/", said, format="json").json()
    answer = ask(as_alice, "place", **query)
    after = [row["item"]["title"] for row in answer["results"]]
    assert after != before
    assert len(after) == len(before)
    assert answer["steering"]["changed"] > 0
    other = client_of(make_person("carol"))
    assert titles(other, "place", **query) if kind != "because" else True
    as_alice.delete(f"/api/v1/me/steering/{steering['id']}/")
    assert titles(as_alice, "place", **query) == before


def test_nobody_who_is_known_gets_each_list_that_needs_nobody(shop):
    for kind in ("personal", "fresh", "trending", "popular"):
        make_scenario(f"{kind}-place", kind=kind)
        assert len(recommend(None, scenario=f"{kind}-place", limit=10).results) == 10


def test_a_list_that_is_not_kept_leaves_no_trace(alice, shop):
    made = recommend(alice.pk, keep=False)
    assert len(made.results) == 20
    assert not Served.objects.exists()


def test_lists_are_for_members(shop):
    assert APIClient().get("/api/v1/scenarios/").status_code == 401
