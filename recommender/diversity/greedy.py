"""What the greedy choices share: checks, one scale of relevance, and at most m rows of a group."""

import numpy as np

MOST_DIVERSITY = 0.999  # at 1 relevance still names the first row and breaks ties


def checked(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    groups: np.ndarray | None,
    max_per_group: int | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Vectors as float32, relevance stretched to [0, 1], groups if they are limited at all.

    Stretched, so that a diversity means the same whatever the scale of the scores; all 0 if they
    are all equal. Raises ValueError as mmr() and dpp() say.
    """
    vectors, relevance = np.asarray(vectors, dtype=np.float32), np.asarray(relevance)
    if vectors.ndim != 2 or relevance.shape != (len(vectors),):
        raise ValueError(f"shapes disagree: vectors {vectors.shape}, relevance {relevance.shape}")
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
    else:
        groups = np.asarray(groups)
    if len(relevance) == 0:
        return vectors, relevance.astype(np.float32), groups
    # One product instead of a look at each number: what is not finite stays so in the sum.
    if not np.isfinite(np.vdot(vectors, vectors)) or not np.isfinite(relevance).all():
        raise ValueError("a vector or a relevance is not finite")
    lowest = relevance.min()
    span = relevance.max() - lowest
    stretched = (relevance - lowest) / (span if span > 0 else 1)
    return vectors, stretched.astype(np.float32), groups


def by_relevance(
    chosen: np.ndarray,
    relevance: np.ndarray,
    k: int,
    groups: np.ndarray | None,
    max_per_group: int | None,
) -> np.ndarray:
    """(min(k, n),) int64: the rows chosen so far, then by relevance, ties to the lower row.

    Rows beyond max_per_group of their group come last of all: the list never gets shorter.
    """
    order = np.argsort(-relevance, kind="stable")
    if len(chosen):
        left = np.ones(len(relevance), dtype=bool)
        left[chosen] = False
        order = np.concatenate([chosen, order[left[order]]])
    if groups is not None:
        of = groups[order]
        together = np.argsort(of, kind="stable")
        begins = np.r_[True, of[together][1:] != of[together][:-1]]
        starts = np.flatnonzero(begins)
        place = np.empty(len(order), dtype=np.int64)  # of a row among those of its group
        place[together] = np.arange(len(order)) - np.repeat(
            starts, np.diff(starts, append=len(order))
        )
        allowed = (of < 0) | (place < max_per_group)
        order = np.concatenate([order[allowed], order[~allowed]])
    return order[:k].astype(np.int64)


class Open:
    """Which rows may be chosen next: `worth` (n,) is -inf where one may not."""

    def __init__(
        self, worth: np.ndarray, groups: np.ndarray | None, max_per_group: int | None
    ) -> None:
        self.worth = worth
        self._groups = groups
        self._left: dict[int, int] = {}  # of a group that has a row in the list
        self._most = max_per_group

    def take(self, row: int) -> None:
        self.worth[row] = -np.inf
        if self._groups is None:
            return
        group = int(self._groups[row])
        if group < 0:
            return
        self._left[group] = self._left.get(group, self._most) - 1
        if self._left[group] == 0:
            self.worth[self._groups == group] = -np.inf
