"""What a person is taken to like: listed, switched off and on, removed; the next list obeys."""

import numpy as np
import pytest

from recommender import learn, store
from recommender.candidates.silenced import Silenced
from recommender.candidates.taste import read_taste
from recommender.models import Candidates, Interest, InterestChoice, Job
from tests.api.test_errors import is_problem
from tests.factories import embed_and_learn, give, make_item

pytestmark = pytest.mark.django_db
INTERESTS, LISTS = "/api/v1/me/interests/", "/api/v1/recommendations/"


@pytest.fixture
def shop():
    items = {
        f"{what} {n}": make_item(f"{what} {what} {what} number {n}", categories=[what])
        for what in ("kettle", "boots")
        for n in range(14)
    }
    embed_and_learn()
    return items


@pytest.fixture
def both(alice, shop):
    """Alice, who likes five kettles and five pairs of boots; the worker has learned it."""
    for n in range(5):
        give(alice, shop[f"kettle {n}"])
        give(alice, shop[f"boots {n}"])
    learn.refresh_person(alice.pk)
    return alice


def told(client) -> dict[str, dict]:
    return {row["words"]: row for row in client.get(INTERESTS).json()["results"]}


def switch(client, words: str, state: str):
    return client.patch(f"{INTERESTS}{told(client)[words]['id']}/", {"state": state}, format="json")


def kinds(client, limit: int = 8) -> list[str]:
    rows = client.get(LISTS, {"limit": limit, "diversity": 0}).json()["results"]
    return [row["item"]["categories"][0]["slug"] for row in rows]


def reasons(client) -> str:
    rows = client.get(LISTS, {"limit": 18, "diversity": 0}).json()["results"]
    return " ".join(row["reason"]["text"] for row in rows if row["reason"])


def test_interests_are_listed_in_words_with_their_weight(as_alice, both):
    found = told(as_alice)
    assert set(found) == {"Kettle", "Boots"}
    assert sum(row["weight"] for row in found.values()) == pytest.approx(1, abs=0.02)
    assert {row["state"] for row in found.values()} == {"on"}
    assert as_alice.get("/api/v1/me/").json()["interests"] == list(found.values())


def test_the_next_list_does_without_what_was_switched_off_with_every_worker_stopped(as_alice, both):
    assert set(kinds(as_alice, limit=18)) == {"kettle", "boots"}
    assert "boots" in reasons(as_alice)
    assert switch(as_alice, "Boots", "off").status_code == 200
    assert set(kinds(as_alice)) == {"kettle"}
    assert "boots" not in reasons(as_alice)


def test_it_is_kept_when_the_worker_learns_anew_and_its_id_stays(as_alice, alice, both):
    before = told(as_alice)
    switch(as_alice, "Boots", "off")
    assert Job.objects.filter(kind="learn", key=alice.pk, done_at=None).exists()
    learn.refresh_person(alice.pk)
    after = told(as_alice)
    assert {words: row["id"] for words, row in after.items()} == {
        words: row["id"] for words, row in before.items()
    }
    assert [row["state"] for row in (after["Kettle"], after["Boots"])] == ["on", "off"]
    assert after["Kettle"]["weight"] == 1
    assert set(kinds(as_alice)) == {"kettle"}


def test_what_is_liked_of_it_later_counts_for_nothing_either(as_alice, alice, both, shop):
    switch(as_alice, "Boots", "off")
    give(alice, shop["boots 9"])
    learn.refresh_person(alice.pk)
    assert set(kinds(as_alice)) == {"kettle"}
    assert told(as_alice)["Kettle"]["weight"] == 1


def test_switching_it_on_again_brings_it_all_back(as_alice, alice, both):
    before = kinds(as_alice)
    switch(as_alice, "Boots", "off")
    assert switch(as_alice, "Boots", "on").status_code == 200
    assert told(as_alice)["Boots"]["state"] == "on"
    assert sorted(kinds(as_alice)) == sorted(before)
    assert not InterestChoice.objects.exists()
    learn.refresh_person(alice.pk)
    assert len(told(as_alice)) == 2


def test_what_was_removed_stays_listed_as_such_and_comes_back(as_alice, both):
    boots = told(as_alice)["Boots"]["id"]
    assert as_alice.delete(f"{INTERESTS}{boots}/").status_code == 204
    assert told(as_alice)["Boots"]["state"] == "removed"
    assert set(kinds(as_alice)) == {"kettle"}
    assert switch(as_alice, "Boots", "off").json()["results"][1]["state"] == "off"
    switch(as_alice, "Boots", "on")
    assert set(kinds(as_alice, limit=18)) == {"kettle", "boots"}


def test_an_interest_of_another_is_as_if_it_were_not_there(as_bob, as_alice, both):
    mine = told(as_alice)["Boots"]["id"]
    for answer in (
        as_bob.patch(f"{INTERESTS}{mine}/", {"state": "off"}, format="json"),
        as_bob.delete(f"{INTERESTS}{mine}/"),
    ):
        assert is_problem(answer, 404)
    assert told(as_alice)["Boots"]["state"] == "on"


@pytest.mark.parametrize("body", [{}, {"state": "gone"}, {"state": "off", "weight": 3}, [], None])
def test_what_is_no_state_is_refused(as_alice, both, body):
    boots = told(as_alice)["Boots"]["id"]
    assert is_problem(as_alice.patch(f"{INTERESTS}{boots}/", body, format="json"), 400)
    assert not InterestChoice.objects.exists()


def test_nothing_that_was_learned_with_it_is_left(as_alice, alice, both):
    assert Candidates.objects.filter(user=alice).exists()
    switch(as_alice, "Boots", "off")
    assert not Candidates.objects.filter(user=alice).exists()
    assert Interest.objects.filter(user=alice).count() == 1


def test_a_list_costs_as_many_statements_with_one_switched_off(
    as_alice, both, django_assert_num_queries
):
    switch(as_alice, "Boots", "off")
    # token, person, touched, candidates, facts, list; and the transaction
    with django_assert_num_queries(8):
        kinds(as_alice)


def test_the_account_page_switches_off_and_on(client, alice, both):
    client.force_login(alice)
    page = client.get("/account/").content.decode()
    assert page.count("Switch off:") == 2
    boots = next(row for row in store.told_interests(alice.pk) if "boots" in str(row.words))
    for state, shown in (("off", "switched off"), ("removed", "removed"), ("on", "Switch off:")):
        answer = client.post("/interests/", {"interest": boots.id, "state": state}, follow=True)
        assert answer.redirect_chain[-1][0] == "/account/#interests"
        assert shown in answer.content.decode()
    assert client.post("/interests/", {"interest": "7", "state": "off"}).status_code == 400


def test_a_dislike_within_it_still_counts():
    taste = read_taste(np.array([1, 2, 3]), ["like", "dislike", "like"], np.full(3, np.nan))
    vectors = np.array([[1, 0], [1, 0], [0, 1]], dtype=np.float32)
    silenced = Silenced(np.array([1]), np.array([[1, 0]], np.float32), np.array([0.9], np.float32))
    left = silenced.left_out(taste, vectors)
    assert left.liked.tolist() == [False, False, True]
    assert left.disliked.tolist() == [False, True, False]


def test_another_space_leaves_what_was_liked_then_and_compares_no_vectors():
    taste = read_taste(np.array([1, 2]), ["like", "like"], np.full(2, np.nan))
    silenced = Silenced(np.array([1]), np.zeros((0, 2), np.float32), np.zeros(0, np.float32))
    left = silenced.left_out(taste, np.eye(2, dtype=np.float32))
    assert left.liked.tolist() == [False, True]
