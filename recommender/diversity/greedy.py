"""What the greedy choices share: checks, one scale of relevance, and who may be chosen next."""

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Protocol

import numpy as np

# At a low diversity hardly a row wins that is not among the FRONT most relevant for each place. So
# these are tried alone first; as soon as another might win, all are.
FRONT, FRONT_DIVERSITY = 4, 0.4
MOST_DIVERSITY = 0.999  # at 1 relevance still names the first row and breaks ties


class Gate(Protocol):
    """Who may stand in the list beside those already in it; asked about one row at a time.

    A row once turned down stays out, unless the list would be left short without it.
    """

    def admits(self, row: int) -> bool: ...

    def take(self, row: int) -> None: ...


Gains = Callable[[], np.ndarray]
Take = Callable[[int], None]
Steps = Callable[[np.ndarray, np.ndarray], tuple[Gains, Take]]


class Greedy:
    """One choice: its checked input, and the loop that takes the best row k times.

    worth  (n,) float32, relevance stretched to [0, 1] over these rows, so that a diversity means
           the same whatever the scale of the scores; all 0 if they are all equal
    share  of diversity in a gain, at most MOST_DIVERSITY
    plain  no choice to make: the list is by_relevance()
    Raises ValueError as the strategies say
    """

    def __init__(
        self,
        vectors: np.ndarray,
        relevance: np.ndarray,
        k: int,
        diversity: float,
        groups: np.ndarray | None,
        max_per_group: int | None,
        gate: Gate | None,
    ) -> None:
        vectors, relevance = np.asarray(vectors, dtype=np.float32), np.asarray(relevance)
        if vectors.ndim != 2 or relevance.shape != (len(vectors),):
            raise ValueError(
                f"shapes disagree: vectors {vectors.shape}, relevance {relevance.shape}"
            )
        if not 0 <= diversity <= 1:
            raise ValueError(f"diversity must be in [0, 1], got {diversity}")
        if k < 0:
            raise ValueError(f"k must not be below 0, got {k}")
        if groups is None or max_per_group is None:
            groups = None
        elif max_per_group < 1:
            raise ValueError(f"max_per_group must be at least 1, got {max_per_group}")
        elif np.shape(groups) != relevance.shape:
            raise ValueError(f"shapes disagree: groups {np.shape(groups)}, rows {relevance.shape}")
        # One product instead of a look at each number: what is not finite stays so in the sum.
        if not isfinite(np.vdot(vectors, vectors)):
            raise ValueError("a vector is not finite")
        self.vectors, self.relevance = vectors, relevance
        self.k = min(k, len(relevance))
        self.share = min(diversity, MOST_DIVERSITY)
        self.plain = diversity == 0 or self.k == 0
        self.worth = stretched(relevance)
        self._groups = None if groups is None else np.asarray(groups)
        self._most = max_per_group
        self._gate = gate

    def choose(self, weight: np.float32, steps: Steps, *, falling: bool = False) -> np.ndarray:
        """(k,) int64: the row of the largest gain, k times; ties to the lower row.

        weight   of relevance in a gain
        steps    from vectors (n, f) and worth (n,) float32, which is weighted relevance, and -inf
                 once a row may not be chosen: gains(), the (n,) gains beside the rows taken, which
                 are written over here; and take(row), told of each row taken but for the last
        falling  no gain is ever above worth
        Once every gain is -inf, the others follow by relevance.
        """
        front = FRONT * self.k
        may_try = falling and self._gate is None and self.share <= FRONT_DIVERSITY
        if may_try and len(self.worth) >= 2 * front:
            least = np.partition(self.worth, -front)[-front]
            rows = np.flatnonzero(self.worth >= least)
            if len(rows) < 2 * front:
                behind = self.worth[self.worth < least].max() * weight
                chosen = self._chosen(weight, steps, rows, behind)
                if chosen is not None:
                    return chosen
        return self._chosen(weight, steps)

    def _chosen(
        self,
        weight: np.float32,
        steps: Steps,
        rows: np.ndarray | None = None,
        behind: float = -np.inf,
    ) -> np.ndarray | None:
        """Of these rows, of all if there are none; None if a gain is no larger than `behind`."""
        vectors, worth, groups = self.vectors, self.worth * weight, self._groups
        if rows is not None:
            vectors, worth = vectors[rows], worth[rows]
            groups = None if groups is None else groups[rows]
        gains, take = steps(vectors, worth)
        left: dict[int, int] = {}  # places left to a group that has a row in the list
        chosen: list[int] = []
        while len(chosen) < self.k:
            gain = gains()
            best = int(gain.argmax())
            if self._gate is not None:
                while gain[best] > -np.inf and not self._gate.admits(best):
                    worth[best] = gain[best] = -np.inf
                    best = int(gain.argmax())
            if gain[best] <= behind:
                return self.by_relevance(chosen) if rows is None else None
            chosen.append(best)
            worth[best] = -np.inf
            if self._gate is not None:
                self._gate.take(best)
            if groups is not None and (group := int(groups[best])) >= 0:
                left[group] = left.get(group, self._most) - 1
                if left[group] == 0:
                    worth[groups == group] = -np.inf
            if len(chosen) < self.k:
                take(best)
        return np.array(chosen, dtype=np.int64) if rows is None else rows[chosen]

    def by_relevance(self, chosen: Sequence[int] = ()) -> np.ndarray:
        """(k,) int64: the rows chosen so far, then by relevance, ties to the lower row.

        Rows beyond max_per_group of their group, and those that the gate turns down, come last of
        all: the list never gets shorter.
        """
        order = np.argsort(-self.relevance, kind="stable")
        if len(chosen):
            left = np.ones(len(order), dtype=bool)
            left[chosen] = False
            order = np.concatenate([np.array(chosen, dtype=np.int64), order[left[order]]])
        if self._groups is not None:
            order = self._capped(order)
        if self._gate is not None:
            taken, turned_down = order[: len(chosen)].tolist(), []
            for row in order[len(chosen) :].tolist():
                if len(taken) == self.k:
                    break
                if self._gate.admits(row):
                    self._gate.take(row)
                    taken.append(row)
                else:
                    turned_down.append(row)
            order = np.array([*taken, *turned_down], dtype=np.int64)
        return order[: self.k].astype(np.int64)

    def _capped(self, order: np.ndarray) -> np.ndarray:
        of = self._groups[order]
        together = np.argsort(of, kind="stable")
        starts = np.flatnonzero(np.r_[True, of[together][1:] != of[together][:-1]])
        place = np.empty(len(order), dtype=np.int64)  # of a row among those of its group
        place[together] = np.arange(len(order)) - np.repeat(
            starts, np.diff(starts, append=len(order))
        )
        allowed = (of < 0) | (place < self._most)
        return np.concatenate([order[allowed], order[~allowed]])


def stretched(relevance: np.ndarray) -> np.ndarray:
    """(n,) float32: the lowest becomes 0 and the highest 1; all 0 where they are all equal.

    Raises ValueError if a number is not finite
    """
    if len(relevance) == 0:
        return np.zeros(0, dtype=np.float32)
    lowest, highest = relevance.min(), relevance.max()
    if not (isfinite(lowest) and isfinite(highest)):
        raise ValueError("a relevance is not finite")
    span = highest - lowest
    return ((relevance - lowest) / (span if span > 0 else 1)).astype(np.float32)
