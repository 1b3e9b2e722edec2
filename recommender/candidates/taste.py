"""What one person's newest feedback says of items: liked how much, disliked, newest first.

The one reading of a history, for a live request and for an offline evaluation alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.candidates.signals import (
    KINDS,
    WEIGHTS,
    rating_mean,
    signal,
    signal_of_many,
)

# A like counts half after so many newer ones: order within a history says more than its dates.
HALF_LIFE_ITEMS = 8.0
LIKED, DISLIKED = 0.1, -0.3  # of a signal that is 1 for a like
# What was taken up says something, whatever was thought of it afterwards; this much of a like.
TAKEN_UP = 0.25
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Taste:
    """Items as nothing but ids, newest first; vectors are fetched for these alone."""

    items: np.ndarray  # (n,) int64 item ids
    liking: np.ndarray  # (n,) float32, 1 for a like, below 0 for what was not liked
    affinity: np.ndarray  # (n,) float32, 0 to 1.2: see affinity()

    @property
    def liked(self) -> np.ndarray:
        """(n,) bool"""
        return self.liking >= LIKED

    @property
    def disliked(self) -> np.ndarray:
        """(n,) bool"""
        return self.liking <= DISLIKED

    @property
    def weights(self) -> np.ndarray:
        """(l,) float32 of the likes: at most 1 for the newest, fading with newer ones."""
        liking = self.liking[self.liked]
        fading = 0.5 ** (np.arange(len(liking)) / HALF_LIFE_ITEMS)
        return (np.minimum(liking, 1.2) / 1.2 * fading).astype(np.float32)


def taken_up(kinds: np.ndarray, says: np.ndarray) -> np.ndarray:
    """(n,) float32 from 0 to 1: how far each piece of feedback shows that the item was taken up.

    kinds, says  (n,) indices into KINDS, and what each says; a rating, however low, was of
                 something seen, unless ratings weigh nothing
    """
    rated = (kinds == _NUMBER["rating"]) & (says != 0)
    return np.where(rated, 1.0, np.clip(says, 0.0, 1.0)).astype(np.float32)


def affinity(liking: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(n,) float32: what an item counts for in a history from which others are foretold."""
    return (TAKEN_UP * taken + (1.0 - TAKEN_UP) * np.maximum(liking, 0.0)).astype(np.float32)


def read_taste(
    item_ids: np.ndarray,
    kinds: Sequence[str] | np.ndarray,
    values: np.ndarray,
    weights: np.ndarray = WEIGHTS,
) -> Taste:
    """Taste from feedback of one person, newest first.

    item_ids  (n,) int64, may repeat: what was said of one item is added up
    kinds     (n,) names, or indices into KINDS
    values    (n,) float64, nan where there is none
    weights   (len(KINDS),) of each kind
    """
    if len(item_ids) == 0:
        none = np.zeros(0, dtype=np.float32)
        return Taste(none.astype(np.int64), none, none)
    numbers = np.array([_NUMBER[k] if isinstance(k, str) else k for k in kinds], dtype=np.int8)
    ratings = values[(numbers == _NUMBER["rating"]) & ~np.isnan(values)]
    says = signal(numbers, values, rating_mean=rating_mean(ratings), weights=weights)
    ids, first, where = np.unique(item_ids, return_index=True, return_inverse=True)
    liking = np.bincount(where, weights=says, minlength=len(ids))
    taken = np.zeros(len(ids), dtype=np.float32)
    np.maximum.at(taken, where, taken_up(numbers, says))
    newest_first = np.argsort(first, kind="stable")
    liking, taken = liking[newest_first].astype(np.float32), taken[newest_first]
    return Taste(ids[newest_first], liking, affinity(np.minimum(liking, 1.2), taken))


def read_affinities(
    owners: np.ndarray,
    item_ids: np.ndarray,
    kinds: Sequence[str],
    values: np.ndarray,
    weights: np.ndarray = WEIGHTS,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Owner, item and affinity, (m,) each, of the feedback of many people at once, as read_taste
    reads it of each: ascending by owner, then by item.

    owners  (n,) int64 from 0, whose each piece of feedback is; the others as of read_taste
    """
    numbers = np.array([_NUMBER[kind] for kind in kinds], dtype=np.int8)
    says = signal_of_many(owners, numbers, values, weights)
    pairs, where = np.unique(np.stack([owners, item_ids]), axis=1, return_inverse=True)
    where = where.ravel()
    liking = np.bincount(where, weights=says, minlength=pairs.shape[1]).astype(np.float32)
    taken = np.zeros(pairs.shape[1], dtype=np.float32)
    np.maximum.at(taken, where, taken_up(numbers, says))
    return pairs[0], pairs[1], affinity(np.minimum(liking, 1.2), taken)
