"""An item that comes after a training borrows from the nearest items, until the next training."""

import numpy as np
import pytest

from catalog import services
from recommender import embed, store, train
from recommender.candidates.textmap import stand_ins
from recommender.models import LearnedItem
from recommender.ranking.model import STAND_INS
from recommender.recommend import recommend
from recommender.store.versions import factors_of, stand_ins_of
from tests.factories import embed_and_learn, give, import_feedback, make_item, make_person

pytestmark = pytest.mark.django_db
WORDS = ["kettle", "boots", "tent"]


@pytest.fixture
def crowd():
    """Twelve people, each of whom takes up one of three kinds of things, and nobody one of them."""
    items = [make_item(f"{WORDS[n % 3]} number {n}") for n in range(36)]
    rng = np.random.default_rng(0)
    for number in range(12):
        person = make_person(f"person {number}")
        own = [item for n, item in enumerate(items[:33]) if n % 3 == number % 3]
        for place, at in enumerate(rng.permutation(len(own))[:8]):
            import_feedback(person, own[at], days_ago=40 - place)
    embed_and_learn()
    return items


def learned_of(item) -> LearnedItem:
    return LearnedItem.objects.get(item=item, version__status="active")


def borrowed(item) -> tuple[list[int], list[float], list[float]]:
    row = learned_of(item)
    ids, weights = stand_ins_of([row.stand_in_ids], [row.stand_in_weights])
    return ids[0].tolist(), weights[0].tolist(), factors_of([row.factors])[0].tolist()


def test_a_new_item_with_a_text_alone_is_found_and_ranked_for_who_likes_such_texts(crowd):
    fan = make_person("fan")
    give(fan, crowd[0])
    give(fan, crowd[3])
    new, other = make_item("kettle number 99"), make_item("boots number 99")
    embed.embed_items(None, [new.pk, other.pk])
    shown = recommend(fan.pk, limit=36, diversity=0.0).results
    place = {row.facts.id: row.rank for row in shown}
    assert place[new.pk] < place[other.pk]
    assert place[new.pk] < min(place[item.pk] for item in crowd[1::3])  # before all boots


def test_what_it_borrows_is_what_a_training_would_have_given_it(crowd):
    new = make_item("kettle number 3 and 5")
    embed.embed_items(None, [new.pk])
    early = borrowed(new)
    train.activate(train.train(), force=True)
    late = borrowed(new)
    assert [item for item in early[0] if item >= 0]
    assert early[0] == late[0]
    assert early[1] == pytest.approx(late[1], abs=2e-3)  # kept as half floats
    assert early[2] == pytest.approx(late[2], abs=2e-2)


def test_its_votes_are_those_for_its_stand_ins(crowd, monkeypatch):
    fan, new = make_person("fan"), make_item("kettle number 99")
    give(fan, crowd[0])
    pools = []
    weigh = recommend.__globals__["weigh"]
    monkeypatch.setitem(
        recommend.__globals__, "weigh", lambda *args: pools.append(args[1]) or weigh(*args)
    )
    for _ in range(2):
        recommend(fan.pk, limit=36)
        embed.embed_items(None, [new.pk])
    before, after = (pool.votes[pool.ids == new.pk][0] for pool in pools)
    assert before.tolist() == [0, 0, 0, 0]
    pool = pools[1]
    of = dict(zip(pool.ids.tolist(), pool.votes, strict=True))
    ids, weights, _ = borrowed(new)
    expected = sum(
        weight * of.get(item, np.zeros(4)) for item, weight in zip(ids, weights, strict=True)
    )
    assert after.tolist() == pytest.approx(expected.tolist(), rel=1e-3)
    assert after.max() > 0
    assert not pool.touched[pool.ids == new.pk]


def test_only_what_was_learned_from_feedback_stands_in(crowd):
    twin = make_item("kettle number 99")
    embed.embed_items(None, [twin.pk])
    new = make_item("kettle number 99")
    embed.embed_items(None, [new.pk])
    untouched = {item.pk for item in crowd[33:]}  # in the version, by what they borrow
    assert all(learned_of(item).stand_in_ids for item in crowd[33:])
    assert not {twin.pk, *untouched} & set(borrowed(new)[0])


def test_what_was_learned_of_an_item_itself_stays_when_its_text_changes(crowd):
    before = learned_of(crowd[0])
    crowd[0].title = "boots number 1"
    services.save_item(crowd[0])
    assert embed.embed_items(None, [crowd[0].pk]) == 1
    assert learned_of(crowd[0]).stand_in_ids is None
    assert learned_of(crowd[0]).related_ids == before.related_ids


def test_with_another_text_a_new_item_borrows_from_others(crowd):
    new = make_item("kettle number 99")
    embed.embed_items(None, [new.pk])
    before = borrowed(new)[0]
    new.title = "tent number 99"
    services.save_item(new)
    embed.embed_items(None, [new.pk])
    assert borrowed(new)[0] != before
    tents = {item.pk for item in crowd[2:33:3]}
    assert set(borrowed(new)[0][:5]) <= tents


def test_where_nothing_is_in_use_nothing_is_borrowed(crowd):
    store.retire_version(store.active_version())
    new = make_item("kettle number 99")
    assert embed.embed_items(None, [new.pk]) == 1
    assert not LearnedItem.objects.filter(item=new).exists()


@pytest.mark.django_db(transaction=True)  # the sweep looks after the index, too
def test_the_sweep_mends_what_was_missed_and_what_another_version_does_not_know(crowd):
    first = store.active_version()
    new = make_item("kettle number 99")
    train.activate(train.train(), force=True)
    embed.embed_items(None, [new.pk])  # in the second version alone
    train.go_back()
    assert store.active_version() == first
    assert store.items_to_adopt(_space()) == [new.pk]
    embed.sweep()
    assert store.items_to_adopt(_space()) == []
    assert set(borrowed(new)[0][:5]) <= {item.pk for item in crowd[:33:3]}


def test_an_item_near_to_nothing_borrows_nothing(crowd):
    known = np.eye(4, dtype=np.float32)
    ids, weights = stand_ins(known, np.array([1, 1, 1, 0], dtype=bool), np.array([3]), k=STAND_INS)
    assert (ids == -1).all()
    assert (weights == 0).all()


def _space() -> store.Space:
    active = store.active_space()
    return store.Space(active.id, active.dimension)
