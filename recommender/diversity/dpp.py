"""Determinantal point process: rows that are relevant and together span much.

Source: Chen, Zhang & Zhou 2018
"""

import numpy as np

from recommender.diversity.greedy import Open, by_relevance, checked

# Of a row's length, how much must lie outside what the chosen ones span (squared).
LEAST_NEW = 1e-4


def trust(diversity: float) -> float:
    return (1 - diversity) / diversity


def dpp(
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

    rows = Open(worth * np.float32(trust(diversity)), groups, max_per_group)
    chosen = np.empty(k, dtype=np.int64)
    new = np.ones(len(worth), dtype=np.float32)  # squared length outside the span of the chosen
    spanned = np.empty((k, len(worth)), dtype=np.float32)  # Cholesky factor, a row for each chosen
    gain = np.empty_like(new)
    for place in range(k):
        np.log(new, out=gain)
        gain += rows.worth
        best = int(gain.argmax())
        if gain[best] == -np.inf:
            return by_relevance(chosen[:place], worth, k, groups, max_per_group)
        chosen[place] = best
        rows.take(best)
        along = spanned[place]
        np.dot(vectors, vectors[best], out=along)
        if place:
            along -= spanned[:place, best] @ spanned[:place]
        along /= np.sqrt(new[best])
        new -= along * along
        rows.worth[new < LEAST_NEW] = -np.inf
        np.maximum(new, LEAST_NEW, out=new)
    return chosen
