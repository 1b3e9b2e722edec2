"""What one person's newest feedback says of items: liked how much, disliked, newest first.

The one reading of a history, for a live request and for an offline evaluation alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.candidates.signals import KINDS, WEIGHTS, rating_mean, signal

# A like counts half after so many newer ones: order within a history says more than its dates.
HALF_LIFE_ITEMS = 8.0
LIKED, DISLIKED = 0.1, -0.3  # of a signal that is 1 for a like
_NUMBER = {kind: number for number, kind in enumerate(KINDS)}


@dataclass(frozen=True)
class Taste:
    """Items as rows of nothing but ids; vectors are fetched for these alone."""

    likes: np.ndarray  # (l,) int64 item ids, newest first
    weights: np.ndarray  # (l,) float32, at most 1 for the newest like
    dislikes: np.ndarray  # (x,) int64 item ids, newest first


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
        none = np.zeros(0, dtype=np.int64)
        return Taste(none, np.zeros(0, dtype=np.float32), none)
    numbers = np.array([_NUMBER[k] if isinstance(k, str) else k for k in kinds], dtype=np.int8)
    ratings = values[(numbers == _NUMBER["rating"]) & ~np.isnan(values)]
    says = signal(numbers, values, rating_mean=rating_mean(ratings), weights=weights)
    ids, first, where = np.unique(item_ids, return_index=True, return_inverse=True)
    total = np.bincount(where, weights=says, minlength=len(ids))
    newest_first = np.argsort(first, kind="stable")
    ids, total = ids[newest_first], total[newest_first]
    liked = total >= LIKED
    likes = ids[liked]
    fading = 0.5 ** (np.arange(len(likes)) / HALF_LIFE_ITEMS)
    weights = np.minimum(total[liked], 1.2) / 1.2 * fading
    return Taste(likes, weights.astype(np.float32), ids[total <= DISLIKED])
