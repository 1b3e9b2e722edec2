"""Maximal Marginal Relevance: relevant rows that repeat none of those before them.

Source: Carbonell & Goldstein 1998, "The Use of MMR, Diversity-Based Reranking",
doi:10.1145/290941.291025. Their lambda is 1 - diversity here.
"""

import numpy as np

from recommender.diversity.greedy import MOST_DIVERSITY, Open, by_relevance, checked


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

    vectors    (n, f), unit rows; a row of zeros is unlike every other
    relevance  (n,) on any scale: it is stretched to [0, 1] over these rows
    diversity  0 keeps the order of relevance; 1 looks at similarity alone, but for the first row
               and for ties. Each step takes the row with the largest (1 - diversity) relevance -
               diversity similarity to the most similar row chosen, where unlike is 0
    groups     (n,) whole numbers: at most max_per_group rows of one group, say of one creator,
               before the rows of others run out; a number below 0 is no group. Neither is needed
    Returns    (min(k, n),) int64 row numbers; equal gains go to the lower row. Once only rows over
               the limit are left, they follow by relevance
    Raises     ValueError if shapes disagree, diversity is outside [0, 1], k is below 0,
               max_per_group below 1, or a number is not finite

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> mmr(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.5).tolist()
    [0, 2]
    """
    vectors, worth, groups = checked(vectors, relevance, k, diversity, groups, max_per_group)
    k = min(k, len(worth))
    chosen = np.zeros(k, dtype=np.int64)
    if diversity == 0 or k == 0:
        return by_relevance(chosen[:0], np.asarray(relevance), k, groups, max_per_group)

    share = np.float32(min(diversity, MOST_DIVERSITY))
    rows = Open(worth * (1 - share), groups, max_per_group)
    repeats = np.zeros(len(worth), dtype=np.float32)  # share x similarity to the nearest chosen
    similar, gain = np.empty_like(repeats), np.empty_like(repeats)
    for place in range(k):
        np.subtract(rows.worth, repeats, out=gain)
        best = int(gain.argmax())
        if gain[best] == -np.inf:
            return by_relevance(chosen[:place], np.asarray(relevance), k, groups, max_per_group)
        chosen[place] = best
        rows.take(best)
        np.dot(vectors, vectors[best] * share, out=similar)
        np.maximum(repeats, similar, out=repeats)
    return chosen
