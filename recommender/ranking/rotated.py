"""A fresh order among near-equals in each session: an adjustment of relevance by chance.

What chance gives to an item depends on the seed of the session and the item alone, so that it is
the same on each page. Source of the numbers: splitmix64, Steele, Lea & Flood 2014,
doi:10.1145/2660193.2660195.
"""

import numpy as np

from recommender.ranking.adjust import Adjustment


def rotated(ids: np.ndarray, seed: int, rotation: float) -> Adjustment:
    """Move each item by up to `rotation`, a share of its own relevance, up or down.

    A share, so that what has nothing for it gets nothing by chance, nor less than nothing.
    ids (n,) int64; seed 0 to 2^63 - 1; rotation 0 to 1

    >>> added = rotated(np.array([1, 2, 3]), 7, 0.1).added(np.array([0.5, 0.5, 0.0]))
    >>> np.abs(added).max() <= 0.05, added[2] == 0.0
    (np.True_, np.True_)
    """
    share = rotation * (2.0 * chances(ids, seed) - 1.0)
    return Adjustment("rotated", lambda relevance: np.maximum(relevance, 0.0) * share)


def chances(ids: np.ndarray, seed: int) -> np.ndarray:
    """(n,) float64 in [0, 1), each of an id and the seed alone."""
    mixed = _mix(np.asarray(ids).astype(np.uint64) ^ _mix(np.array([seed], dtype=np.uint64)))
    return (mixed >> np.uint64(11)) / 2.0**53


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Numbers of 64 bits, each to one that looks like chance; products go round at 2^64."""
    x = numbers + np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
