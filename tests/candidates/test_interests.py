"""Interests: one for each thing a person likes, weighty ones first, none for a single odd like."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.interests import learn_interests

EAST, NORTH, UP = np.eye(3)
KETTLES = np.array([EAST, EAST, EAST])
BOOTS = np.array([NORTH, NORTH])


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_two_kinds_of_likes_are_two_interests_the_weightier_first():
    found = learn_interests(np.concatenate([BOOTS, KETTLES]), np.ones(5))
    assert found.members.tolist() == [1, 1, 0, 0, 0]
    assert found.vectors.tolist() == [EAST.tolist(), NORTH.tolist()]
    assert found.weights.tolist() == pytest.approx([0.6, 0.4])


def test_an_interest_points_at_the_weighted_mean_of_its_likes():
    found = learn_interests(np.array([EAST, NORTH]), np.array([3.0, 4.0]))
    assert found.vectors[0].tolist() == pytest.approx([0.6, 0.8, 0])
    assert found.weights.tolist() == [1]


def test_weight_decides_which_interest_comes_first():
    weights = np.array([1, 1, 0.1, 0.1, 0.1])
    found = learn_interests(np.concatenate([BOOTS, KETTLES]), weights)
    assert found.members.tolist() == [0, 0, 1, 1, 1]
    assert found.weights.tolist() == pytest.approx([2 / 2.3, 0.3 / 2.3])


def test_one_odd_like_is_no_interest_of_its_own():
    found = learn_interests(np.array([EAST, EAST, EAST, UP]), np.ones(4))
    assert found.members.tolist() == [0, 0, 0, 0]


def test_one_and_two_likes_are_one_interest_and_none_are_none():
    assert len(learn_interests(np.array([EAST]), np.ones(1)).weights) == 1
    assert len(learn_interests(np.array([EAST, UP]), np.ones(2)).weights) == 1
    none = learn_interests(np.zeros((0, 3)), np.zeros(0))
    assert (none.vectors.shape, none.weights.shape, none.members.shape) == ((0, 3), (0,), (0,))


def test_a_like_without_a_vector_belongs_nowhere_and_has_no_weight():
    found = learn_interests(np.array([EAST, np.zeros(3), EAST]), np.array([1.0, 50.0, 1.0]))
    assert found.members.tolist() == [0, -1, 0]
    assert found.weights.tolist() == [1]
    assert learn_interests(np.zeros((2, 3)), np.ones(2)).members.tolist() == [-1, -1]


def test_there_are_no_more_interests_than_asked_for():
    rows = np.repeat(np.eye(8), 3, axis=0)
    assert len(learn_interests(rows, np.ones(24)).weights) == 5
    assert len(learn_interests(rows, np.ones(24), max_interests=2).weights) == 2
    assert len(learn_interests(rows, np.ones(24), max_interests=8).weights) == 8


def test_opposite_likes_that_cancel_are_stood_for_by_the_first():
    found = learn_interests(np.array([UP, -UP]), np.ones(2))
    assert found.vectors.tolist() == [UP.tolist()]


def test_scatter_around_one_thing_is_no_more_than_one_interest():
    rows = np.random.default_rng(0).standard_normal((60, 16)) * 0.15 + np.eye(16)[0]
    assert len(learn_interests(unit(rows), np.ones(60)).weights) == 1


def test_equal_likes_are_one_interest():
    assert learn_interests(np.tile(UP, (20, 1)), np.ones(20)).members.tolist() == [0] * 20


@pytest.mark.parametrize("weight", [0, -1, np.nan, np.inf])
def test_a_weight_that_is_not_above_0_and_finite_is_refused(weight):
    with pytest.raises(ValueError, match="weight"):
        learn_interests(np.array([EAST, UP]), np.array([1, weight]))


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("number", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_is_refused(number):
    with pytest.raises(ValueError, match="not finite"):
        learn_interests(np.array([EAST, [number, 0, 0]]), np.ones(2))


def test_shapes_that_disagree_and_no_interests_at_all_are_refused():
    with pytest.raises(ValueError, match="shapes disagree"):
        learn_interests(np.eye(3), np.ones(2))
    with pytest.raises(ValueError, match="max_interests"):
        learn_interests(np.eye(3), np.ones(3), max_interests=0)


@given(st.integers(0, 2**32 - 1), st.integers(1, 100), st.integers(1, 6))
def test_any_history_gives_unit_interests_that_divide_its_weight(seed, n, most):
    rng = np.random.default_rng(seed)
    # A coarse grid, so that equal and opposite likes come up; a row of zeros is no vector.
    rows = rng.integers(-1, 2, (n, 3)).astype(float)
    has = rows.any(axis=1)
    rows[has] = unit(rows[has])
    weights = rng.uniform(0.01, 1, n)
    found = learn_interests(rows, weights, max_interests=most)
    again = learn_interests(rows, weights, max_interests=most)
    k = len(found.weights)
    assert (k == 0) == (not has.any())
    assert k <= most
    assert ((found.members >= 0) == has).all()
    assert set(found.members[has]) == set(range(k))
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(k), abs=1e-5)
    shares = np.bincount(found.members[has], weights=weights[has], minlength=k)
    assert found.weights == pytest.approx(shares / max(shares.sum(), 1e-9), abs=1e-5)
    assert (np.diff(found.weights) <= 0).all()
    assert found.vectors.tobytes() == again.vectors.tobytes()
    assert found.members.tolist() == again.members.tolist()
