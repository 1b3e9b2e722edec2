"""Guests: everything without an account, kept when they make one or sign in to theirs, and gone
when they stay away. What they do says nothing to others."""

from datetime import timedelta
from threading import Barrier, Thread
from uuid import uuid4

import numpy as np
import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import guests, services
from catalog.models import Consent, Feedback, User
from catalog.services import Refused
from recommender import begin, forget, learn, steer, store
from recommender.models import (
    Candidates,
    Exposure,
    Job,
    PersonFactors,
    Popularity,
    Preference,
    Served,
    Steering,
    Wish,
)
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, make_item, make_person, make_version

pytestmark = pytest.mark.django_db
NEW = {"email": "carol@example.org", "password": "a long enough one"}
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop():
    items = [
        make_item(f"{kind} {n}", categories=[kind], creator=f"{kind} maker {n % 5}")
        for n in range(15)
        for kind in ("kettle", "boots")
    ]
    embed_and_learn()
    return items


@pytest.fixture
def guest() -> APIClient:
    """A guest with a token, who agreed."""
    token = APIClient().post("/api/v1/auth/guest/").json()["token"]
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {token}")
    assert client.patch("/api/v1/me/", {"consent": True}, format="json").status_code == 200
    return client


def the_guest() -> User:
    return User.objects.get(kind="guest")


def titles(client, **query) -> list[str]:
    rows = client.get(LISTS, {"limit": 10} | query).json()["results"]
    return [row["item"]["title"] for row in rows]


def kettles(client) -> int:
    return sum("kettle" in title for title in titles(client))


def like(client, item):
    body = {"item": str(item.uuid), "kind": "like"}
    return client.post("/api/v1/feedback/", body, format="json")


# --- as a guest ---------------------------------------------------------------------------------


def test_a_guest_is_a_person_without_address_and_password(guest):
    me = guest.get("/api/v1/me/").json()
    assert (me["is_guest"], me["email"], me["consent"]) == (True, None, True)
    assert not the_guest().has_usable_password()


def test_what_a_guest_likes_steers_and_sets_moves_the_next_list(guest, shop):
    assert like(guest, shop[0]).status_code == 201
    assert "kettle 0" not in titles(guest)
    liked = kettles(guest)
    assert liked > 5
    body = {"action": "less", "kind": "category", "target": "kettle"}
    assert guest.post("/api/v1/me/steering/", body, format="json").status_code == 201
    assert kettles(guest) < liked
    before = titles(guest)
    guest.patch("/api/v1/me/", {"preset": "chronological"}, format="json")
    assert titles(guest) != before
    wish = guest.post("/api/v1/me/wishes/", {"text": "boots"}, format="json")
    assert wish.status_code == 201


def test_before_agreeing_nothing_is_concluded_as_of_a_member(shop):
    guest = client_of(guests.make_guest())
    carol = client_of(make_person("carol", agrees=False))
    for client in (guest, carol):
        assert is_problem(like(client, shop[0]), 403)
        batch = [{"item": str(shop[0].uuid), "kind": "view"}]
        assert is_problem(client.post("/api/v1/feedback/", batch, format="json"), 403)
        body = {"action": "less", "kind": "category", "target": "kettle"}
        assert is_problem(client.post("/api/v1/me/steering/", body, format="json"), 403)
        assert is_problem(client.post("/api/v1/me/wishes/", {"text": "boots"}, format="json"), 403)
    assert not Feedback.objects.exists()
    assert titles(guest) == titles(carol)
    learn.refresh_person(the_guest().pk)
    assert Candidates.objects.get().item_ids == []
    assert store.interests_of(the_guest().pk) == []


def test_guests_are_made_so_often_an_hour_and_no_more(settings, db):
    settings.NEW_ACCOUNTS_AN_HOUR = 2
    client, address = APIClient(), {"REMOTE_ADDR": f"2001:db8::{uuid4().hex[:4]}"}
    codes = [client.post("/api/v1/auth/guest/", **address).status_code for _ in range(3)]
    assert codes == [201, 201, 429]
    assert User.objects.count() == 2
    body = {"email": "ann@example.org", "password": "correct horse battery"}
    assert is_problem(client.post("/api/v1/auth/register/", body, format="json", **address), 429)


# --- nothing for others -------------------------------------------------------------------------


def test_what_guests_do_says_nothing_to_others(guest, alice, shop):
    guest.get(LISTS)
    like(guest, shop[0])
    give(alice, shop[1])
    learn.refresh_popularity()
    learn.refresh_exposure()
    assert list(store.events().people) == [alice.pk]
    assert [row.item_id for row in Popularity.objects.filter(score__gt=0)] == [shop[1].pk]
    assert set(Exposure.objects.filter(shown__gt=0).values_list("item_id", flat=True)) == {
        shop[1].pk
    }


def test_a_guest_is_nobodys_peer(guest, alice, shop):
    version, place = make_version("some"), np.array([[1.0, 0.0]] * 2, dtype=np.float32)
    store.put_factors(version.pk, [the_guest().pk, alice.pk], place)
    assert list(PersonFactors.objects.values_list("user_id", flat=True)) == [alice.pk]


def test_once_a_member_they_count(guest, shop):
    like(guest, shop[0])
    services.register(**NEW, guest=the_guest())
    learn.refresh_popularity()
    assert [row.item_id for row in Popularity.objects.filter(score__gt=0)] == [shop[0].pk]


# --- making an account --------------------------------------------------------------------------


def test_on_signing_up_the_guest_becomes_the_member(guest, shop):
    like(guest, shop[0])
    before, row = titles(guest), the_guest()
    answer = guest.post("/api/v1/auth/register/", NEW, format="json")
    assert answer.status_code == 201
    member = User.objects.get()
    assert (member.pk, member.kind, member.email) == (row.pk, "member", "carol@example.org")
    assert member.check_password(NEW["password"])
    assert is_problem(guest.get("/api/v1/me/"), 401)  # the guest's token has ended
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    assert titles(client) == before
    assert client.get("/api/v1/me/").json()["consent"] is True


def test_consent_is_as_the_guest_said_unless_they_say_otherwise(guest):
    guest.post("/api/v1/auth/register/", NEW | {"consent": False}, format="json")
    assert not store.agrees(User.objects.get().pk)
    assert Consent.objects.get().withdrawn_at is not None


@pytest.mark.parametrize("wrong", [{"email": "alice@example.org"}, {"password": "short"}])
def test_a_refused_account_leaves_the_guest_as_they_were(guest, alice, wrong):
    assert guest.post("/api/v1/auth/register/", NEW | wrong, format="json").status_code in (
        400,
        409,
    )
    assert the_guest().email is None
    assert guest.get("/api/v1/me/").json()["is_guest"] is True


def test_a_members_token_makes_an_account_of_its_own(as_alice, alice):
    assert as_alice.post("/api/v1/auth/register/", NEW, format="json").status_code == 201
    assert User.objects.get(email=NEW["email"]).pk != alice.pk
    assert as_alice.get("/api/v1/me/").status_code == 200


# --- signing in ---------------------------------------------------------------------------------


def sign_in(client, password="a password of alice"):
    body = {"email": "alice@example.org", "password": password}
    return client.post("/api/v1/auth/login/", body, format="json")


def test_on_signing_in_what_the_guest_said_is_the_members(guest, alice, as_alice, shop):
    like(guest, shop[0])
    listed = guest.get(LISTS).json()["id"]
    visitor = the_guest()
    steer.steer(visitor.pk, action="less", kind="category", target="boots")
    begin.say(visitor.pk, "red boots", sign="wanted")
    steer.tune(visitor.pk, recency=0.4)
    assert sign_in(guest).status_code == 201
    visitor.refresh_from_db()
    assert (visitor.merged_into_id, visitor.is_active) == (alice.pk, False)
    assert [row.item_id for row in Feedback.objects.filter(user=alice)] == [shop[0].pk]
    assert [row.target_id for row in Steering.objects.filter(user=alice)]
    assert [row.text for row in Wish.objects.filter(user=alice)] == ["red boots"]
    assert store.tuning_of(alice.pk).recency == 0.4
    assert str(Served.objects.filter(user=alice).get().pk) == listed
    for model in (Feedback, Steering, Wish, Preference, Served, Consent, Candidates):
        assert not model.objects.filter(user=visitor).exists()
    assert Job.objects.filter(kind="learn", key=alice.pk, done_at=None).exists()
    assert is_problem(guest.get("/api/v1/me/"), 401)
    assert "kettle 0" not in titles(as_alice)


def test_the_members_own_word_wins(guest, alice, shop):
    own = give(alice, shop[0], "dislike")
    like(guest, shop[0])
    visitor = the_guest()
    for user, action in ((visitor, "more"), (alice, "less")):
        steer.steer(user.pk, action=action, kind="category", target="boots")
    for user, sign in ((visitor, "wanted"), (alice, "unwanted")):
        begin.say(user.pk, "Red boots" if user == alice else "red boots", sign=sign)
    steer.tune(visitor.pk, diversity=0.9)
    steer.tune(alice.pk, diversity=0.1)
    guests.merge_guest(visitor, alice)
    live = Feedback.objects.filter(user=alice, retracted_at=None, superseded_at=None)
    assert [row.pk for row in live] == [own.pk]
    assert Steering.objects.get().action == "less"
    assert Wish.objects.get().sign == "unwanted"
    assert store.tuning_of(alice.pk).diversity == 0.1
    assert not any(store.broken_invariants().values())


def test_a_guests_opinion_never_comes_back_when_the_member_takes_theirs_back(guest, alice, shop):
    own = give(alice, shop[0], "dislike")
    like(guest, shop[0])
    guests.merge_guest(the_guest(), alice)
    services.retract_feedback(alice, own.uuid)
    assert not Feedback.objects.filter(user=alice, retracted_at=None).exists()
    assert not any(store.broken_invariants().values())


def test_of_what_the_member_took_back_the_guests_opinion_counts(guest, alice, shop):
    services.retract_feedback(alice, give(alice, shop[0], "dislike").uuid)
    like(guest, shop[0])
    guests.merge_guest(the_guest(), alice)
    assert Feedback.objects.get(user=alice, retracted_at=None).kind == "like"


def test_feedback_sent_under_one_id_by_both_is_one_piece(guest, alice, shop):
    own = give(alice, shop[0], "view")
    give(the_guest(), shop[0], "view", uuid=own.uuid)
    guests.merge_guest(the_guest(), alice)
    assert Feedback.objects.get().pk == own.pk


def test_a_member_has_no_more_than_they_may_have_said(guest, alice, shop, monkeypatch):
    monkeypatch.setattr(steer, "MOST", 2)
    monkeypatch.setattr(begin, "MOST_WISHES", 2)
    visitor = the_guest()
    for text in ("red", "blue"):
        begin.say(visitor.pk, text, sign="wanted")
    begin.say(alice.pk, "green", sign="wanted")
    for user, name in ((visitor, "kettle maker 1"), (visitor, "boots maker 1")):
        steer.steer(user.pk, action="more", kind="creator", target=name)
    steer.steer(alice.pk, action="more", kind="category", target="boots")
    guests.merge_guest(visitor, alice)
    assert [wish.text for wish in store.wishes_of(alice.pk)] == ["red", "green"]
    assert store.count_steering(alice.pk) == 2


def test_merging_twice_is_merging_once(guest, alice, shop):
    like(guest, shop[0])
    visitor = the_guest()
    assert guests.merge_guest(visitor, alice) is True
    assert guests.merge_guest(visitor, alice) is False
    assert Feedback.objects.count() == 1


def test_a_member_is_never_merged(alice, bob, shop):
    give(bob, shop[0])
    assert guests.merge_guest(bob, alice) is False
    assert Feedback.objects.get().user == bob
    with pytest.raises(Refused):
        guests.merge_guest(guests.make_guest(), guests.make_guest())


def test_what_fails_in_the_middle_changes_nothing(guest, alice, shop, monkeypatch):
    like(guest, shop[0])

    def fail(*_, **__):
        raise RuntimeError

    monkeypatch.setattr(store, "merge_person", fail)
    with pytest.raises(RuntimeError):
        guests.merge_guest(the_guest(), alice)
    assert Feedback.objects.get().user == the_guest()
    assert guest.get("/api/v1/me/").status_code == 200


def test_a_wrong_password_merges_nothing(guest, alice, shop):
    like(guest, shop[0])
    assert is_problem(sign_in(guest, "wrong"), 401)
    assert guest.get("/api/v1/me/").json()["is_guest"] is True


def test_the_guests_consent_goes_with_the_guest(guest, shop, db):
    carol = make_person("carol", agrees=False)
    guests.merge_guest(the_guest(), carol)
    assert not store.agrees(carol.pk)


@pytest.mark.django_db(transaction=True)
def test_two_sign_ins_at_once_merge_once(alice, bob):
    visitor = guests.make_guest()
    ready, merged = Barrier(2), []

    def run(member):
        ready.wait()
        merged.append(guests.merge_guest(visitor, member))
        connection.close()

    threads = [Thread(target=run, args=[member]) for member in (alice, bob)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(merged) == [False, True]


# --- staying away -------------------------------------------------------------------------------


def age(user: User, days: float) -> None:
    User.objects.filter(pk=user.pk).update(created_at=timezone.now() - timedelta(days=days))


def test_guests_who_stayed_away_are_removed_with_all_that_is_theirs(guest, shop, alice, settings):
    settings.GUEST_DAYS = 10
    like(guest, shop[0])
    guest.get(LISTS)
    age(the_guest(), 11)
    age(alice, 100)
    assert forget.forget_guests() == 0  # they did something today
    long_ago = timezone.now() - timedelta(days=11)
    Feedback.objects.update(received_at=long_ago)
    assert forget.forget_guests() == 0  # and saw a list
    Served.objects.update(served_at=long_ago)
    assert forget.forget_guests() == 1
    assert list(User.objects.all()) == [alice]
    assert not Feedback.objects.exists()
    assert not Served.objects.exists()


def test_many_are_removed_a_few_at_a_time(db, monkeypatch):
    monkeypatch.setattr(forget, "GUESTS_TOGETHER", 2)
    for _ in range(5):
        age(guests.make_guest(), 40)
    guests.make_guest()
    assert forget.forget_guests() == 5
    assert User.objects.count() == 1


def test_a_guest_who_became_a_member_meanwhile_stays(guest, db):
    member = services.register(**NEW, guest=the_guest())
    assert guests.remove_guests([member.pk]) == 0
    assert User.objects.get().pk == member.pk
