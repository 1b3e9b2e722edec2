"""What a person says decides what the person is shown next, with every worker stopped."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from catalog.models import Feedback, Item
from recommender import learn, store, tasks
from recommender.diversity import budget_of
from recommender.models import Candidates, Job, Served
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db

KITCHEN = ["blue kettle", "red kettle", "steel kettle"]
OUTDOORS = ["hiking boots", "winter boots", "rain boots"]


@pytest.fixture
def shop():
    items = {name: make_item(name, categories=["kitchen"]) for name in KITCHEN}
    items |= {name: make_item(name, categories=["outdoors"]) for name in OUTDOORS}
    embed_and_learn()
    return items


def shown(client, **query) -> list[str]:
    query = "&".join(f"{name}={value}" for name, value in query.items())
    body = client.get(f"/api/v1/recommendations/?{query}").json()
    return [row["item"]["title"] for row in body["results"]]


def like(client, item, kind="like", **more) -> dict:
    return client.post(
        "/api/v1/feedback/", {"item": str(item.uuid), "kind": kind, **more}, format="json"
    ).json()


def test_liking_a_kettle_brings_kettles(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    assert set(shown(as_alice, limit=2, diversity=0)) == {"red kettle", "steel kettle"}


def test_the_reason_names_the_like_behind_it(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    first = as_alice.get("/api/v1/recommendations/?limit=1&diversity=0").json()["results"][0]
    assert first["reason"]["kind"] == "similar"
    assert first["reason"]["item"] == str(shop["blue kettle"].uuid)
    assert "blue kettle" in first["reason"]["text"]


def test_an_item_the_person_reacted_to_is_not_shown_again(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    like(as_alice, shop["red kettle"], "hide")
    left = shown(as_alice, limit=100)
    assert {"blue kettle", "red kettle"}.isdisjoint(left)
    assert len(left) == 4


def test_undo_gives_the_former_list_back(as_alice, shop):
    like(as_alice, shop["hiking boots"])
    before = shown(as_alice, diversity=0)
    row = like(as_alice, shop["blue kettle"])
    assert shown(as_alice, diversity=0) != before
    as_alice.delete(f"/api/v1/feedback/{row['id']}/")
    assert shown(as_alice, diversity=0) == before


def test_a_dislike_pushes_what_is_like_it_down(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    like(as_alice, shop["hiking boots"])
    like(as_alice, shop["winter boots"], "dislike")
    order = shown(as_alice, limit=100, diversity=0)
    assert order.index("red kettle") < order.index("rain boots")


def test_what_a_kind_of_feedback_weighs_counts_from_the_next_request(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    like(as_alice, shop["hiking boots"], "save")
    assert shown(as_alice, limit=1, diversity=0)[0] in {"red kettle", "steel kettle"}
    learn.weigh_kinds({"like": 0.2, "save": 2.0})
    assert shown(as_alice, limit=1, diversity=0)[0] in {"winter boots", "rain boots"}
    learn.weigh_kinds({"like": None, "save": None})
    assert shown(as_alice, limit=1, diversity=0)[0] in {"red kettle", "steel kettle"}


def test_a_kind_can_be_made_to_speak_against_an_item(as_alice, shop):
    for name, kind in [("blue kettle", "like"), ("hiking boots", "like"), ("winter boots", "view")]:
        like(as_alice, shop[name], kind)
    order = shown(as_alice, limit=100, diversity=0)
    assert order.index("rain boots") < order.index("red kettle")
    learn.weigh_kinds({"view": -2.0})
    order = shown(as_alice, limit=100, diversity=0)
    assert order.index("red kettle") < order.index("rain boots")


def test_what_is_kept_of_people_follows_a_weight_some_at_a_time(shop, monkeypatch):
    people = [make_person(f"person {n}") for n in range(5)]
    for person in people:
        for kettle, boots in zip(KITCHEN[:2], OUTDOORS[:2], strict=True):
            give(person, shop[kettle])
            give(person, shop[boots], "save")
        learn.refresh_person(person.pk)
    Job.objects.all().delete()
    monkeypatch.setattr(learn, "PEOPLE_TOGETHER", 2)
    learn.weigh_kinds({"like": 0.2, "save": 2.0})

    def weightiest() -> set[str]:
        first = [store.interests_of(person.pk)[0].words for person in people]
        return {category["slug"] for words in first for category in words["categories"]}

    def work_off(kind: str) -> None:
        for job in Job.objects.filter(kind=kind, done_at=None):
            {"learn": tasks.learn_people, "relearn": tasks.relearn}[kind]([job.pk])

    assert weightiest() == {"kitchen"}
    work_off("relearn")
    work_off("relearn")  # those who wait come first
    assert sorted(Job.objects.filter(kind="learn").values_list("key", flat=True)) == [
        person.pk for person in people[:2]
    ]
    waiting = Job.objects.get(kind="relearn", done_at=None)
    assert (waiting.key, waiting.attempts) == (people[1].pk, 0)
    for _ in range(3):
        work_off("learn")
        work_off("relearn")
    assert weightiest() == {"outdoors"}
    assert Job.objects.filter(kind__in=["learn", "relearn"], done_at=None).count() == 0


def test_people_with_different_tastes_get_different_lists(as_alice, as_bob, shop):
    like(as_alice, shop["blue kettle"])
    like(as_bob, shop["hiking boots"])
    assert shown(as_alice, limit=2, diversity=0) != shown(as_bob, limit=2, diversity=0)


def test_nobody_is_shown_what_another_did(as_alice, as_bob, shop):
    before = shown(as_bob)
    like(as_alice, shop["blue kettle"])
    assert shown(as_bob) == before


@pytest.mark.parametrize("change", [{"is_available": False}, {"removed_at": "2026-01-01T00:00Z"}])
def test_what_is_unavailable_is_not_shown_however_old_the_candidates(as_alice, alice, shop, change):
    like(as_alice, shop["blue kettle"])
    Candidates.objects.create(user=alice, item_ids=[item.pk for item in shop.values()])
    Item.objects.filter(pk=shop["red kettle"].pk).update(**change)
    assert "red kettle" not in shown(as_alice, limit=100)


def test_somebody_without_history_gets_what_is_popular_and_new(as_alice, shop):
    for number in range(3):
        import_feedback(make_person(f"fan {number}"), shop["rain boots"])
    embed_and_learn()
    order = shown(as_alice, limit=100, diversity=0)
    assert order[0] == "rain boots"
    assert len(order) == 6


def test_neighbours_vote_for_what_the_same_people_like(as_alice, shop):
    for number in range(8):
        fan = make_person(f"fan {number}")
        import_feedback(fan, shop["blue kettle"])
        import_feedback(fan, shop["rain boots"])
        import_feedback(make_person(f"other {number}"), shop["hiking boots"])
    embed_and_learn()
    like(as_alice, shop["blue kettle"])
    body = as_alice.get("/api/v1/recommendations/?limit=6&diversity=0").json()["results"]
    boots = next(row for row in body if row["item"]["title"] == "rain boots")
    assert boots["reason"]["kind"] == "voted"
    assert boots["reason"]["item"] == str(shop["blue kettle"].uuid)


def test_an_item_without_a_vector_yet_can_be_shown(as_alice, shop):
    make_item("brand new kettle")
    assert "brand new kettle" in shown(as_alice, limit=100)


def test_more_diversity_is_more_distance_and_less_relevance(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    reports = [
        as_alice.get(f"/api/v1/recommendations/?limit=3&diversity={d}").json()["diversity"]
        for d in (0, 1)
    ]
    assert reports[0]["relevance_kept"] == 1
    assert reports[1]["vector_distance"] > reports[0]["vector_distance"]
    assert reports[1]["relevance_kept"] < 1


def test_the_setting_of_a_person_counts_where_a_request_says_nothing(as_alice, shop):
    as_alice.patch("/api/v1/me/", {"diversity": 0.85}, format="json")
    report = as_alice.get("/api/v1/recommendations/").json()["diversity"]
    assert report["budget"] == round(budget_of(0.85), 4)


def test_without_consent_nothing_that_a_person_says_is_kept(shop):
    client = client_of(make_person("carol", agrees=False))
    before = shown(client, limit=100, diversity=0)
    body = {"item": str(shop["blue kettle"].uuid), "kind": "like"}
    refused = client.post("/api/v1/feedback/", body, format="json")
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:medley:no_consent")
    assert not Feedback.objects.exists()
    assert shown(client, limit=100, diversity=0) == before


def test_what_was_said_with_consent_can_be_taken_back_without(as_alice, alice, shop):
    said = like(as_alice, shop["blue kettle"])
    as_alice.patch("/api/v1/me/", {"consent": False}, format="json")
    assert as_alice.delete(f"/api/v1/feedback/{said['id']}/").status_code == 200


def test_a_consent_that_is_withdrawn_counts_from_the_next_request(as_alice, alice, shop):
    like(as_alice, shop["blue kettle"])
    assert shown(as_alice, limit=1, diversity=0)[0] in {"red kettle", "steel kettle"}
    alice.consents.update(withdrawn_at="2026-01-01T00:00Z")
    body = as_alice.get("/api/v1/recommendations/?limit=100").json()
    assert {row["reason"]["kind"] for row in body["results"]} <= {"popular", "new", "varied"}


def test_a_served_list_is_kept_under_the_id_that_feedback_names(as_alice, alice, shop):
    body = as_alice.get("/api/v1/recommendations/?limit=3").json()
    served = Served.objects.get(pk=body["id"])
    assert served.user == alice
    assert served.item_ids == [shop[row["item"]["title"]].pk for row in body["results"]]
    row = like(as_alice, shop["rain boots"], served=body["id"])
    assert row["served"] == body["id"]


def test_equal_states_give_equal_lists(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    assert shown(as_alice, diversity=0.5) == shown(as_alice, diversity=0.5)


def test_what_the_workers_learn_changes_no_list_by_itself(as_alice, alice, shop):
    like(as_alice, shop["blue kettle"])
    before = shown(as_alice, limit=4, diversity=0)
    learn.refresh_person(alice.pk)
    assert Candidates.objects.get(pk=alice.pk).item_ids
    assert shown(as_alice, limit=4, diversity=0) == before


def test_interests_have_words(as_alice, alice, shop):
    give(alice, shop["blue kettle"])
    learn.refresh_person(alice.pk)
    [interest] = as_alice.get("/api/v1/me/").json()["interests"]
    assert interest.pop("id")
    said = {"words": "Kitchen", "weight": 1.0, "example": "blue kettle", "state": "on"}
    assert interest == said


def test_an_answer_waits_for_no_worker(as_alice, shop):
    like(as_alice, shop["blue kettle"])
    shown(as_alice)
    assert Job.objects.filter(kind="learn", attempts=0, done_at=None).exists()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("n_items", [20, 200])
def test_a_request_makes_six_statements_for_any_catalogue(n_items):
    alice = make_person("alice")
    items = [make_item(f"kettle number {n}", categories=["kitchen"]) for n in range(n_items)]
    embed_and_learn()
    give(alice, items[0])
    client = client_of(alice)
    # 1 token and person, 2 person side, 3 items touched, 4 candidates, 5 facts to show,
    # 6 the list that is kept
    with CaptureQueriesContext(connection) as queries:
        response = client.get("/api/v1/recommendations/?limit=10")
    sent = [query["sql"] for query in queries if query["sql"] not in ("BEGIN", "COMMIT")]
    assert len(sent) == 6, sent
    assert len(response.json()["results"]) == 10
