"""More, less and none of a category, creator or topic: the next list obeys, says what changed, and
undo takes it back. No worker runs here."""

from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog import services
from catalog.models import Creator, Item
from recommender import steer
from recommender.models import ItemTopic, Steering, Topic
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person

pytestmark = pytest.mark.django_db
STEERING = "/api/v1/me/steering/"
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop(alice) -> dict[str, Item]:
    """Twenty kettles and twenty boots; Alice likes a kettle and a pair of boots."""
    items = {}
    for n in range(20):
        for thing, category in (("kettle", "kitchen"), ("boots", "outdoors")):
            items[f"{thing} {n}"] = make_item(
                f"{thing} {n}", categories=[category], creator=f"{thing} maker {n % 7}"
            )
    embed_and_learn()
    give(alice, items["kettle 0"])
    give(alice, items["boots 0"])
    return items


def say(client, action: str, target: str, kind: str = "category"):
    return client.post(STEERING, {"action": action, "kind": kind, "target": target}, format="json")


def answer(client, **query) -> dict:
    return client.get(LISTS, {"limit": 10} | query).json()


def titles(client, **query) -> list[str]:
    return [row["item"]["title"] for row in answer(client, **query)["results"]]


def kettles(client, **query) -> int:
    return sum("kettle" in title for title in titles(client, **query))


def test_less_of_a_category_moves_the_next_list_and_undo_gives_the_former_one(as_alice, shop):
    before = titles(as_alice)
    made = say(as_alice, "less", "kitchen")
    assert made.status_code == 201
    assert kettles(as_alice) < sum("kettle" in title for title in before)
    assert as_alice.delete(f"{STEERING}{made.json()['id']}/").status_code == 204
    assert titles(as_alice) == before
    assert answer(as_alice)["steering"] is None


def test_more_of_a_category_moves_the_next_list(as_alice, shop):
    before = kettles(as_alice)
    say(as_alice, "more", "kitchen")
    assert kettles(as_alice) > before


def test_somebody_of_whom_nothing_is_known_is_obeyed_too(as_bob, shop):
    before = kettles(as_bob)
    say(as_bob, "more", "kitchen")
    assert kettles(as_bob) > before


def test_it_is_kept_and_listed(as_alice, alice, shop):
    say(as_alice, "less", "kitchen")
    say(as_alice, "mute", "boots maker 1", "creator")
    moved = titles(as_alice)
    again = client_of(alice)
    assert titles(again) == moved
    assert [
        (row["action"], row["kind"], row["name"]) for row in again.get(STEERING).json()["results"]
    ] == [("less", "category", "Kitchen"), ("mute", "creator", "boots maker 1")]


def test_nobody_else_is_touched(as_alice, as_bob, shop):
    before = titles(as_bob)
    made = say(as_alice, "mute", "kitchen").json()
    assert titles(as_bob) == before
    assert as_bob.get(STEERING).json()["results"] == []
    assert is_problem(as_bob.delete(f"{STEERING}{made['id']}/"), 404)
    assert Steering.objects.count() == 1


def test_the_answer_says_which_items_moved_and_why(as_alice, shop):
    before = titles(as_alice)
    made = say(as_alice, "less", "kitchen").json()
    after = answer(as_alice)
    now = [row["item"]["title"] for row in after["results"]]
    title_of = {str(item.uuid): title for title, item in shop.items()}
    told = {title_of[row["item"]]: (row["from"], row["to"]) for row in after["steering"]["moved"]}
    there = set(before) | set(now)
    expected = {
        title: (
            before.index(title) + 1 if title in before else None,
            now.index(title) + 1 if title in now else None,
        )
        for title in there
    }
    assert told == {title: places for title, places in expected.items() if len(set(places)) == 2}
    changed = sum(a != b for a, b in zip(before, now, strict=True))
    assert after["steering"]["changed"] == changed > 0
    for row in after["steering"]["moved"]:
        assert row["by"] == ([made["id"]] if "kettle" in title_of[row["item"]] else [])


def test_less_of_all_there_is_empties_nothing_and_keeps_the_order(as_alice, shop):
    before = titles(as_alice, diversity=0)
    for category in ("kitchen", "outdoors"):
        say(as_alice, "less", category)
    assert titles(as_alice, diversity=0) == before
    assert sorted(titles(as_alice, limit=100)) == sorted(set(shop) - {"kettle 0", "boots 0"})


@pytest.mark.parametrize("query", [{}, {"filter": 'category in ("kitchen", "outdoors")'}])
def test_mute_excludes_whatever_the_list_asks_for(as_alice, shop, query):
    say(as_alice, "mute", "kitchen")
    left = {f"boots {n}" for n in range(1, 20)}
    assert set(titles(as_alice, limit=100, **query)) == left
    assert answer(as_alice)["steering"] == {"changed": 0, "moved": [], "muted": 1}


def test_mute_of_all_there_is_leaves_nothing(as_alice, shop):
    say(as_alice, "mute", "kitchen")
    say(as_alice, "mute", "outdoors")
    assert titles(as_alice) == []


def test_any_creator_of_an_item_counts_and_not_the_first_alone(as_alice, shop):
    second = Creator.objects.create(name="Second")
    item = shop["kettle 3"]
    services.save_item(
        item, categories=item.categories.all(), creators=[*item.creators.all(), second]
    )
    made = say(as_alice, "less", "Second", "creator").json()
    moved = {row["item"]: row["by"] for row in answer(as_alice, limit=38)["steering"]["moved"]}
    assert moved[str(item.uuid)] == [made["id"]]
    say(as_alice, "mute", "Second", "creator")
    assert set(titles(as_alice, limit=100)) == set(shop) - {"kettle 0", "boots 0", "kettle 3"}


def test_a_topic_is_steered_by_its_slug(as_alice, shop):
    steam = Topic.objects.create(slug="steam", name="steam")
    for n in range(5, 10):
        ItemTopic.objects.create(item=shop[f"kettle {n}"], topic=steam)
    steamy = {f"kettle {n}" for n in range(5, 10)}
    before = len(steamy & set(titles(as_alice)))
    say(as_alice, "more", "steam", "topic")
    assert len(steamy & set(titles(as_alice))) > before
    say(as_alice, "mute", "steam", "topic")
    assert not steamy & set(titles(as_alice, limit=100))
    # What an editor took from an item speaks of it no longer.
    ItemTopic.objects.filter(item=shop["kettle 5"]).update(is_removed=True)
    assert "kettle 5" in titles(as_alice, limit=100)


def test_saying_it_anew_replaces_what_was_said_of_the_same(as_alice, shop):
    first = say(as_alice, "less", "kitchen").json()
    assert say(as_alice, "less", "kitchen").json() == first
    assert say(as_alice, "more", "kitchen").json()["id"] == first["id"]
    [row] = as_alice.get(STEERING).json()["results"]
    assert row["action"] == "more"


def test_similar_items_and_search_are_not_steered(as_alice, shop):
    say(as_alice, "mute", "kitchen")
    near = as_alice.get(f"/api/v1/items/{shop['kettle 1'].uuid}/similar/").json()["results"]
    assert near[0]["item"]["title"].startswith("kettle")
    assert as_alice.get("/api/v1/search/", {"q": "kettle"}).json()["results"]


def test_steering_costs_no_statement(as_alice, shop):
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    for target in (None, "kitchen", "outdoors"):
        if target:
            say(as_alice, "less", target)
            say(as_alice, "mute", "boots maker 1", "creator")
        with CaptureQueriesContext(connection) as queries:
            answer(as_alice)
        sent = [q["sql"] for q in queries if not q["sql"].startswith(("SAVEPOINT", "RELEASE"))]
        assert len(sent) == 6


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, "required"),
        ({"action": "less", "kind": "category"}, "target"),
        ({"action": "hide", "kind": "category", "target": "kitchen"}, "hide"),
        ({"action": "less", "kind": "item", "target": "kitchen"}, "item"),
        ({"action": "less", "kind": "category", "target": "kitchen", "user": 1}, "user"),
        ({"action": "less", "kind": "category", "target": ["kitchen"]}, "target"),
        ({"action": "less", "kind": "category", "target": {"$ne": 1}}, "target"),
        ({"action": ["less"], "kind": "category", "target": "kitchen"}, "action"),
        ({"action": "less", "kind": "category", "target": "kitchenette"}, "kitchen, outdoors"),
        ({"action": "less", "kind": "category", "target": "' OR 1=1; --"}, "kitchen, outdoors"),
        ({"action": "less", "kind": "category", "target": "%s %(said)s"}, "kitchen, outdoors"),
        ({"action": "less", "kind": "category", "target": "kit\x00chen"}, "NUL"),
        ({"action": "less", "kind": "category", "target": "x" * 201}, "200"),
        ({"action": "less", "kind": "creator", "target": "Nobody"}, "name of a creator"),
        ({"action": "less", "kind": "creator", "target": str(uuid4())}, "name of a creator"),
        ({"action": "less", "kind": "topic", "target": "nothing"}, "slug of a topic"),
        ([], "dictionary"),
    ],
)
def test_what_cannot_be_steered_by_is_400_and_says_what_can(as_alice, shop, body, told):
    response = as_alice.post(STEERING, body, format="json")
    assert is_problem(response, 400)
    assert told in response.json()["detail"]
    assert not Steering.objects.exists()


def test_what_no_shown_item_has_is_as_if_it_were_not_there(as_alice, shop):
    make_item("secret", categories=["hidden"], creator="Hidden", is_available=False)
    hidden = Topic.objects.create(slug="hush", name="hush", is_hidden=True)
    ItemTopic.objects.create(item=shop["kettle 1"], topic=hidden)
    for kind, target in (("category", "hidden"), ("creator", "Hidden"), ("topic", "hush")):
        assert is_problem(say(as_alice, "mute", target, kind), 400)
    assert not Steering.objects.exists()


def test_a_refusal_names_no_category_that_is_not_shown(as_alice, shop):
    make_item("secret", categories=["hidden"], is_available=False)
    detail = say(as_alice, "less", "kitchenette").json()["detail"]
    assert detail.endswith("category: kitchen, outdoors.")


def test_of_creators_of_one_name_the_id_says_which(as_alice, shop):
    other = Creator.objects.create(name="boots maker 1")
    services.save_item(shop["kettle 1"], categories=[], creators=[other])
    refused = say(as_alice, "mute", "boots maker 1", "creator")
    assert is_problem(refused, 400)
    assert str(other.uuid) in refused.json()["detail"]
    assert say(as_alice, "mute", str(other.uuid), "creator").json()["name"] == "boots maker 1"
    shown = titles(as_alice, limit=100)
    assert "kettle 1" not in shown
    assert "boots 1" in shown


def test_more_than_are_kept_are_refused(as_alice, shop, monkeypatch):
    monkeypatch.setattr(steer, "MOST", 2)
    say(as_alice, "less", "kitchen")
    say(as_alice, "less", "outdoors")
    assert is_problem(say(as_alice, "less", "boots maker 1", "creator"), 400)
    assert Steering.objects.count() == 2
    assert say(as_alice, "more", "outdoors").status_code == 201


def test_what_left_the_catalogue_is_listed_without_a_name_and_undone(as_alice, shop):
    steam = Topic.objects.create(slug="steam", name="steam")
    ItemTopic.objects.create(item=shop["kettle 1"], topic=steam)
    made = say(as_alice, "mute", "steam", "topic").json()
    steam.delete()
    [row] = as_alice.get(STEERING).json()["results"]
    assert (row["target"], row["name"]) == (None, None)
    assert "kettle 1" in titles(as_alice, limit=100)
    assert as_alice.delete(f"{STEERING}{made['id']}/").status_code == 204


def test_without_consent_nothing_is_kept_and_afterwards_only_mutes_hold(as_alice, shop):
    carol = client_of(make_person("carol", agrees=False))
    assert is_problem(say(carol, "less", "kitchen"), 403)
    assert not Steering.objects.exists()
    say(as_alice, "less", "kitchen")
    say(as_alice, "mute", "boots maker 1", "creator")
    as_alice.patch("/api/v1/me/", {"consent": False}, format="json")
    body = answer(as_alice, limit=100)
    assert body["steering"] == {"changed": 0, "moved": [], "muted": 1}
    assert "boots 1" not in [row["item"]["title"] for row in body["results"]]


def test_a_guest_has_nothing_to_steer_and_is_told_so(client, shop):
    assert is_problem(client.get(STEERING), 401)
    body = {"action": "less", "kind": "category", "target": "kitchen"}
    assert is_problem(client.post(STEERING, body, content_type="application/json"), 401)
    assert not Steering.objects.exists()


def test_what_is_undone_twice_is_not_there(as_alice, shop):
    made = say(as_alice, "less", "kitchen").json()
    as_alice.delete(f"{STEERING}{made['id']}/")
    assert is_problem(as_alice.delete(f"{STEERING}{made['id']}/"), 404)
