"""Maximal Marginal Relevance: relevant rows that repeat none of those before them.

Source: Carbonell & Goldstein 1998, "The Use of MMR, Diversity-Based Reranking",
doi:10.1145/290941.291025. Their lambda is 1 - diversity here.
"""

import numpy as np

from recommender.diversity.greedy import Gains, Gate, Greedy, Take


def mmr(
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
    diversity  0 keeps the order of relevance; 1 looks at similarity alone, but for the first row
               and for ties. Each step takes the row with the largest (1 - diversity) relevance -
               diversity similarity to the most similar row chosen, where unlike is 0
    groups     (n,) whole numbers: at most max_per_group rows of one group, say of one creator,
               before the rows of others run out; a number below 0 is no group. Neither is needed
    gate       turns down rows that may not stand beside those chosen; see contract.py
    Returns    (min(k, n),) int64 row numbers; equal gains go to the lower row. Once only rows over
               the limit are left, they follow by relevance
    Raises     ValueError if shapes disagree, diversity is outside [0, 1], k is below 0,
               max_per_group below 1, or a number is not finite

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> mmr(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.5).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    if greedy.plain:
        return greedy.by_relevance()

    share = np.float32(greedy.share)

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        repeats = np.zeros_like(worth)  # share x similarity to the nearest chosen
        similar, gain = np.empty_like(worth), np.empty_like(worth)
        scaled = np.empty(vectors.shape[1], dtype=np.float32)

        def gains() -> np.ndarray:
            return np.subtract(worth, repeats, out=gain)

        def take(row: int) -> None:
            np.multiply(vectors[row], share, out=scaled)
            vectors.dot(scaled, out=similar)
            np.maximum(repeats, similar, out=repeats)

        return gains, take

    return greedy.choose(1 - share, steps, falling=True)
