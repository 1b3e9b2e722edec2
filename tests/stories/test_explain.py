"""Why an item was shown and why another was not, also after the state has moved on."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Item
from catalog.uuid7 import uuid7
from recommender import begin, explain, store
from recommender.models import Served, Wish
from recommender.ranking.explain import ALL_PARTS, CUT
from recommender.serializers import PARTS_IN_WORDS, STAGES, STAGES_IN_WORDS
from recommender.steer import steer, undo
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person, make_version

# Each request and each fact has a moment of its own.
pytestmark = pytest.mark.django_db(transaction=True)
LONG_AGO = datetime(1990, 1, 1, tzinfo=UTC)


@pytest.fixture
def shop() -> dict[str, Item]:
    items = {
        name: make_item(name, categories=["kitchen"], creator="Ann", published_at=LONG_AGO)
        for name in ["blue kettle", "red kettle", "green kettle", "steel kettle", "black kettle"]
    }
    items |= {
        name: make_item(name, categories=["outdoors"], published_at=LONG_AGO)
        for name in ["hiking boots", "winter boots", "rain boots"]
    }
    embed_and_learn()
    return items


def ask(client, **query) -> dict:
    return client.get("/api/v1/recommendations/", {"diversity": 0} | query).json()


def titles(answer: dict) -> list[str]:
    return [row["item"]["title"] for row in answer["results"]]


def why(client, answer: dict, item, how: str = "why"):
    uuid = getattr(item, "uuid", item)
    return client.get(f"/api/v1/recommendations/{answer['id']}/{how}/{uuid}/")


def stage(client, answer: dict, item) -> str:
    return why(client, answer, item, "why-not").json()["stage"]


def everything(client, answer: dict) -> list[dict]:
    """The explanation of each item of a list."""
    return [why(client, answer, row["item"]["id"]).json() for row in answer["results"]]


@pytest.fixture
def liked(as_alice, alice, shop) -> dict:
    """A list of Alice, who likes a kettle and wants boots."""
    give(alice, shop["blue kettle"])
    begin.say(alice.pk, "winter boots")
    return ask(as_alice)


def test_points_add_up_to_the_match_of_each_item(as_alice, liked):
    for row, told in zip(liked["results"], everything(as_alice, liked), strict=True):
        assert told["relevance"] == round(100 * row["relevance"])
        assert sum(part["points"] for part in told["points"]) == told["relevance"]
        assert told["place"] == row["rank"]
        assert told["reason"] == (row["reason"] and row["reason"]["text"])


def test_it_names_the_like_the_interest_and_the_sources_behind_an_item(as_alice, shop, liked):
    told = why(as_alice, liked, shop["red kettle"]).json()
    blue = {"id": str(shop["blue kettle"].uuid), "title": "blue kettle"}
    assert told["likes"] == [blue]
    assert told["interests"] == [{"percent": 100, "words": "Kitchen", "likes": [blue]}]
    assert {"interest", "new"} <= {found["source"] for found in told["sources"]}
    assert "interest" in {part["part"] for part in told["points"]}


def test_what_was_asked_for_in_words_has_points_of_its_own(as_alice, shop, liked):
    told = why(as_alice, liked, shop["winter boots"]).json()
    asked = [part for part in told["points"] if part["part"] == "asked"]
    assert asked[0]["points"] > 0
    assert asked[0]["text"] == "You asked for something like it"
    assert told["reason"] == "Because you asked for “winter boots”"
    assert "wish" in {found["source"] for found in told["sources"]}


def test_steering_has_points_of_its_own_for_what_it_speaks_of(as_alice, alice, shop):
    give(alice, shop["blue kettle"])
    steer(alice.pk, action="less", kind="category", target="kitchen")
    steer(alice.pk, action="more", kind="category", target="outdoors")
    answer = ask(as_alice)
    for told in everything(as_alice, answer):
        steered = sum(row["points"] for row in told["points"] if row["part"] == "steered")
        assert steered < 0 if "kettle" in told["item"]["title"] else steered > 0
        assert sum(row["points"] for row in told["points"]) == told["relevance"]


def test_it_is_told_in_chinese(as_alice, shop, liked):
    path = f"/api/v1/recommendations/{liked['id']}/why/{shop['red kettle'].uuid}/"
    told = as_alice.get(path, headers={"accept-language": "zh-hans"}).json()
    texts = [row["text"] for row in told["points"] + told["sources"]]
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in text) for text in texts)


def test_variety_moves_an_item_and_gives_no_points(as_alice, alice, shop):
    give(alice, shop["blue kettle"])
    varied = ask(as_alice, diversity=0.9, limit=4)
    [told] = [row for row in everything(as_alice, varied) if row["moved"]][:1]
    assert told["place"] < told["place_by_relevance"]
    assert str(told["place_by_relevance"]) in told["moved"]
    assert sum(part["points"] for part in told["points"]) == told["relevance"]


def test_the_answer_stays_when_feedback_models_wishes_and_items_have_moved_on(
    as_alice, alice, shop, liked
):
    before = everything(as_alice, liked)
    give(alice, shop["red kettle"], "dislike")
    give(alice, shop["rain boots"])
    version = make_version("another")
    store.activate_version(version)
    store.remove_wishes(alice.pk)
    services.remove_items([shop["steel kettle"].pk, shop["blue kettle"].pk])
    assert ask(as_alice)["results"] != liked["results"]
    assert everything(as_alice, liked) == before
    assert stage(as_alice, liked, shop["steel kettle"]) == "shown"
    assert stage(as_alice, liked, shop["blue kettle"]) == "seen"


def test_a_wish_that_was_forgotten_is_not_told(as_alice, shop, liked):
    Wish.objects.all().delete()
    told = why(as_alice, liked, shop["winter boots"]).json()
    assert told["reason"] is None
    assert sum(part["points"] for part in told["points"]) == told["relevance"]


def test_only_the_owner_and_operators_are_told(as_alice, as_bob, shop, liked):
    missing = {"id": str(uuid7())}
    operator = client_of(make_person("operator", is_staff=True, is_superuser=True))
    helper = client_of(make_person("helper", is_staff=True))  # without the right to see lists
    for how in ("why", "why-not"):
        told = why(as_alice, liked, shop["red kettle"], how)
        assert told.status_code == 200
        assert told["Cache-Control"] == "private, no-store"
        assert why(operator, liked, shop["red kettle"], how).json() == told.json()
        nothing = why(as_bob, missing, shop["red kettle"], how)
        assert nothing.status_code == 404
        for stranger in (as_bob, helper):
            refused = why(stranger, liked, shop["red kettle"], how)
            assert (refused.status_code, refused.json()) == (404, nothing.json())


def test_a_list_of_nobody_is_for_operators(client, as_alice, shop):
    client.get("/?diversity=0")
    served = Served.objects.get(user=None)
    answer = {"id": str(served.pk)}
    item = Item.objects.get(pk=served.item_ids[0])
    operator = client_of(make_person("operator", is_staff=True, is_superuser=True))
    assert why(operator, answer, item).status_code == 200
    assert why(as_alice, answer, item).status_code == 404
    assert why(client, answer, item).status_code == 401
    assert explain.why(served.pk, item.uuid, AnonymousUser()) is None


def test_what_is_not_in_the_list_or_not_at_all_has_no_why(as_alice, shop, liked):
    assert why(as_alice, liked, shop["blue kettle"]).status_code == 404
    assert why(as_alice, liked, uuid7()).status_code == 404
    assert why(as_alice, liked, uuid7(), "why-not").status_code == 404


def test_a_list_from_before_explanations_has_none(as_alice, shop, liked):
    Served.objects.update(explanation=None)
    assert why(as_alice, liked, shop["red kettle"]).status_code == 404
    assert why(as_alice, liked, shop["blue kettle"], "why-not").status_code == 404


# Why not: the stage at which an item fell.


def test_what_was_shown_is_said_to_be_so(as_alice, shop, liked):
    told = why(as_alice, liked, shop["red kettle"], "why-not").json()
    assert told["stage"] == "shown"
    assert told["place"] == titles(liked).index("red kettle") + 1


def test_what_was_judged_before_the_list_was_seen(as_alice, alice, shop, liked):
    row = give(alice, shop["rain boots"], "hide")
    after = ask(as_alice)
    services.retract_feedback(alice, row.uuid)
    assert stage(as_alice, liked, shop["rain boots"]) == "shown"
    assert stage(as_alice, after, shop["rain boots"]) == "seen"
    assert stage(as_alice, ask(as_alice), shop["rain boots"]) == "shown"


def test_what_was_removed_or_hidden_or_came_later(as_alice, shop):
    services.remove_items([shop["rain boots"].pk])
    Item.objects.filter(pk=shop["winter boots"].pk).update(is_available=False)
    answer = ask(as_alice)
    assert stage(as_alice, answer, shop["rain boots"]) == "removed"
    assert stage(as_alice, answer, shop["winter boots"]) == "unavailable"
    assert stage(as_alice, answer, make_item("new boots")) == "later"


def test_what_the_filter_kept_out(as_alice, shop):
    answer = ask(as_alice, filter='category = "kitchen"')
    assert stage(as_alice, answer, shop["rain boots"]) == "filter"


def test_what_was_muted(as_alice, alice, shop):
    mute = steer(alice.pk, action="mute", kind="category", target="outdoors")
    answer = ask(as_alice)
    undo(alice.pk, mute.id)
    told = why(as_alice, answer, shop["rain boots"], "why-not").json()
    assert told["stage"] == "muted"
    assert stage(as_alice, ask(as_alice), shop["rain boots"]) == "shown"


def test_what_no_source_found(as_alice, alice, shop, settings):
    settings.POOL_SIZE = 10
    for n in range(10):
        make_item(f"new boots {n}")  # a stranger is found what is new
    answer = ask(as_alice, limit=1)
    told = why(as_alice, answer, shop["blue kettle"], "why-not").json()
    assert (told["stage"], told["place_by_relevance"], told["pool_size"]) == ("not_found", None, 10)
    assert told["text"] == "It was not among the 10 candidates that were found for this list."
    give(alice, shop["blue kettle"])  # which was after the list
    assert stage(as_alice, answer, shop["blue kettle"]) == "not_found"


def test_what_stood_behind_the_list_has_its_place_by_relevance(as_alice, alice, shop):
    give(alice, shop["blue kettle"])
    longer, answer = ask(as_alice, limit=7), ask(as_alice, limit=2)
    ahead = titles(longer)
    told = why(as_alice, answer, shop[ahead[2]], "why-not").json()
    assert (told["stage"], told["place_by_relevance"]) == ("relevance", 3)
    assert told["relevance"] == round(100 * longer["results"][2]["relevance"])
    assert told["text"].startswith("It was found, but by relevance it stood at 3 of 7;")


def test_what_gave_way_to_variety(as_alice, alice, shop):
    give(alice, shop["blue kettle"])
    plain, varied = ask(as_alice, limit=2), ask(as_alice, limit=2, diversity=0.9)
    [gone] = set(titles(plain)) - set(titles(varied))
    assert stage(as_alice, varied, shop[gone]) == "diversity"


def test_what_a_ceiling_kept_out(as_alice, alice, shop, settings):
    settings.MAX_PER_CREATOR = 2
    give(alice, shop["blue kettle"])
    answer = ask(as_alice, limit=4)
    kettles = [title for title in titles(answer) if "kettle" in title]
    out = {"red kettle", "green kettle", "steel kettle", "black kettle"} - set(kettles)
    assert (len(kettles), len(out)) == (2, 2)
    assert {stage(as_alice, answer, shop[title]) for title in out} == {"max_per_creator"}


def test_what_lost_its_place_to_something_hardly_known(as_alice, alice, shop, settings):
    settings.EXPLORATION_SHARE = 0.5
    give(alice, shop["blue kettle"])
    answer = ask(as_alice, limit=5)
    [place, *_] = answer["diversity"]["explored"]
    explored = answer["results"][place - 1]
    told = why(as_alice, answer, explored["item"]["id"]).json()
    assert told["moved"].endswith(f"place {place} was given to it to find out who likes it.")
    gone = [item for item in shop.values() if stage(as_alice, answer, item) == "exploration"]
    assert len(gone) == len(answer["diversity"]["explored"])


def test_each_stage_and_each_part_has_words():
    assert set(STAGES) == set(STAGES_IN_WORDS)
    assert {*ALL_PARTS, CUT} == set(PARTS_IN_WORDS)


def test_an_explanation_is_of_a_few_statements_and_a_few_kilobytes(as_alice, liked, shop):
    # token; list, item; facts, wish
    for how, most in (("why", 5), ("why-not", 4)):
        with CaptureQueriesContext(connection) as queries:
            why(as_alice, liked, shop["winter boots"], how)
        assert len(queries) <= most
    assert len(Served.objects.get(pk=UUID(liked["id"])).explanation) < 1_000
