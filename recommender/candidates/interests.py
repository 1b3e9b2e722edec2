"""Interests of a person: a few directions in the space of items, each with a weight.

One mean vector of somebody who likes westerns and cookbooks points at neither. Sources: PinnerSage
(Pal et al. 2020, doi:10.1145/3394486.3403280) and ComiRec (Cen et al. 2020,
doi:10.1145/3394486.3403344) for several vectors a person; spherical k-means (Dhillon & Modha 2001)
for how they are found; the greedy BUILD step of k-medoids (Kaufman & Rousseeuw 1990) for where each
begins, which one odd like cannot mislead as a farthest point would.
"""

from dataclasses import dataclass

import numpy as np

FEWEST_ROWS = 2  # a single like is no interest of its own
# Another interest must explain this share of what the ones so far leave unexplained.
LEAST_GAIN = 0.12
MOST_ROUNDS = 8


@dataclass(frozen=True)
class Interests:
    """What a person is interested in, the weightiest first."""

    vectors: np.ndarray  # (k, d) float32 unit rows
    weights: np.ndarray  # (k,) float32, together 1
    members: np.ndarray  # (n,) int64, the interest of each row; -1 for a row of zeros


def learn_interests(
    vectors: np.ndarray, weights: np.ndarray, *, max_interests: int = 5
) -> Interests:
    """Group what a person liked. The same rows give the same interests, to the last bit.

    vectors  (n, d) unit rows; a row of zeros is an item without a vector and belongs nowhere
    weights  (n,) above 0
    Returns  no interest for no rows, one for one or two rows, else up to max_interests
    Raises   ValueError if shapes disagree, a weight is not above 0 or a number is not finite
    """
    vectors = np.asarray(vectors, dtype=np.float32)
    weights = np.asarray(weights, dtype=np.float32)
    if vectors.ndim != 2 or weights.shape != (len(vectors),):
        raise ValueError(f"shapes disagree: vectors {vectors.shape}, weights {weights.shape}")
    if max_interests < 1:
        raise ValueError(f"max_interests must be at least 1, got {max_interests}")
    if not ((weights > 0) & (weights < np.inf)).all():
        raise ValueError("a weight must be a finite number above 0")
    cosine = vectors @ vectors.T  # (n, n); every step below works on this alone
    known = cosine.diagonal() > 0
    if not np.isfinite(cosine.diagonal()).all():
        raise ValueError("a vector is not finite")
    members = np.full(len(vectors), -1, dtype=np.int64)
    if not known.any():
        nothing = np.zeros((0, vectors.shape[1]), dtype=np.float32)
        return Interests(nothing, np.zeros(0, dtype=np.float32), members)

    if not known.all():
        vectors, weights = vectors[known], weights[known]
        cosine = cosine[np.ix_(known, known)]
    groups = _groups(cosine, weights / weights.sum(), max_interests)
    share = np.bincount(groups, weights=weights)
    share = (share / share.sum()).astype(np.float32)
    order = np.argsort(-share, kind="stable")
    members[known] = np.argsort(order)[groups]
    share = share[order]
    one_hot = _one_hot(members[known], len(share)) * weights[:, None]
    centres = one_hot.T @ vectors
    length = np.linalg.norm(centres, axis=1, keepdims=True)
    # Likes that point in opposite directions can cancel; then the first of them stands for both.
    if (length < 1e-6).any():
        for interest in np.flatnonzero(length[:, 0] < 1e-6):
            centres[interest] = vectors[members[known] == interest][0]
        length = np.linalg.norm(centres, axis=1, keepdims=True)
    return Interests(centres / length, share, members)


def _groups(cosine: np.ndarray, weights: np.ndarray, most: int) -> np.ndarray:
    """(n,) the group of each row, numbered in order of first appearance."""
    groups = np.zeros(len(cosine), dtype=np.int64)
    to_centre, coherence = _fit(cosine, weights, groups, 1)
    nearest = to_centre[:, 0]
    while groups.max() + 1 < most:
        k = int(groups.max()) + 2
        # The row that as a centre of its own would lie nearer to most others than theirs does.
        seed = int(np.argmax(weights @ np.maximum(cosine - nearest[:, None], 0.0)))
        new, sides = groups.copy(), cosine[:, seed] > nearest
        new[sides] = k - 1
        for _ in range(MOST_ROUNDS):
            to_centre, new_coherence = _fit(cosine, weights, new, k)
            moved = np.argmax(to_centre, axis=1)
            if (moved == new).all():
                break
            new = moved
        if np.bincount(new, minlength=k).min() < FEWEST_ROWS:
            break
        to_centre, new_coherence = _fit(cosine, weights, new, k)
        if new_coherence - coherence < LEAST_GAIN * (1.0 - coherence):
            break
        groups, coherence = new, new_coherence
        nearest = to_centre[np.arange(len(groups)), groups]
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return np.argsort(np.argsort(first))[inverse]


def _fit(
    cosine: np.ndarray, weights: np.ndarray, groups: np.ndarray, k: int
) -> tuple[np.ndarray, float]:
    """(n, k) cosine of each row to each group's centre, and the weighted mean to their own."""
    one_hot = _one_hot(groups, k) * weights[:, None]
    to_sum = cosine @ one_hot
    length = np.sqrt(np.maximum((one_hot * to_sum).sum(axis=0), 1e-12))
    return to_sum / length, float(length.sum())


def _one_hot(groups: np.ndarray, k: int) -> np.ndarray:
    return (groups[:, None] == np.arange(k)).astype(np.float32)
