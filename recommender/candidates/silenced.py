"""Interests that a person switched off: which likes belong to them, and so count for nothing.

Likes of then are known one by one. One that comes later belongs to an interest if it lies on its
side of the middle between the farthest of them and the nearest like of another interest.
"""

from dataclasses import dataclass, replace

import numpy as np

from recommender.candidates.taste import Taste

APART = 1e-3  # more than half floats round


@dataclass(frozen=True)
class Silenced:
    """s interests."""

    item_ids: np.ndarray  # (i,) int64 likes of all of them
    centres: np.ndarray  # (s, d) float32 unit rows, of those that can be compared with vectors
    reaches: np.ndarray  # (s,) float32: a cosine to the centre from which on a like belongs

    def left_out(self, taste: Taste, vectors: np.ndarray) -> Taste:
        """The taste without what belongs to them; what was disliked stays.

        vectors  (n, d) of its items, rows of zeros where there is none
        """
        belongs = np.isin(taste.items, self.item_ids)
        if len(self.centres) and self.centres.shape[1] == vectors.shape[1]:
            belongs |= (vectors @ self.centres.T >= self.reaches).any(axis=1)
        belongs &= taste.liking > 0
        if not belongs.any():
            return taste
        none = np.float32(0)
        return replace(
            taste,
            liking=np.where(belongs, none, taste.liking),
            affinity=np.where(belongs, none, taste.affinity),
        )


def members_of(number: int, centres: np.ndarray, likes: np.ndarray) -> tuple[np.ndarray, float]:
    """Which likes belong to one of several interests, and how far it reaches for later ones.

    centres  (k, d) unit rows of all interests, number is a row of it
    likes    (n, d) unit rows, of zeros where there is none
    Returns  (n,) bool, and a cosine

    >>> centres = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> likes = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    >>> members, reach = members_of(0, centres, likes)
    >>> members.tolist(), round(reach, 2)
    ([True, True, False], 0.4)
    """
    cosines = likes @ centres.T
    members = (cosines.argmax(axis=1) == number) & likes.any(axis=1)
    own, others = cosines[members, number], cosines[~members, number]
    nearest = float(others.max(initial=0.0))
    reach = (float(own.min()) + nearest) / 2 if len(own) else 1.0
    return members, min(1.0, max(reach, nearest + APART))
