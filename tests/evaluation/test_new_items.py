"""Items that nobody has touched: judged apart, by a past that knows nothing of them."""

import numpy as np
import pytest

from recommender.evaluation import new_items
from recommender.evaluation.fitting import part
from recommender.evaluation.new_items import judge_new_items, nearest_to_mean
from recommender.evaluation.replay import look_back, rows_by_person
from recommender.evaluation.splits import Leak
from recommender.ranking.model import untrained
from recommender.ranking.pipeline import Rules
from tests.evaluation.worlds import EACH, N_ITEMS, N_PEOPLE, library, likes, together
from tests.events import events as some_events

NEW = np.arange(100, 140, 5)  # one of five
RULES = Rules(limit=2, diversity=0.0, model=untrained())


def texts_of_two_kinds() -> np.ndarray:
    """Even items are near to one text, odd ones to another."""
    vectors = np.random.default_rng(3).normal(scale=0.2, size=(N_ITEMS, 4)).astype(np.float32)
    vectors[np.arange(N_ITEMS), np.arange(N_ITEMS) % 2] += 1.0
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture
def world():
    """People who take up one of two kinds of items; a past without the new ones; and those."""
    rng = np.random.default_rng(1)
    everything = together(
        *(
            likes(p, 100 + p % 2 + 2 * rng.permutation(N_ITEMS // 2)[:EACH], range(1, EACH + 1))
            for p in range(N_PEOPLE)
        )
    )
    new = np.isin(everything.items, NEW)
    past = look_back(library(vectors=texts_of_two_kinds()), part(everything, ~new))
    rows_of = rows_by_person(everything.people[new])
    return past, {p: everything.items[new][rows] for p, rows in rows_of.items()}


def judged(world, rules=RULES) -> dict:
    past, targets = world
    found = judge_new_items(past, NEW, targets, rules, pool_size=40)
    return {one.name: one for one in found}


def test_where_texts_say_who_likes_what_both_orders_by_text_beat_a_random_one(world):
    found = judged(world)
    assert list(found) == ["random order", "mean of texts", "relevance order"]
    assert {len(one.ndcg) for one in found.values()} == {len(world[1])}
    by_chance = found["random order"].ndcg.mean()
    assert by_chance == pytest.approx(0.3, abs=0.15)  # half are of the kind, 3 in 5 of them taken
    assert found["mean of texts"].ndcg.mean() > by_chance + 0.2
    assert found["relevance order"].ndcg.mean() > by_chance + 0.2


def test_where_they_alone_may_be_shown_nothing_else_is(world, monkeypatch):
    past, targets = world
    lists, make = [], new_items.list_for

    def keep(past, history, rules, **more):
        lists.append(make(past, history, rules, **more).tolist())
        return np.array(lists[-1], np.int64)

    monkeypatch.setattr(new_items, "list_for", keep)
    judged(world, Rules(limit=40, diversity=0.0))
    alone, among_all = lists[::2], lists[1::2]
    assert len(alone) == len(among_all) == len(targets)
    assert all(sorted(shown) == NEW.tolist() for shown in alone)
    for person, shown in zip(targets, among_all, strict=True):
        had = past.events.items[past.events.people == person]
        assert set(shown) == set(past.library.ids.tolist()) - set(had.tolist())


def test_the_share_and_the_coverage_of_new_items_are_those_of_the_lists_of_all_items(world):
    whole = judged(world, Rules(limit=40, diversity=0.0))
    past, targets = world
    places = sum(N_ITEMS - np.count_nonzero(past.events.people == p) for p in targets)
    for one in whole.values():  # so long that all is shown that was not had
        assert one.share == pytest.approx(len(NEW) * len(targets) / places)
        assert one.coverage == 1.0
        assert one.recall.tolist() == [1.0] * len(targets)


def test_an_event_of_a_new_item_that_is_known_after_all_is_no_result_but_an_error(world):
    past, targets = world
    leaking = together(past.events, likes(3, [int(NEW[0])], [5]))
    with pytest.raises(Leak, match="nobody is meant to have touched"):
        judged((look_back(past.library, leaking), targets))


def test_what_is_not_shown_any_more_is_not_among_the_new_ones(world):
    past, targets = world
    hidden = int(NEW[1])
    past = look_back(
        library(vectors=past.library.vectors, shown=past.library.ids != hidden), past.events
    )
    found = judged((past, targets), Rules(limit=40, diversity=0.0))
    assert {one.coverage for one in found.values()} == {1.0}
    asked_for_it = [p for p, wanted in targets.items() if hidden in wanted]
    assert asked_for_it
    recall = dict(zip(targets, found["mean of texts"].recall, strict=True))
    assert all(recall[p] < 1 for p in asked_for_it)


def test_the_mean_is_of_what_was_good_alone():
    vectors = np.zeros((N_ITEMS, 4), np.float32)
    vectors[:4] = [[1, 0, 0, 0], [0, 1, 0, 0], [0.8, 0.6, 0, 0], [0.7, 0.714, 0, 0]]
    known = some_events((1, 100, "like", np.nan, 1), (1, 101, "rating", 1.0, 2))
    past = look_back(library(vectors=vectors), known)
    only = np.isin(past.library.ids, [102, 103, 104])
    assert nearest_to_mean(past, np.array([0, 1]), 2, only).tolist() == [102, 103]
    assert nearest_to_mean(past, np.array([0, 1]), 9, only).tolist() == [102, 103, 104]
