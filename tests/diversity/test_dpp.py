"""The greedy choice of a determinantal point process: each step the largest determinant."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.dpp import ALIKE, dpp


def random_rows(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), rng.random(n)


def by_determinants(vectors: np.ndarray, relevance: np.ndarray, k: int, diversity: float) -> list:
    """Each step the row with which the determinant of exp(a r_i) S_ij exp(a r_j) is largest."""
    worth = (relevance - relevance.min()) / np.ptp(relevance)
    scale = np.exp(((1 - diversity) / diversity) ** ALIKE * worth / 2)
    kernel = (vectors @ vectors.T) * np.outer(scale, scale)
    chosen: list[int] = []
    for _ in range(k):
        left = [row for row in range(len(vectors)) if row not in chosen]
        sizes = [np.linalg.slogdet(kernel[np.ix_(s, s)])[1] for s in ([*chosen, r] for r in left)]
        chosen.append(left[int(np.argmax(sizes))])
    return chosen


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("diversity", [0.2, 0.5, 0.8, 0.999])
def test_each_step_takes_the_largest_determinant(seed, diversity):
    vectors, relevance = random_rows(seed, n=15, d=10)
    expected = by_determinants(vectors, relevance, 8, diversity)
    assert dpp(vectors, relevance, k=8, diversity=diversity).tolist() == expected


def test_when_nothing_new_is_left_the_rest_follows_by_relevance():
    # Two directions, six rows: after the two best of each, by relevance, ties to the lower row.
    vectors = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    relevance = np.array([0.5, 0.9, 0.6, 0.4, 0.6, 0.7])
    assert dpp(vectors, relevance, k=6, diversity=0.5).tolist() == [1, 5, 2, 4, 0, 3]
    assert dpp(vectors, relevance, k=3, diversity=0.5).tolist() == [1, 5, 2]


def test_a_twin_waits_until_nothing_new_is_left_however_relevant_it_is():
    vectors = np.array([[1.0, 0], [1, 0], [0, 1]])
    assert dpp(vectors, np.array([1, 0.9, 0.0]), k=3, diversity=0.1).tolist() == [0, 2, 1]


def test_a_row_within_the_span_of_the_chosen_brings_nothing_new():
    # Row 2 lies between rows 0 and 1; row 3 is outside their plane, however irrelevant.
    vectors = np.array([[1.0, 0, 0], [0, 1, 0], [0.6, 0.8, 0], [0, 0, 1]])
    relevance = np.array([1, 0.9, 0.8, 0.0])
    assert dpp(vectors, relevance, k=4, diversity=0.4).tolist() == [0, 1, 3, 2]


def test_a_row_of_zeros_is_unlike_every_other():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    assert dpp(vectors, np.array([0.9, 0.8, 0.5, 0.4]), 4, 0.5).tolist() == [0, 2, 3, 1]


def test_at_full_diversity_relevance_names_the_first_row_and_breaks_ties():
    assert dpp(np.eye(4), np.array([0.1, 0.4, 0.2, 0.3]), k=4, diversity=1).tolist() == [1, 3, 2, 0]


@pytest.mark.parametrize("diversity", [5e-324, 1e-40, 1e-9])
def test_hardly_any_diversity_is_the_order_of_relevance(diversity):
    vectors, relevance = random_rows(0, n=12, d=12)
    order = np.argsort(-relevance).tolist()
    assert dpp(vectors, relevance, k=12, diversity=diversity).tolist() == order


@given(st.integers(0, 2**32 - 1), st.floats(0, 1), st.integers(1, 4))
def test_with_fewer_directions_than_places_it_still_gives_every_row_once(seed, diversity, d):
    vectors, relevance = random_rows(seed, n=20, d=d)
    assert sorted(dpp(vectors, relevance, k=20, diversity=diversity)) == list(range(20))


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_more_of_the_list_never_changes_its_beginning(seed, diversity):
    vectors, relevance = random_rows(seed, n=12, d=4)
    whole = dpp(vectors, relevance, k=12, diversity=diversity).tolist()
    assert dpp(vectors, relevance, k=7, diversity=diversity).tolist() == whole[:7]
