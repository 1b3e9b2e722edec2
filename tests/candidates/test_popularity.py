"""What people like of late: each person once an item, fading, damped, never below nothing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.popularity import popularity


def scores(*events: tuple, n_items: int = 2) -> list[float]:
    """Events are (item, person, signal) or (item, person, signal, age in days)."""
    columns = list(zip(*((*event, 0.0)[:4] for event in events), strict=True)) or [[]] * 4
    items, people, signals, ages = columns
    return popularity(
        np.array(items, dtype=int),
        np.array(people, dtype=int),
        np.array(signals, dtype=float),
        np.array(ages, dtype=float),
        n_items=n_items,
    ).tolist()


def test_the_most_popular_item_has_one_and_counts_are_damped():
    three, one = np.log(4), np.log(2)
    found = scores((0, 1, 1), (0, 2, 1), (0, 3, 1), (1, 1, 1))
    assert found == pytest.approx([1, one / three])  # 1 and 0.5


def test_a_hundred_views_by_one_person_are_one_view():
    views = [(0, 1, 0.15)] * 100
    assert scores(*views, (1, 2, 0.15)) == [1, 1]


def test_the_best_and_the_worst_that_a_person_said_count():
    assert scores((0, 1, 1), (0, 1, -1), (1, 1, 1)) == [0, 1]
    assert scores((0, 1, 1), (0, 1, -0.5), (0, 1, -0.2), (1, 2, 0.5)) == [1, 1]


def test_dislikes_of_others_subtract_and_never_below_zero():
    assert scores((0, 1, 1), (0, 2, -1), (0, 3, -1), (1, 1, 1)) == [0, 1]


def test_a_like_of_half_a_year_ago_counts_half():
    assert scores((0, 1, 1, 180), (1, 1, 0.5, 0)) == [1, 1]


def test_where_nobody_likes_anything_all_is_zero():
    assert scores() == [0, 0]
    assert scores((0, 1, -1)) == [0, 0]


@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_signal_that_is_not_finite_is_refused(number):
    with pytest.raises(ValueError, match="signal"):
        scores((0, 1, number))


def test_an_unknown_age_is_refused():
    with pytest.raises(ValueError, match="nan"):
        scores((0, 1, 1, np.nan))


@pytest.mark.parametrize("item", [-1, 2])
def test_an_item_out_of_range_is_refused(item):
    with pytest.raises(ValueError, match="item"):
        scores((item, 1, 1))


def test_lengths_that_differ_are_refused():
    with pytest.raises(ValueError, match="length"):
        popularity(np.zeros(2, int), np.zeros(2, int), np.ones(1), np.zeros(2), n_items=1)


EVENT = st.tuples(st.integers(0, 4), st.integers(0, 4), st.floats(-1, 1.2), st.floats(0, 1e4))


@given(st.lists(EVENT, max_size=60), st.randoms())
def test_scores_are_between_0_and_1_and_the_order_of_events_does_not_matter(events, random):
    found = scores(*events, n_items=5)
    assert all(0 <= score <= 1 for score in found)
    random.shuffle(events)
    assert scores(*events, n_items=5) == pytest.approx(found, abs=1e-6)


@given(st.lists(EVENT, max_size=60), st.integers(0, 4))
def test_one_more_person_who_likes_an_item_never_puts_it_behind(events, item):
    before = scores(*events, n_items=5)
    after = scores(*events, (item, 99, 1.0), n_items=5)
    behind = {other for other in range(5) if before[other] < before[item]}
    assert all(after[other] <= after[item] for other in behind)
