"""A control that provably does something: in every scenario of every preset, for a member and for a
guest, what a person says moves the next list, is kept, is undone, touches nobody else, is
explained and empties nothing. No worker runs here."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from catalog.models import Item, User
from recommender.models import Popularity, Scenario
from tests.conftest import client_of
from tests.factories import embed_and_learn, make_item, make_person

pytestmark = pytest.mark.django_db
MORE_FIELDS = ("shop", "social", "travel")
LISTS, STEERING, ME = "/api/v1/recommendations/", "/api/v1/me/steering/", "/api/v1/me/"
# Two that are far apart at each run, the others with all that takes long.
FIELDS = ("news", "video", *(pytest.param(n, marks=pytest.mark.slow) for n in MORE_FIELDS))
KINDS = ("kettle", "boots", "lamp")
EACH = 14  # items of a kind


@pytest.fixture
def things() -> list[Item]:
    """Three kinds of things with a maker for every two, some hours old, with their popularity."""
    found = [
        make_item(
            f"{kind} {n}",
            price=10 + n,
            categories=[kind],
            creator=f"{kind} maker {n // 2}",
            published_at=datetime.now(UTC) - timedelta(hours=3 + n),
        )
        for kind in KINDS
        for n in range(EACH)
    ]
    for n, item in enumerate(found):
        Popularity.objects.update_or_create(
            item=item, defaults={"score": (n % EACH + 1) / EACH, "trend": (n % 5) / 5}
        )
    embed_and_learn()
    return found


def member() -> APIClient:
    return client_of(make_person("carol"))


def guest() -> APIClient:
    client = APIClient()
    token = client.post("/api/v1/auth/guest/").json()["token"]
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    client.patch(ME, {"consent": True}, format="json")
    return client


@pytest.fixture(params=[member, guest])
def person(request, db) -> APIClient:
    return request.param()


@pytest.fixture(params=FIELDS, autouse=True)
def scenarios(request, db) -> None:
    """Those of a preset. Nothing in them is left to chance."""
    call_command("scenarios", "load", "--preset", request.param, verbosity=0)
    Scenario.objects.update(exploration=0, rotation=0)


def like(client: APIClient, item: Item) -> None:
    body = {"item": str(item.uuid), "kind": "like"}
    assert client.post("/api/v1/feedback/", body, format="json").status_code == 201


def every(client: APIClient, about: Item) -> list[dict]:
    """Queries of all scenarios; of those that need an item or a category, about this one."""
    given = {"item": str(about.uuid), "category": KINDS[0]}
    return [
        {"scenario": row["slug"]} | ({row["needs"]: given[row["needs"]]} if row["needs"] else {})
        for row in client.get("/api/v1/scenarios/").json()["results"]
    ]


def answer(client: APIClient, query: dict, **more) -> dict:
    response = client.get(LISTS, {"limit": 10} | query | more)
    assert response.status_code == 200, (query, response.content)
    return response.json()


def shown(client: APIClient, query: dict, **more) -> list[str]:
    return [row["item"]["id"] for row in answer(client, query, **more)["results"]]


def say(client: APIClient, action: str, creator: str) -> str:
    body = {"action": action, "kind": "creator", "target": creator}
    response = client.post(STEERING, body, format="json")
    assert response.status_code == 201, response.content
    return response.json()["id"]


def maker_of(row: dict) -> str:
    return row["item"]["creators"][0]


def again(client: APIClient) -> APIClient:
    """Another process that knows nothing but the token."""
    other = APIClient()
    other.credentials(**client._credentials)
    return other


def test_less_of_a_creator_moves_it_down_and_never_empties(person, things):
    like(person, things[0])
    stranger = client_of(make_person("dave"))
    for query in every(person, things[0]):
        before, theirs = answer(person, query), shown(stranger, query)
        first = before["results"][0]
        assert before["steering"] is None or before["steering"]["changed"] == 0, query
        steering = say(person, "less", maker_of(first))

        after = answer(person, query)
        order = [row["item"]["id"] for row in after["results"]]
        assert order[0] != first["item"]["id"], query  # moves
        assert len(order) == len(before["results"]), query  # never empties
        [moved] = [row for row in after["steering"]["moved"] if row["item"] == first["item"]["id"]]
        assert moved["from"] == 1, query  # explains
        assert moved["by"] == [steering], query
        assert shown(again(person), query) == order, query  # persists
        assert shown(stranger, query) == theirs, query  # isolates
        assert person.delete(f"{STEERING}{steering}/").status_code == 204
        assert shown(person, query) == [row["item"]["id"] for row in before["results"]], query


def test_more_of_a_creator_moves_it_up_and_its_points_say_so(person, things):
    like(person, things[0])
    moved = []
    for query in every(person, things[0]):
        before = answer(person, query)["results"]
        makers = [maker_of(row) for row in before]
        # Of the kind of the first, so that one word is enough to come past others.
        lowest = [maker for maker in makers if maker.split()[0] == makers[0].split()[0]]
        maker = max(lowest, key=makers.index)
        assert maker != makers[0], query
        steering = say(person, "more", maker)
        after = answer(person, query)
        place = [maker_of(row) for row in after["results"]].index(maker)
        row = after["results"][place]
        # Far behind what a list is about, one word alone does not bring it past that.
        assert place <= makers.index(maker), query
        assert row["relevance"] > before[makers.index(maker)]["relevance"], query
        moved.append(place < makers.index(maker))
        why = person.get(f"{LISTS}{after['id']}/why/{row['item']['id']}/").json()
        points = {row["part"]: row["points"] for row in why["points"]}
        assert points["steered"] > 0, query
        assert sum(points.values()) == why["relevance"], query
        person.delete(f"{STEERING}{steering}/")
    assert moved.count(True) > len(moved) / 2, moved


def test_what_is_muted_is_gone_and_the_list_as_long(person, things):
    like(person, things[0])
    for query in every(person, things[0]):
        before = answer(person, query)
        maker = maker_of(before["results"][0])
        steering = say(person, "mute", maker)
        after = answer(person, query)
        assert maker not in map(maker_of, after["results"]), query
        assert len(after["results"]) == len(before["results"]), query
        why_not = person.get(
            f"{LISTS}{after['id']}/why-not/{before['results'][0]['item']['id']}/"
        ).json()
        assert why_not["stage"] == "muted", query
        person.delete(f"{STEERING}{steering}/")
        assert shown(person, query) == [row["item"]["id"] for row in before["results"]], query


def popularity(ids: list[str]) -> float:
    rows = Popularity.objects.filter(item__uuid__in=ids).values_list("score", flat=True)
    return sum(rows) / len(ids)


def age(ids: list[str]) -> float:
    rows = Item.objects.filter(uuid__in=ids).values_list("published_at", flat=True)
    return sum((datetime.now(UTC) - moment).total_seconds() for moment in rows) / len(ids)


@pytest.mark.parametrize(("wish", "measure"), [("popularity", popularity), ("recency", age)])
def test_a_wish_that_is_set_moves_its_measure(wish: str, measure: Callable, person, things):
    like(person, things[0])
    stranger = client_of(make_person("dave"))
    for query in every(person, things[0]):
        theirs, before = shown(stranger, query), shown(person, query)
        assert person.patch(ME, {wish: 1}, format="json").status_code == 200
        more = shown(again(person), query)
        assert person.patch(ME, {wish: -1}, format="json").status_code == 200
        less = shown(again(person), query)
        assert len(more) == len(less) == len(before), query
        if wish == "recency":
            assert measure(more) <= measure(less), query
        else:
            assert measure(more) >= measure(less), query
        assert more != less, query
        assert shown(stranger, query) == theirs, query
        person.patch(ME, {wish: 0}, format="json")
        assert shown(person, query) == before, query


def test_the_slider_is_kept_and_moves_the_next_list(person, things):
    like(person, things[0])
    moved = []
    for query in every(person, things[0]):
        before = answer(person, query)
        person.patch(ME, {"diversity": 0}, format="json")
        plain = answer(again(person), query)["diversity"]
        person.patch(ME, {"diversity": 1}, format="json")
        varied = answer(again(person), query)["diversity"]
        assert plain["relevance_kept"] >= varied["relevance_kept"], query
        assert varied["list_size"] == plain["list_size"], query
        moved.append(varied["vector_distance"] != plain["vector_distance"])
        person.patch(ME, {"diversity": None}, format="json")
        assert shown(person, query) == [row["item"]["id"] for row in before["results"]], query
    assert all(moved), moved


def test_a_hidden_item_is_gone_from_the_next_list_and_back_after_undo(person, things):
    like(person, things[0])
    for query in every(person, things[0]):
        before = shown(person, query)
        body = {"item": before[0], "kind": "hide"}
        given = person.post("/api/v1/feedback/", body, format="json").json()
        after = shown(person, query)
        assert before[0] not in after, query
        assert len(after) == len(before), query
        assert person.delete(f"/api/v1/feedback/{given['id']}/").status_code == 200
        assert shown(person, query) == before, query


def test_nothing_is_said_of_a_person_by_making_lists(person, things):
    people = User.objects.count()
    for query in every(person, things[0]):
        answer(person, query)
    assert User.objects.count() == people
