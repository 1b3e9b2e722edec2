"""Max-sum diversification: rows that are relevant and, summed over all pairs, far apart.

Source: Borodin, Lee & Ye 2012, "Max-Sum Diversification, Monotone Submodular Functions and Dynamic
Updates", doi:10.1145/2213556.2213580. Their objective f(S) + lambda sum of d(u, v) over pairs, by
their greedy choice of the largest f(u) / 2 + lambda sum of d(u, v) over the chosen v, which comes
to at least half of the best; lambda is diversity / (1 - diversity) / TOGETHER here, d is 1 -
cosine.
"""

import numpy as np

from recommender.diversity.greedy import Gains, Gate, Greedy, Take

# So many rows at a distance of 1 weigh as much as the whole span of relevance, at diversity 0.5.
TOGETHER = 10


def msd(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
    gate: Gate | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them: as mmr(), by another gain.

    Each step takes the row with the largest (1 - diversity) relevance / 2 + diversity sum of
    (1 - similarity) to the rows chosen / TOGETHER. Rows that point away from each other are further
    apart than those that are merely unlike. Arguments, result and errors are those of mmr().

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> msd(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.9).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    if greedy.plain:
        return greedy.by_relevance()

    share = np.float32(greedy.share)

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        weight = share / TOGETHER
        similar, gain = np.empty_like(worth), np.empty_like(worth)
        scaled = np.empty(vectors.shape[1], dtype=np.float32)

        def gains() -> np.ndarray:
            np.copyto(gain, worth)
            return gain

        def take(row: int) -> None:
            # Every row gets the same 1 for each row chosen, which decides nothing.
            np.multiply(vectors[row], weight, out=scaled)
            vectors.dot(scaled, out=similar)
            np.subtract(worth, similar, out=worth)

        return gains, take

    return greedy.choose((1 - share) / 2, steps)
