"""People of like taste: what those nearest to a person took up, the nearer the more it counts.

Source: user-based nearest neighbours (Herlocker, Konstan, Borchers & Riedl 1999,
doi:10.1145/312624.312682), by the cosine of factors instead of that of common ratings.
"""

from collections.abc import Sequence

import numpy as np

PEERS = 50  # people who are asked
PEER_HISTORY = 100  # newest feedback of each
# People behind an item, at least: no list tells what one person, or a couple, took up.
FEWEST_PEERS = 3


def taken_up(
    likeness: np.ndarray, items: Sequence[np.ndarray], affinities: Sequence[np.ndarray]
) -> np.ndarray:
    """(v,) int64: ids of what at least FEWEST_PEERS of these people took up, best first.

    likeness           (p,) cosines; who is not above 0 is not asked
    items, affinities  of each person ids, none twice, and how much each counts, 0 or above

    >>> three = [np.array([7, 8]), np.array([8, 7]), np.array([8, 9])]
    >>> taken_up(np.array([0.9, 0.8, 0.1]), three, [np.ones(2)] * 3).tolist()
    [8]
    """
    asked = [person for person, alike in enumerate(likeness.tolist()) if alike > 0]
    if not asked:
        return np.zeros(0, dtype=np.int64)
    counts = np.concatenate([affinities[person] for person in asked])
    says = np.concatenate([likeness[person] * affinities[person] for person in asked])
    ids, where = np.unique(np.concatenate([items[person] for person in asked]), return_inverse=True)
    behind = np.bincount(where, weights=counts > 0, minlength=len(ids))
    votes = np.bincount(where, weights=says, minlength=len(ids))
    best = np.argsort(-votes, kind="stable")
    return ids[best[behind[best] >= FEWEST_PEERS]].astype(np.int64)
