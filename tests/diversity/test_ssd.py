"""Sliding spectrum decomposition beside a loop that does subtract directions from the vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import ssd


def random_rows(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d))
    relevance = rng.random(n)
    relevance[:2] = 0, 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), relevance


def by_subtraction(vectors, relevance, k: int, diversity: float, window: int) -> list[int]:
    left_of, chosen, subtracted = vectors.copy(), [], []
    for _ in range(k):
        gain = (1 - diversity) * relevance + diversity * np.linalg.norm(left_of, axis=1)
        gain[chosen] = -np.inf
        chosen.append(int(gain.argmax()))
        own = left_of[chosen[-1]].copy()
        if len(subtracted) == window:
            left_of += subtracted.pop(0)
        away = np.outer(left_of @ own / max(own @ own, 1e-12), own)
        left_of -= away
        subtracted.append(away)
    return chosen


@pytest.mark.parametrize("window", [1, 2, 4, 12])
@pytest.mark.parametrize("diversity", [0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("seed", range(4))
def test_it_takes_what_the_loop_takes(seed, diversity, window):
    vectors, relevance = random_rows(seed, n=30, d=16)
    expected = by_subtraction(vectors, relevance, 12, diversity, window)
    assert ssd(vectors, relevance, 12, diversity, window=window).tolist() == expected


@pytest.mark.parametrize("size", [(200, 384, 20), (1000, 64, 50)])
def test_it_does_not_drift_in_a_long_list_of_many(size):
    n, d, k = size
    vectors, relevance = random_rows(1, n, d)
    expected = by_subtraction(vectors, relevance, k, 0.6, 10)
    assert ssd(vectors, relevance, k, 0.6, window=10).tolist() == expected


def test_a_twin_may_come_again_once_the_window_has_passed():
    vectors = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]])
    relevance = np.array([1, 0.9, 0.1, 0.0])
    assert ssd(vectors, relevance, 4, 0.6, window=3).tolist() == [0, 2, 3, 1]
    assert ssd(vectors, relevance, 4, 0.6, window=1).tolist() == [0, 2, 1, 3]


def test_a_row_of_zeros_is_unlike_every_other():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert ssd(vectors, np.array([0.9, 0.8, 0.7, 0.6]), 4, 0.9).tolist() == [0, 2, 3, 1]


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 4), st.integers(1, 25))
def test_with_fewer_directions_than_places_it_still_gives_every_row_once(seed, diversity, d, w):
    vectors, relevance = random_rows(seed, n=20, d=d)
    assert sorted(ssd(vectors, relevance, 20, diversity, window=w)) == list(range(20))


def test_a_window_of_nothing_is_refused():
    with pytest.raises(ValueError, match="window"):
        ssd(np.eye(2), np.ones(2), 1, 0.5, window=0)
