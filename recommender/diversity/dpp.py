"""Determinantal point process: relevant rows that together span as much as possible.

Source: Chen, Zhang & Zhou 2018, "Fast Greedy MAP Inference for Determinantal Point Process to
Improve Recommendation Diversity", arXiv:1709.05135. Their kernel is exp(alpha r_i) S_ij
exp(alpha r_j); relevance factors out of its Cholesky rows, so ours are those of S, in logarithms.
"""

import numpy as np

from recommender.diversity.greedy import Gains, Gate, Greedy, Take

# A row with less of its squared length outside the span of the chosen brings nothing new: float32
# cannot tell it from none.
LEAST_NEW = 1e-4
# 2 alpha = ((1 - diversity) / diversity) ^ ALIKE. With 1.25 a diversity keeps as much relevance as
# the same one in mmr(): to 0.2 % up to 0.7 for the best 10 of 200 films; of the best 20, 2 % less
# at 0.5.
ALIKE = 1.25
LEAST_DIVERSITY = 1e-6  # below it, relevance on that scale would leave float32


def dpp(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
    gate: Gate | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them.

    vectors    (n, f), unit rows; a row of zeros is unlike every other
    relevance  (n,) on any scale: it is stretched to [0, 1] over these rows
    diversity  0 keeps the order of relevance; 1 looks at the span alone, but for the first row and
               for ties; between them it costs as much relevance as the same number in mmr()
    groups     (n,) whole numbers: at most max_per_group rows of one group before the rows of others
               run out; a number below 0 is no group. Neither is needed
    gate       turns down rows that may not stand beside those chosen; see contract.py
    Returns    (min(k, n),) int64 row numbers; equal gains go to the lower row. Once nothing new or
               only rows over the limit are left, the others follow by relevance
    Raises     ValueError if shapes disagree, diversity is outside [0, 1], k is below 0,
               max_per_group below 1, or a number is not finite

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> dpp(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.5).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    if greedy.plain:
        return greedy.by_relevance()

    share = max(greedy.share, LEAST_DIVERSITY)

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        new = np.ones_like(worth)  # squared length outside the span of the chosen
        spanned = np.empty((greedy.k, len(worth)), dtype=np.float32)  # Cholesky, one row a chosen
        gain, known = np.empty_like(worth), np.empty_like(worth)
        place = 0

        def gains() -> np.ndarray:
            np.log(new, out=gain)
            return np.add(gain, worth, out=gain)

        def take(row: int) -> None:
            nonlocal place
            along = spanned[place]
            vectors.dot(vectors[row], out=along)
            if place:
                np.dot(spanned[:place, row], spanned[:place], out=known)
                np.subtract(along, known, out=along)
            np.divide(along, np.sqrt(new[row]), out=along)
            np.multiply(along, along, out=known)
            np.subtract(new, known, out=new)
            if new[new.argmin()] < LEAST_NEW:  # a third of the time of min()
                worth[new < LEAST_NEW] = -np.inf
                np.maximum(new, LEAST_NEW, out=new)
            place += 1

        return gains, take

    return greedy.choose(np.float32(((1 - share) / share) ** ALIKE), steps, falling=True)
