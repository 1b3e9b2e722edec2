"""People of like taste bring candidates, are never named, and only while they agree to it."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from catalog import services
from catalog.models import Feedback, Item, User
from recommender import learn, store, train
from recommender.candidates.peers import PEER_HISTORY, PEERS
from recommender.models import Candidates, Job, PersonFactors
from recommender.ranking.model import LISTS, untrained
from recommender.store.adoption import Adopted
from tests.factories import import_feedback, make_item, make_person, make_version

pytestmark = pytest.mark.django_db
MEMORY = import_module("recommender.store.peers")  # by name: the package has a function called so
ALICE = np.array([1.0, 0.0], dtype=np.float32)


@pytest.fixture
def version() -> int:
    version = make_version("one")
    train.activate(version, force=True)
    return version.pk


def person_at(name: str, factors: list[float], version: int, **fields):
    """Somebody who stands there; the length does not matter."""
    person = make_person(name, **fields)
    place = np.array(factors, np.float32) / np.linalg.norm(factors)
    store.put_factors(version, [person.pk], place[None])
    return person


def peers_of(person, version: int | None, factors=ALICE, *, limit: int = PEERS) -> list[store.Peer]:
    return store.peers(person.pk, version, factors, limit=limit, history=PEER_HISTORY)


def likenesses(*args, **more) -> list[float]:
    return [round(peer.likeness, 2) for peer in peers_of(*args, **more)]


def test_the_nearest_come_first_and_as_many_as_asked_for(alice, version):
    for name, place in (("far", [0.6, 0.8]), ("near", [1, 0]), ("middle", [0.8, 0.6])):
        person_at(name, place, version)
    assert likenesses(alice, version) == [1.0, 0.8, 0.6]
    assert likenesses(alice, version, limit=2) == [1.0, 0.8]


def test_nobody_is_a_peer_of_themselves_or_of_who_is_not_alike(alice, version):
    store.put_factors(version, [alice.pk], ALICE[None])
    person_at("opposite", [-1, 0], version)
    person_at("across", [0, 1], version)
    assert peers_of(alice, version) == []


def test_of_very_many_people_a_sample_is_compared_with(alice, version, monkeypatch):
    people = [User(email=f"p{n}@example.org", kind="imported") for n in range(3000)]
    people = User.objects.bulk_create(people)
    store.put_factors(version, [one.pk for one in people], np.tile(ALICE, (3000, 1)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE recommender_personfactors")
    assert len(peers_of(alice, version, limit=5000)) == 3000
    monkeypatch.setattr(MEMORY, "MOST_COMPARED", 1000)
    assert 0 < len(peers_of(alice, version, limit=5000)) < 2500


def test_where_many_people_stand_is_kept_for_a_while_and_who_goes_is_gone(
    alice, version, monkeypatch
):
    for name in ("near", "also near"):
        person_at(name.replace(" ", "-"), [1, 0], version)
    monkeypatch.setattr(MEMORY, "PEOPLE_A_SECOND", 0.01)
    monkeypatch.setattr(MEMORY, "_kept", None)  # and as it was afterwards
    assert len(peers_of(alice, version)) == 2
    gone = PersonFactors.objects.first().user
    services.set_consent(gone, False)
    person_at("new", [1, 0], version)
    assert len(peers_of(alice, version)) == 1  # the one who is gone is not asked, kept or not


def test_of_a_peer_nothing_is_known_but_the_likeness_and_the_newest_feedback(alice, version):
    old, new = make_item("old"), make_item("new")
    bob = person_at("bob", [1, 0], version)
    import_feedback(bob, old, days_ago=9)
    import_feedback(bob, new, "rating", value=4, days_ago=1)
    [peer] = peers_of(alice, version)
    assert set(vars(peer)) == {"likeness", "history"}
    assert peer.history.item_ids.tolist() == [new.pk, old.pk]
    assert peer.history.kinds == ["rating", "like"]
    assert peer.history.values[0] == 4
    assert np.isnan(peer.history.values[1])


def test_who_withdraws_consent_is_no_peer_from_that_moment_and_kept_no_longer(alice, version):
    bob = person_at("bob", [1, 0], version)
    assert likenesses(alice, version) == [1.0]
    services.set_consent(bob, False)
    assert peers_of(alice, version) == []
    learn.refresh_person(bob.pk)
    assert not PersonFactors.objects.exists()


def test_an_erased_person_is_no_peer_and_nothing_is_kept_of_them(alice, version):
    bob = person_at("bob", [1, 0], version)
    type(bob).objects.filter(pk=bob.pk).update(erased_at=timezone.now())
    assert peers_of(alice, version) == []
    broken = store.broken_invariants()
    left = "no row belongs to an erased person, or there is work that will erase it"
    assert broken[left] == 2  # the place and the consent
    PersonFactors.objects.all().delete()
    store.put_factors(version, [bob.pk], ALICE[None])
    assert not PersonFactors.objects.exists()


def test_with_the_account_its_place_goes(version):
    person_at("bob", [1, 0], version).delete()
    assert not PersonFactors.objects.exists()


def test_people_are_compared_within_one_version(alice, version):
    person_at("bob", [1, 0], version)
    wider = make_version("two").pk
    person_at("carol", [0.8, 0.6, 0], wider)
    assert likenesses(alice, version) == [1.0]
    assert likenesses(alice, wider, np.array([1, 0, 0], np.float32)) == [0.8]
    assert peers_of(alice, None) == []


def test_a_place_is_written_over_and_nothing_known_takes_it_away(alice, version):
    store.put_factors(version, [alice.pk], ALICE[None])
    store.put_factors(version, [alice.pk], ALICE[None, ::-1])
    assert PersonFactors.objects.get().factors == [0, 1]
    store.put_factors(version, [alice.pk], np.zeros((1, 2), np.float32))
    assert not PersonFactors.objects.exists()


def test_a_place_of_no_length_is_refused_by_the_database(alice, version):
    with pytest.raises(IntegrityError, match="personfactors_have_unit_norm"), transaction.atomic():
        store.put_factors(version, [alice.pk], 2 * ALICE[None])


def test_a_version_that_is_activated_has_everybody_learned_anew(version):
    assert Job.objects.filter(kind="relearn", key=0, done_at=None).exists()
    bob = person_at("bob", [1, 0], version)
    Candidates.objects.create(user=bob, item_ids=[])
    Job.objects.all().delete()
    learn.relearn(0)
    assert Job.objects.get(kind="learn").key == bob.pk


def test_a_version_that_is_retired_keeps_nobody(version):
    person_at("bob", [1, 0], version)
    store.retire_version(make_version("two"))
    assert PersonFactors.objects.exists()
    former = store.active_version()
    train.activate(make_version("three"), force=True)
    store.retire_version(former)
    assert not PersonFactors.objects.exists()


@pytest.fixture
def shop() -> dict[str, Item]:
    """Kettles and boots without a text that anybody reads, of which only factors were learned."""
    items = {
        f"{kind} {n}": make_item(f"{kind} {n}") for kind in ("kettle", "boots") for n in "1234"
    }
    ids = np.array([item.pk for item in items.values()])
    factors = np.repeat(np.eye(2, dtype=np.float32), 4, axis=0)
    none, no_lists = np.zeros((8, 1)), np.zeros((8, len(LISTS), 1))
    version = store.put_version(
        replace(untrained(), gram=factors.T @ factors),
        Adopted(ids, no_lists, no_lists, factors, none, none - 1, none),
        name="factors",
        data_digest="",
        events=0,
        people=0,
        items=8,
        until=timezone.now(),
        seed=0,
        seconds=0.0,
        has_passed=True,
    )
    train.activate(version)
    return items


def somebody_with(shop, name: str, *titles: str, kind: str = "like", **fields):
    """Somebody who took these up, the last one last, and was learned of."""
    person = make_person(name, **fields)
    for place, title in enumerate(titles):
        import_feedback(person, shop[title], kind, days_ago=10 - place)
    learn.refresh_person(person.pk)
    return person


def candidates_of(shop, person) -> list[str]:
    titles = {item.pk: title for title, item in shop.items()}
    learn.refresh_person(person.pk)
    return [titles[item] for item in Candidates.objects.get(pk=person.pk).item_ids]


def test_candidates_are_what_several_people_of_like_taste_took_up(shop):
    for number in range(3):
        somebody_with(shop, f"fan {number}", "kettle 1", "kettle 2", "kettle 3")
        somebody_with(shop, f"walker {number}", "boots 1", "boots 2")
    somebody_with(shop, "fan of more", "kettle 1", "kettle 2", "kettle 4")
    alice = somebody_with(shop, "alice", "kettle 1")
    # of four people alike, four took up the second, three the third and only one the fourth
    assert candidates_of(shop, alice) == ["kettle 2", "kettle 3"]


def test_what_two_people_took_up_is_told_to_nobody(shop):
    for number in range(2):
        somebody_with(shop, f"fan {number}", "kettle 1", "kettle 2")
    alice = somebody_with(shop, "alice", "kettle 1")
    assert candidates_of(shop, alice) == []
    somebody_with(shop, "fan 3", "kettle 1", "kettle 2")
    assert candidates_of(shop, alice) == ["kettle 2"]


def test_what_somebody_takes_back_or_withdraws_brings_nothing_from_then_on(shop):
    fans = [somebody_with(shop, f"fan {n}", "kettle 1", "kettle 2", "kettle 3") for n in range(3)]
    alice = somebody_with(shop, "alice", "kettle 1")
    assert candidates_of(shop, alice) == ["kettle 2", "kettle 3"]
    Feedback.objects.filter(user=fans[0], item=shop["kettle 2"]).update(retracted_at=timezone.now())
    assert candidates_of(shop, alice) == ["kettle 3"]
    services.set_consent(fans[0], False)
    assert candidates_of(shop, alice) == []


def test_who_does_not_agree_is_compared_with_nobody(shop):
    for number in range(3):
        somebody_with(shop, f"fan {number}", "kettle 1", "kettle 2")
    carol = somebody_with(shop, "carol", "kettle 1", agrees=False)
    assert candidates_of(shop, carol) == []
    assert not PersonFactors.objects.filter(pk=carol.pk).exists()


def test_of_a_version_that_is_new_the_first_to_be_learned_of_finds_people_too(shop):
    alice = make_person("alice")
    import_feedback(alice, shop["kettle 1"])
    for number in range(3):
        fan = make_person(f"fan {number}")
        import_feedback(fan, shop["kettle 1"])
        import_feedback(fan, shop["kettle 2"])
    assert candidates_of(shop, alice) == []
    learn.relearn(0)
    assert candidates_of(shop, alice) == ["kettle 2"]


def test_everybody_is_placed_where_learning_of_each_places_them(shop):
    people = [
        somebody_with(shop, "alice", "kettle 1", "boots 1"),
        somebody_with(shop, "bob", "boots 1", "kettle 2", "kettle 3"),
        somebody_with(shop, "walker", "boots 2", "kettle 4", kind="view"),
    ]
    somebody_with(shop, "carol", "kettle 1", agrees=False)
    one_by_one = dict(PersonFactors.objects.values_list("pk", "factors"))
    assert list(one_by_one) == [person.pk for person in people]
    assert len({tuple(place) for place in one_by_one.values()}) == 3
    PersonFactors.objects.all().delete()
    learn.place_everybody()
    assert dict(PersonFactors.objects.values_list("pk", "factors")) == one_by_one


def test_before_anything_was_learned_nobody_is_placed(alice):
    import_feedback(alice, make_item("kettle"))
    learn.place_everybody()
    learn.refresh_person(alice.pk)
    assert not PersonFactors.objects.exists()
