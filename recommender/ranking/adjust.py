"""What moves relevance besides what is learned: each a part of its own, one after the other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# Names of all there are, in the order in which they are made: what a person says comes last, so
# that nothing of the site's goes over it.
PARTS = ("theme", "fresh", "boosted", "exposure", "rested", "rotated")
PARTS += ("wish_novelty", "wish_recency", "wish_popularity", "steered")


@dataclass(frozen=True)
class Adjustment:
    """One thing that moves relevance.

    added  (n,) relevance so far, before it is cut at 0 and 1 → (n,) what is added to each item
    """

    part: str  # a name in PARTS
    added: Callable[[np.ndarray], np.ndarray]


def adjusted(parts: np.ndarray, adjustments: Sequence[Adjustment]) -> np.ndarray:
    """(n, p + a) float32 contributions: those there are, and a column for each adjustment.

    >>> half = Adjustment("steered", lambda relevance: -relevance / 2)
    >>> adjusted(np.array([[0.5, 0.25], [0.5, 0.0]]), [half]).tolist()
    [[0.5, 0.25, -0.375], [0.5, 0.0, -0.25]]
    """
    for adjustment in adjustments:
        parts = np.column_stack([parts, adjustment.added(parts.sum(axis=1))])
    return parts.astype(np.float32, copy=False)
