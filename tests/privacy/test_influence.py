"""No single person, and no crowd of new accounts, moves what everybody sees."""

from datetime import timedelta
from threading import Thread
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import services
from catalog.models import Consent, Feedback, User
from recommender import learn, store
from recommender.models import PersonFactors, Popularity, Scenario
from tests.conftest import client_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
LISTS = "/api/v1/recommendations/"


@pytest.fixture
def shop(db):
    items = [make_item(f"kettle {n}") for n in range(6)]
    for n in range(4):
        person = make_person(f"crowd{n}")
        for item in items[:3]:
            import_feedback(person, item)
    embed_and_learn()
    return items


@pytest.fixture
def grown(settings):
    """As a site has it: an account counts after two days."""
    settings.NEW_ACCOUNT_HOURS = 48
    User.objects.update(created_at=timezone.now() - timedelta(days=3))


def popularity() -> dict[int, float]:
    learn.refresh_popularity()
    return dict(Popularity.objects.values_list("item_id", "score"))


def test_a_hundred_new_accounts_change_no_list_of_others(shop, as_bob, grown):
    Scenario.objects.create(slug="most-liked", kind="popular")
    User.objects.update(created_at=timezone.now() - timedelta(days=3))
    before, popular = popularity(), popular_list(as_bob)
    for n in range(100):
        give(services.register(email=f"new{n}@example.org", password="a long enough one"), shop[5])
    assert popularity() == before
    assert popular_list(as_bob) == popular
    assert len(set(store.events().people)) == 4
    User.objects.update(created_at=timezone.now() - timedelta(days=3))
    assert popularity() != before  # two days later they are people like any other
    assert popular_list(as_bob)[0] == str(shop[5].uuid)


def popular_list(client: APIClient) -> list[str]:
    rows = client.get(LISTS, {"scenario": "most-liked", "diversity": 0}).json()["results"]
    return [row["item"]["id"] for row in rows]


def test_their_own_lists_follow_what_they_say_at_once(shop, as_alice, alice, grown):
    User.objects.filter(pk=alice.pk).update(created_at=timezone.now())
    give(alice, shop[0])
    [first] = as_alice.get(LISTS, {"limit": 1, "diversity": 0}).json()["results"]
    assert first["reason"]["kind"] in ("similar", "voted")


def test_an_account_counts_when_it_is_old_enough_or_its_address_is_confirmed(shop, alice, grown):
    def counts() -> bool:
        return alice.pk in store.events().people

    new = timezone.now()
    User.objects.filter(pk=alice.pk).update(created_at=new)
    give(alice, shop[5])
    assert not counts()
    learn.refresh_person(alice.pk)
    assert not PersonFactors.objects.filter(pk=alice.pk).exists()  # nobody's peer
    for change in (
        {"created_at": new - timedelta(hours=49)},
        {"email_verified_at": new},
        {"source": "shop"},  # came with an import
    ):
        User.objects.filter(pk=alice.pk).update(**change)
        assert counts(), change
        User.objects.filter(pk=alice.pk).update(
            created_at=new, email_verified_at=None, source="medley"
        )


def test_who_withdrew_consent_counts_no_longer(shop, alice):
    give(alice, shop[5])
    assert popularity()[shop[5].pk] > 0
    services.set_consent(alice, False)
    assert shop[5].pk not in popularity()
    assert Consent.objects.filter(user=alice).count() == 1  # as evidence
    assert Feedback.objects.filter(user=alice).count() == 1  # kept, and concluded nothing from


def test_one_person_counts_once_an_item_however_often_they_say_it(shop, alice):
    give(alice, shop[5])
    once = popularity()
    for _ in range(30):
        services.retract_feedback(alice, give(alice, shop[5]).uuid)
        give(alice, shop[5])
    again = popularity()
    assert again[shop[5].pk] == pytest.approx(once[shop[5].pk], rel=1e-3)


@pytest.mark.django_db(transaction=True)
@pytest.mark.timeout(300)
def test_toggled_at_once_from_many_places_an_opinion_is_there_once_or_not(db):
    alice, item = make_person("alice"), make_item("kettle")
    faults = []

    def toggle() -> None:
        client = client_of(alice)
        client.raise_request_exception = False
        for _ in range(12):
            body = {"id": str(uuid4()), "item": str(item.uuid), "kind": "like"}
            answers = [client.post("/api/v1/feedback/", body, format="json")]
            answers.append(client.delete(f"/api/v1/feedback/{body['id']}/"))
            faults.extend(a.status_code for a in answers if a.status_code not in (200, 201))
        connection.close()

    threads = [Thread(target=toggle) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    live = Feedback.objects.filter(user=alice, retracted_at=None, superseded_at=None)
    assert live.count() <= 1
    assert Feedback.objects.filter(retracted_at=None).count() == 0 == live.count()
    assert (
        store.broken_invariants()[
            "each person has one live opinion on an item that any opinion stands for"
        ]
        == 0
    )
