"""MMR trades relevance for variety, as a plain loop over the formula of the paper does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.diversity.mmr import mmr

TWINS_AND_A_STRANGER = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])


def random_rows(seed: int, n: int = 30, d: int = 8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((n, d))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), rng.random(n)


def test_a_little_diversity_does_not_outweigh_much_relevance():
    # Stretched, the twin has 0.75 and the stranger 0: 0.8 x 0.75 - 0.2 x 1 > 0.
    relevance = np.array([0.9, 0.8, 0.5])
    assert mmr(TWINS_AND_A_STRANGER, relevance, k=3, diversity=0.2).tolist() == [0, 1, 2]


def test_likeness_below_nothing_is_no_merit():
    # Row 1 points away from row 0, row 2 is merely unlike: the more relevant comes first.
    vectors = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])
    assert mmr(vectors, np.array([1, 0.4, 0.5]), k=3, diversity=0.9).tolist() == [0, 2, 1]


def test_at_full_diversity_relevance_names_the_first_row_and_breaks_ties():
    vectors = np.eye(4)
    assert mmr(vectors, np.array([0.1, 0.4, 0.2, 0.3]), k=4, diversity=1).tolist() == [1, 3, 2, 0]


def test_a_row_of_zeros_is_unlike_every_other():
    vectors = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert mmr(vectors, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.5).tolist() == [0, 2]


@given(st.integers(0, 2**32 - 1), st.floats(0.1, 0.9))
def test_more_of_the_list_never_changes_its_beginning(seed, diversity):
    vectors, relevance = random_rows(seed, n=12, d=4)
    whole = mmr(vectors, relevance, k=12, diversity=diversity).tolist()
    assert mmr(vectors, relevance, k=5, diversity=diversity).tolist() == whole[:5]
