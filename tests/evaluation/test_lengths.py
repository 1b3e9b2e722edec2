"""People of whom little is known: as they are, and as if they had come later."""

import numpy as np
import pytest

from recommender.evaluation import lengths
from recommender.evaluation.fitting import part
from recommender.evaluation.lengths import by_length
from recommender.evaluation.replay import look_back, popular_for
from recommender.evaluation.splits import last_fraction
from recommender.ranking.pipeline import Rules
from tests.evaluation.worlds import EACH, N_PEOPLE, in_order, library

KNOWN = EACH - 2  # of each person; the last fifth is to be foretold
RULES = Rules(limit=5, diversity=0.0)


@pytest.fixture
def world():
    """A past, and what each person took up after it."""
    events = in_order()
    held = last_fraction(events.people, events.moments, 0.2)
    targets = {p: events.items[held & (events.people == p)] for p in range(N_PEOPLE)}
    return look_back(library(), part(events, ~held)), targets


@pytest.fixture
def asked(monkeypatch):
    """Each list that is made: the items of the history it is made by, and what is shown."""
    made, make = [], lengths.list_for

    def keep(past, history, rules, **more):
        shown = make(past, history, rules, **more)
        made.append((past.events.items[history].tolist(), shown.tolist()))
        return shown

    monkeypatch.setattr(lengths, "list_for", keep)
    return made


def test_everybody_is_judged_as_they_are_and_with_each_shorter_history(world):
    groups = by_length(*world, RULES, pool_size=40)
    assert [(str(group), group.is_cut) for group in groups] == [
        ("0", True),
        ("1–5", True),
        ("6–20", False),
    ]
    assert [len(group.ndcg) for group in groups] == [N_PEOPLE] * 3
    assert [len(group.of_popularity) for group in groups] == [N_PEOPLE] * 3


def test_what_is_left_of_a_history_is_its_newest_part_and_nothing_had_is_shown(world, asked):
    past, targets = world
    by_length(past, {7: targets[7]}, RULES, pool_size=40)
    had = past.events.items[past.events.people == 7].tolist()
    none, few, whole = (history for history, _ in asked)
    assert none == []
    assert 1 <= len(few) <= 5
    assert few == had[-len(few) :]
    assert whole == had
    assert all(len(shown) == 5 and not set(shown) & set(had) for _, shown in asked)


def test_where_order_says_everything_the_newest_few_do_and_nothing_says_as_much_as_popularity(
    world,
):
    none, few, whole = by_length(*world, RULES, pool_size=40)
    assert none.ndcg.mean() == pytest.approx(none.of_popularity.mean(), abs=0.1)
    assert few.ndcg.mean() > few.of_popularity.mean() + 0.5
    assert whole.ndcg.mean() > 0.9
    assert few.of_popularity.tolist() == whole.of_popularity.tolist()  # all had the same


def test_somebody_with_nothing_before_is_judged_by_what_is_shown_to_anybody(world, asked):
    past, _ = world
    best = popular_for(past, np.zeros(0, np.int64), 1)
    [group] = by_length(past, {999: best}, RULES, pool_size=40)
    assert (group.low, group.high, group.is_cut) == (0, 0, False)
    assert group.of_popularity.tolist() == [1.0]
    [(history, shown)] = asked
    assert history == []
    assert len(shown) == 5


def test_what_is_not_shown_any_more_is_in_no_list(world, asked):
    past, targets = world
    free = past.library.ids % 2 == 0
    past = look_back(library(shown=free), past.events)
    by_length(past, targets, RULES, pool_size=40)
    assert not any(item % 2 for _, shown in asked for item in shown)


def test_equal_seeds_cut_alike(world, asked):
    for seed in (3, 3, 4):
        by_length(*world, RULES, pool_size=40, seed=seed)
    third = len(asked) // 3
    assert asked[:third] == asked[third : 2 * third] != asked[2 * third :]
