"""Calibration and distance together: a list of the person's own mix, whose rows are far apart.

A list in somebody's own mix may still be ten of a kind within each category; one whose rows are far
apart has them from anywhere. So the gain is that of calibrated() and that of msd() in one, see
there for the sources: the sum is ours, and so is the say of either. With little diversity the mix
says most; the more is asked for the more distance does, so that all of it leads away also from a
mix that is narrow.
"""

import numpy as np

from recommender.diversity.aspects import checked_aspects, checked_mix
from recommender.diversity.calibration import Divergence
from recommender.diversity.greedy import Gains, Gate, Greedy, Take

APART = 0.03  # what a distance of 1 to one row weighs at a diversity of 1


def mixed(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    aspects: np.ndarray,
    mix: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
    gate: Gate | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which they were found: as mmr(), by another gain.

    Each step takes the row after which (1 - diversity) (relevance - diversity KL(mix, mix of the
    list)) + diversity^2 APART sum of (1 - similarity) to the rows chosen is largest. Arguments,
    result and errors are those of calibrated().

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> mixed(near, np.array([0.9, 0.8, 0.5]), 2, 0.5, aspects=np.array([[1], [1], [1]])).tolist()
    [0, 1]
    >>> mixed(near, np.array([0.9, 0.8, 0.5]), 2, 0.99, aspects=np.array([[1], [1], [1]])).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    aspects = checked_aspects(aspects, len(greedy.worth))
    mix = checked_mix(mix, aspects, greedy.worth)
    if greedy.plain:
        return greedy.by_relevance()

    share = np.float32(greedy.share)
    of_mix, of_distance = (1 - share) * share, np.float32(APART) * share**2

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        divergence, gain = Divergence(aspects, mix), np.empty_like(worth)

        def gains() -> np.ndarray:
            np.multiply(divergence.less(), of_mix, out=gain)
            return np.add(gain, worth, out=gain)

        def take(row: int) -> None:
            # Every row gets the same 1 for each row chosen, which decides nothing.
            np.subtract(worth, vectors @ (vectors[row] * of_distance), out=worth)
            divergence.take(row)

        return gains, take

    return greedy.choose(1 - share, steps)
