"""What was seen and not taken up steps back: an adjustment of relevance that fades with time.

Being passed over is weak evidence against an item, and a list that never changes is no use.
"""

import numpy as np

from recommender.ranking.adjust import Adjustment

HALVED_BY = 3.0  # sights after which an item keeps half of its relevance


def rested(sights: np.ndarray) -> Adjustment:
    """Take from what was seen; sights (n,) how often the person saw each item, faded by time.

    >>> relevance = np.array([0.8, 0.8, 0.8, -0.1])
    >>> (relevance + rested(np.array([0.0, 3.0, 6.0, 3.0])).added(relevance)).round(2).tolist()
    [0.8, 0.4, 0.2, -0.1]
    """
    kept = np.exp2(-sights / HALVED_BY)
    return Adjustment("rested", lambda relevance: np.maximum(relevance, 0.0) * (kept - 1.0))


def sights_of(ids: np.ndarray, seen: np.ndarray, sights: np.ndarray) -> np.ndarray:
    """(n,) float64: sights of each of some items, 0 of those never seen; seen, sights (s,).

    >>> sights_of(np.array([5, 6]), np.array([9, 6]), np.array([1.0, 2.5])).tolist()
    [0.0, 2.5]
    """
    of_item = dict(zip(seen.tolist(), sights.tolist(), strict=True))
    return np.array([of_item.get(item, 0.0) for item in ids.tolist()], dtype=np.float64)
