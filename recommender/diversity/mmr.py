"""Maximal Marginal Relevance: relevant rows that do not repeat one of those before them.

Source: Carbonell & Goldstein 1998, doi:10.1145/290941.291025. Their lambda is 1 - penalty here.
"""

import numpy as np

from recommender.diversity.greedy import Open, by_relevance, checked


def penalty(diversity: float) -> float:
    return diversity


def mmr(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
) -> np.ndarray:
    vectors, worth, groups = checked(vectors, relevance, k, diversity, groups, max_per_group)
    k = min(k, len(worth))
    nothing = np.zeros(0, dtype=np.int64)
    if diversity == 0 or k == 0:
        return by_relevance(nothing, np.asarray(relevance), k, groups, max_per_group)

    share = np.float32(penalty(diversity))
    rows = Open(worth * (1 - share), groups, max_per_group)
    chosen = np.empty(k, dtype=np.int64)
    nearest = np.zeros(len(worth), dtype=np.float32)  # penalty: similarity to the nearest chosen
    similar, gain = np.empty_like(nearest), np.empty_like(nearest)
    for place in range(k):
        np.subtract(rows.worth, nearest, out=gain)
        best = int(gain.argmax())
        if gain[best] == -np.inf:
            return by_relevance(chosen[:place], worth, k, groups, max_per_group)
        chosen[place] = best
        rows.take(best)
        np.dot(vectors, vectors[best] * share, out=similar)
        np.maximum(nearest, similar, out=nearest)
    return chosen
