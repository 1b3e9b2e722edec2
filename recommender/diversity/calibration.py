"""Calibration: a list whose mix of categories and topics is the person's own.

Source: Steck 2018, "Calibrated Recommendations", doi:10.1145/3240323.3240372: greedily the largest
(1 - lambda) sum of relevance - lambda KL(p, q), with q smoothed by his alpha = 0.01. His lambda is
diversity here.
"""

import numpy as np

from recommender.diversity.aspects import checked_aspects, checked_mix, shares
from recommender.diversity.greedy import Gains, Gate, Greedy, Take

SMOOTHING = np.float32(0.01)


def calibrated(
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
    """Choose up to k rows, in the order in which to show them: as mmr(), by another gain.

    aspects    (n, a) at least 0: a row counts 1, shared among its aspects; without any it leaves
               the mix of the list as it is
    mix        (a,) at least 0: what the list is to look like, on any scale; without it that of the
               rows, each by its relevance
    Each step takes the row after which (1 - diversity) relevance - diversity KL(mix, mix of the
    list) is largest; vectors are looked at for their shape alone. Other arguments, result and
    errors are those of mmr(); ValueError too for an aspect or a mix that is negative or of another
    shape.

    >>> comedy_comedy_drama = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> half_and_half = np.array([1.0, 1.0])
    >>> calibrated(
    ...     np.eye(3), np.array([0.9, 0.8, 0.5]), 2, 0.5,
    ...     aspects=comedy_comedy_drama, mix=half_and_half,
    ... ).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    aspects = checked_aspects(aspects, len(greedy.worth))
    mix = checked_mix(mix, aspects, greedy.worth)
    if greedy.plain:
        return greedy.by_relevance()

    wanted = mix > 0  # an aspect that nobody wants is no part of the divergence
    of_each = shares(aspects)
    counts = of_each.any(axis=1).astype(np.float32)[:, None]
    of_each, mix = of_each[:, wanted], mix[wanted]
    pull = mix * np.float32(greedy.share)

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        shown, size = np.zeros_like(mix), np.float32(0)
        list_mix, gain = np.empty_like(of_each), np.empty_like(worth)

        def gains() -> np.ndarray:
            # KL is a constant less the sum of mix x log of what the list would have of it.
            np.add(of_each, shown, out=list_mix)
            np.divide(list_mix, np.maximum(size + counts, 1), out=list_mix)
            np.multiply(list_mix, 1 - SMOOTHING, out=list_mix)
            np.add(list_mix, SMOOTHING * mix, out=list_mix)
            np.log(list_mix, out=list_mix)
            np.dot(list_mix, pull, out=gain)
            return np.add(gain, worth, out=gain)

        def take(row: int) -> None:
            nonlocal size
            np.add(shown, of_each[row], out=shown)
            size += counts[row, 0]

        return gains, take

    return greedy.choose(np.float32(1 - greedy.share), steps)
