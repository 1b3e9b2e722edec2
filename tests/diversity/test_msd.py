"""Max-sum diversification, step by step as the greedy choice of the paper goes."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity import msd
from recommender.diversity.msd import TOGETHER


def random_rows(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d))
    relevance = rng.random(n)
    relevance[:2] = 0, 1
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), relevance


@given(st.integers(0, 2**32 - 1), st.floats(0.05, 0.99))
def test_each_step_takes_half_the_relevance_and_the_sum_of_distances(seed, diversity):
    vectors, relevance = random_rows(seed, n=12, d=4)
    chosen: list[int] = []
    for _ in range(8):
        left = [row for row in range(12) if row not in chosen]
        gains = [
            (1 - diversity) * relevance[row] / 2
            + diversity / TOGETHER * sum(1 - vectors[row] @ vectors[other] for other in chosen)
            for row in left
        ]
        chosen.append(left[int(np.argmax(gains))])
    assert msd(vectors, relevance, 8, diversity).tolist() == chosen


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("diversity", [0.3, 0.7, 0.95])
def test_it_comes_to_at_least_half_of_the_best_list(seed, diversity):
    vectors, relevance = random_rows(seed, n=10, d=3)

    def objective(rows) -> float:
        pairs = sum(1 - vectors[a] @ vectors[b] for a, b in combinations(rows, 2))
        return (1 - diversity) * relevance[list(rows)].sum() + diversity / TOGETHER * pairs

    best = max(objective(rows) for rows in combinations(range(10), 4))
    assert objective(msd(vectors, relevance, 4, diversity)) >= best / 2


def test_opposites_are_further_apart_than_strangers():
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert msd(vectors, np.array([1, 0.1, 0.0]), k=3, diversity=0.9).tolist() == [0, 2, 1]
