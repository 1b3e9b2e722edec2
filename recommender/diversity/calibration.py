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

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        divergence, gain = Divergence(aspects, mix), np.empty_like(worth)

        def gains() -> np.ndarray:
            np.multiply(divergence.less(), np.float32(greedy.share), out=gain)
            return np.add(gain, worth, out=gain)

        return gains, divergence.take

    return greedy.choose(np.float32(1 - greedy.share), steps)


class Divergence:
    """How far the mix of a list is from the one that is wanted, as rows come into it."""

    def __init__(self, aspects: np.ndarray, mix: np.ndarray) -> None:
        """aspects (n, a) and mix (a,), as checked_aspects() and checked_mix() give them."""
        wanted = mix > 0  # an aspect that nobody wants is no part of the divergence
        of_each = shares(aspects).astype(np.float32)
        counts = of_each.any(axis=1)
        self._counts = counts.astype(np.float32)
        self._leave = np.flatnonzero(~counts)  # rows that leave the mix as it is
        self._of_each, self._mix = of_each[:, wanted], mix[wanted]
        self._shown, self._size = np.zeros_like(self._mix), np.float32(0)
        self._floor = SMOOTHING * self._mix
        # A row changes the few aspects that it has, of hundreds maybe: which these are, (n, w).
        has = self._of_each > 0
        width = int(has.sum(axis=1).max(initial=0))
        self._which = np.argsort(~has, axis=1, kind="stable")[:, :width]
        self._adds = np.take_along_axis(self._of_each, self._which, 1) * (1 - SMOOTHING)
        self._says = np.where(self._adds > 0, self._mix[self._which], np.float32(0))
        self._with, self._without = np.empty_like(self._adds), np.empty_like(self._adds)

    def less(self) -> np.ndarray:
        """(n,) float32: a constant less KL(mix, mix of the list) with each row in it."""
        size = self._size + 1
        mix_of_list = self._shown * ((1 - SMOOTHING) / size) + self._floor
        logged = np.log(mix_of_list)
        # mode: the numbers are in range, and looking whether they are takes half the time.
        with_it = np.take(mix_of_list, self._which, out=self._with, mode="clip")
        with_it += self._adds / size
        np.log(with_it, out=with_it)
        with_it -= np.take(logged, self._which, out=self._without, mode="clip")
        less = np.einsum("nw,nw->n", with_it, self._says)
        less += logged @ self._mix
        if len(self._leave):
            as_it_is = self._shown * ((1 - SMOOTHING) / max(self._size, 1)) + self._floor
            less[self._leave] = np.log(as_it_is) @ self._mix
        return less

    def take(self, row: int) -> None:
        np.add(self._shown, self._of_each[row], out=self._shown)
        self._size += self._counts[row]
