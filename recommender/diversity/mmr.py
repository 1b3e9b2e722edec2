"""Maximal Marginal Relevance: relevant items that do not repeat each other.

Source: Carbonell & Goldstein 1998, "The Use of MMR, Diversity-Based Reranking",
doi:10.1145/290941.291025. Their lambda is 1 - diversity here.
"""

import numpy as np

from recommender.diversity.choice import Choice


def mmr(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them.

    vectors    (n, f), unit rows; similarity is their dot product
    relevance  (n,), on the scale of similarity, that is at most 1
    diversity  0 keeps the order of relevance; 1 looks at similarity alone
    groups     (n,) int, below 0 for none; see Choice for the limit
    Returns    (min(k, n),) int64 row numbers; equal gains go to the lower row
    Raises     ValueError if diversity is outside [0, 1], the shapes disagree or relevance is nan

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> mmr(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.5).tolist()
    [0, 2]
    """
    choice = Choice(vectors, relevance, k, diversity, groups, max_per_group)
    wanted = (1 - diversity) * relevance
    nearest_chosen = np.zeros(len(vectors), dtype=vectors.dtype)  # to the most similar chosen row
    while not choice.is_full:
        row = choice.take_best(wanted - diversity * nearest_chosen)
        nearest_chosen = np.maximum(nearest_chosen, vectors @ vectors[row])
    return choice.as_array()
