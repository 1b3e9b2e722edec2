"""Factors of items, and a person folded in from a history as a training would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.candidates.factors import (
    CONFIDENCE,
    REGULARISATION,
    Factors,
    fold_in,
    learn_factors,
)


def learn(likes: np.ndarray, **more) -> Factors:
    """From a table (people, items) of how much each counts, 0 for not."""
    people, items = np.nonzero(likes)
    n_people, n_items = likes.shape
    return learn_factors(
        people, items, likes[people, items], n_people=n_people, n_items=n_items, **more
    )


def two_camps(seed: int = 0) -> np.ndarray:
    """Forty people who like some of the first ten items or some of the last ten; nobody the 21st"""
    rng = np.random.default_rng(seed)
    likes = np.zeros((40, 21))
    likes[:20, :10] = rng.random((20, 10)) < 0.6
    likes[20:, 10:20] = rng.random((20, 10)) < 0.6
    return likes * rng.uniform(0.3, 1.2, likes.shape)


def test_a_person_with_one_like_is_folded_in_as_arithmetic_has_it():
    # (gram + 3 w f f + 5) x = (1 + 3 w) f, with a gram of 2, a factor of 1 and a weight of 0.5
    one = np.ones((1, 1), np.float32)
    assert fold_in(one, np.array([0.5]), 2 * one) == pytest.approx([2.5 / (2 + 1.5 + 5)])
    assert (CONFIDENCE, REGULARISATION) == (3, 5)


def test_a_history_of_the_training_is_folded_in_by_its_normal_equations():
    likes = two_camps()
    found = learn(likes, factors=8)
    items = found.items.astype(np.float64)
    for person in (0, 25):
        confidence = 1 + CONFIDENCE * likes[person]  # of every item, taken up or not
        left = items.T @ (confidence[:, None] * items) + REGULARISATION * np.eye(items.shape[1])
        right = items.T @ (confidence * (likes[person] > 0))
        history = np.flatnonzero(likes[person])
        mine = fold_in(found.items[history], likes[person][history], found.gram)
        assert mine == pytest.approx(np.linalg.solve(left, right), abs=1e-4)
        assert np.abs(mine).max() > 0.1


@given(st.integers(0, 2**32 - 1))
def test_no_step_away_from_what_was_folded_in_makes_the_loss_smaller(seed):
    rng = np.random.default_rng(seed)
    items, weights = rng.normal(size=(12, 3)).astype(np.float32), np.zeros(12)
    weights[:5] = rng.uniform(0.1, 1.2, 5)
    mine = fold_in(items[:5], weights[:5], items.T @ items).astype(np.float64)

    def loss(person: np.ndarray) -> float:
        wrong = (weights > 0) - items @ person
        return (1 + CONFIDENCE * weights) @ wrong**2 + REGULARISATION * person @ person

    for step in rng.normal(scale=0.05, size=(20, 3)):
        assert loss(mine) <= loss(mine + step) + 1e-6


def test_nobody_with_nothing_known_is_folded_in_as_nothing():
    gram = np.eye(3, dtype=np.float32)
    assert fold_in(np.zeros((0, 3), np.float32), np.zeros(0), gram).tolist() == [0, 0, 0]
    assert fold_in(np.zeros((2, 3), np.float32), np.ones(2), gram).tolist() == [0, 0, 0]
    assert fold_in(np.ones((2, 3), np.float32), np.zeros(2), gram).tolist() == [0, 0, 0]


def test_what_counts_for_nothing_changes_nothing():
    rng = np.random.default_rng(0)
    items = rng.normal(size=(4, 3)).astype(np.float32)
    items[3] = 0
    gram = items.T @ items
    both = fold_in(items, np.array([1, 0.5, 0, 1]), gram)
    assert both.tolist() == fold_in(items[:2], np.array([1, 0.5]), gram).tolist()


def test_people_go_with_the_items_of_their_camp():
    likes = two_camps()
    found = learn(likes, factors=8)
    for person, own, other in ((0, slice(0, 10), slice(10, 20)), (25, slice(10, 20), slice(0, 10))):
        history = np.flatnonzero(likes[person])
        score = found.items @ fold_in(found.items[history], likes[person][history], found.gram)
        assert score[own].min() > score[other].max()


def test_an_item_that_nobody_took_up_has_no_factors():
    found = learn(two_camps(), factors=8)
    assert found.items[20].tolist() == [0] * 8
    assert found.items[:20].any(axis=1).all()


def test_the_gram_is_that_of_the_items():
    found = learn(two_camps(), factors=8)
    assert found.gram == pytest.approx(found.items.T @ found.items)


def test_there_are_no_more_factors_than_half_the_people_or_items():
    assert learn(two_camps()[:, :6], factors=64).items.shape == (6, 3)
    assert learn(np.ones((4, 30)), factors=64).items.shape == (30, 2)
    assert learn(np.ones((1, 1))).items.shape == (1, 1)


def test_a_seed_gives_the_same_factors_and_another_seed_others():
    once, again = learn(two_camps(), seed=1), learn(two_camps(), seed=1)
    assert once.items.tobytes() == again.items.tobytes()
    assert learn(two_camps(), seed=2).items.tobytes() != once.items.tobytes()
