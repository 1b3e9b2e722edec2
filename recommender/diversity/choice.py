"""What the greedy diversifiers have in common: checked input, rows left, limits per group."""

import numpy as np


class Choice:
    """The rows chosen so far, and who may come next.

    At most max_per_group rows of a group (a number of 0 or more) are chosen as long as others are
    left; then the limit is lifted, since a shorter list serves nobody.
    """

    def __init__(
        self,
        vectors: np.ndarray,
        relevance: np.ndarray,
        k: int,
        diversity: float,
        groups: np.ndarray | None,
        max_per_group: int | None,
    ) -> None:
        if not 0 <= diversity <= 1:
            raise ValueError(f"diversity must be in [0, 1], got {diversity}")
        if vectors.ndim != 2 or relevance.shape != (len(vectors),):
            raise ValueError(f"shapes disagree: vectors {vectors.shape}, {relevance.shape}")
        if groups is not None and groups.shape != relevance.shape:
            raise ValueError(f"shapes disagree: groups {groups.shape}, {relevance.shape}")
        if not np.isfinite(relevance).all():
            raise ValueError("relevance must be finite")
        self.rows: list[int] = []
        self.size = min(k, len(vectors))
        self._left = np.ones(len(vectors), dtype=bool)
        self._open = self._left.copy()
        limited = groups is not None and max_per_group is not None
        self._groups = groups if limited else None
        self._limit = max_per_group
        self._taken: dict[int, int] = {}

    @property
    def is_full(self) -> bool:
        return len(self.rows) >= self.size

    def take_best(self, gain: np.ndarray) -> int:
        """Choose the row of the largest gain among those that may come; equal: the lower row."""
        if not self._open.any():
            self._open, self._groups = self._left, None
        row = int(np.argmax(np.where(self._open, gain, -np.inf)))
        if not self._open[row]:  # all gains are minus infinity
            row = int(np.argmax(self._open))
        self.rows.append(row)
        self._left[row] = self._open[row] = False
        if self._groups is not None and (group := int(self._groups[row])) >= 0:
            self._taken[group] = self._taken.get(group, 0) + 1
            if self._taken[group] >= self._limit:
                self._open &= self._groups != group
        return row

    def as_array(self) -> np.ndarray:
        return np.array(self.rows, dtype=np.int64)
