"""Points say what gave the relevance shown, and add up to it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recommender.ranking.explain import out_of_100, points_of

PARTS = arrays(
    np.float32,
    st.tuples(st.integers(0, 8), st.integers(0, 20)),
    elements=st.floats(-2, 2, width=32).map(lambda share: 0.0 if abs(share) < 1e-6 else share),
)


def relevance_of(parts: np.ndarray) -> np.ndarray:
    return np.clip(parts.sum(axis=1), 0.0, 1.0)


@given(PARTS)
def test_points_add_up_to_what_is_shown(parts):
    relevance = relevance_of(parts)
    points = points_of(parts, relevance)
    shown = [round(100 * float(share)) for share in relevance]
    assert points.sum(axis=1).tolist() == shown
    assert all(0 <= number <= 100 for number in shown)


@given(PARTS)
def test_each_is_one_of_the_two_whole_numbers_next_to_it(parts):
    points = points_of(parts, relevance_of(parts))[:, :-1]
    exact = 100 * parts.astype(np.float64)
    assert (np.floor(exact) <= points).all()
    assert (points <= np.floor(exact) + 1).all()
    assert (points[parts == 0] == 0).all()


@given(PARTS)
def test_what_goes_beyond_the_scale_is_told_and_nothing_else(parts):
    total = parts.astype(np.float64).sum(axis=1)
    beyond = points_of(parts, relevance_of(parts))[:, -1]
    inside = (total >= 1e-4) & (total <= 1 - 1e-4)
    assert (beyond[inside] == 0).all()
    assert (beyond[total > 1.01] < 0).all()
    assert (beyond[total < -0.01] > 0).all()


def test_the_largest_remainders_get_what_is_missing():
    parts = np.array([[0.104, 0.207, 0.309], [0.333, 0.333, 0.334]])
    # 62 shown: 10 + 20 + 30 leave 2, for 0.9 and 0.7; of equals the one that stands first.
    assert points_of(parts, parts.sum(axis=1)).tolist() == [[10, 21, 31, 0], [33, 33, 34, 0]]


def test_what_speaks_against_an_item_takes_points():
    parts = np.array([[0.504, -0.203]])
    assert points_of(parts, parts.sum(axis=1)).tolist() == [[50, -20, 0]]


def test_relevance_is_shown_in_whole_numbers_half_to_even():
    assert out_of_100(np.array([0.0, 0.125, 0.375, 0.994, 1.0])).tolist() == [0, 12, 38, 99, 100]
