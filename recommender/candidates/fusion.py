"""Reciprocal rank fusion: one list out of several whose scores cannot be compared.

Source: Cormack, Clarke & Büttcher 2009, "Reciprocal Rank Fusion outperforms Condorcet and
individual Rank Learning Methods", doi:10.1145/1571941.1572114. Their k is constant here.
"""

from collections.abc import Sequence

import numpy as np

CONSTANT = 60


def reciprocal_rank(
    lists: Sequence[np.ndarray],
    *,
    weights: Sequence[float] | None = None,
    constant: float = CONSTANT,
    limit: int | None = None,
) -> np.ndarray:
    """Ids of all lists, best first: an id scores weight / (constant + rank) in each list it is in.

    lists    ids, best first; an id that comes twice in one list counts where it comes first
    weights  of each list, at least 0; equal when not given
    Returns  (n,) int64, at most limit ids; equal scores go to the lower id

    >>> reciprocal_rank([np.array([7, 3, 5]), np.array([3, 9])]).tolist()
    [3, 7, 9, 5]
    """
    weights = [1.0] * len(lists) if weights is None else weights
    if len(weights) != len(lists):
        raise ValueError(f"{len(lists)} lists and {len(weights)} weights")
    if not all(0 <= weight < np.inf for weight in weights):
        raise ValueError("a weight must be a finite number, not below 0")
    if not 0 <= constant < np.inf:
        raise ValueError(f"constant must be a finite number, not below 0, got {constant}")

    ids, scores = [np.zeros(0, dtype=np.int64)], [np.zeros(0)]
    for row, weight in zip(lists, weights, strict=True):
        found, first = np.unique(np.asarray(row, dtype=np.int64), return_index=True)
        ids.append(found)
        scores.append(weight / (constant + 1 + first))
    found, where = np.unique(np.concatenate(ids), return_inverse=True)
    total = np.bincount(where, weights=np.concatenate(scores), minlength=len(found))
    # Rounded, so that ranks 1, 2, 3 and 3, 1, 2 tie whatever the order of summation.
    return found[np.argsort(-total.round(12), kind="stable")][:limit]
