"""Relevance: a weighted sum of what speaks for an item and against it, between 0 and 1.

Linear on purpose: the contributions add up to the score, so that an explanation can. The weights
are learned (training/blend.py).
"""

from dataclasses import dataclass

import numpy as np

from recommender.ranking.model import PARTS

FRESH_HALF_LIFE_DAYS = 30.0
# Nearer than this to nothing in the pool, a best of the pool would only enlarge noise.
LEAST_BEST = 0.2
FAR = 0.3  # cosine of centred vectors, up to which an item has nothing to do with a disliked one
VOTED = 4  # parts that are votes of related items, the first of PARTS


@dataclass(frozen=True)
class Say:
    """How much each part counts for one person."""

    weights: np.ndarray  # (parts,) any scale, of items that somebody touched
    new_item: np.ndarray  # (parts,) any scale, of the others
    new_item_say: float  # what the best of the others counts beside the best of these


def features(
    *,
    votes: np.ndarray,
    factors: np.ndarray,
    text: np.ndarray,
    mapped: np.ndarray,
    to_interests: np.ndarray,
    popularity: np.ndarray,
    trend: np.ndarray,
    promise: np.ndarray,
    age_days: np.ndarray,
    to_dislikes: np.ndarray,
) -> np.ndarray:
    """(n, parts) float32 in [0, 1], in the order of PARTS.

    votes                      (n, 4) in the order of PARTS
    factors, text, mapped, popularity, trend, promise  (n,) any scale; below 0 says nothing
    to_interests, to_dislikes  (n, k) and (n, x) cosines; the nearest one counts
    age_days                   (n,) nan where unknown, which is not fresh
    All but freshness and dislike are taken against the best of the pool, which makes them
    comparable; a part that is nothing for all is 0 for all.
    Raises ValueError for a number that is not finite
    """
    against = to_dislikes.max(axis=1, initial=0.0)
    age_days = np.where(np.isnan(age_days), np.inf, np.maximum(age_days, 0.0))
    out = np.empty((len(votes), len(PARTS)), dtype=np.float32)
    out[:, :VOTED] = votes
    out[:, VOTED] = factors
    out[:, VOTED + 1] = text
    out[:, VOTED + 2] = mapped
    out[:, VOTED + 3] = to_interests.max(axis=1, initial=0.0)
    out[:, VOTED + 4] = popularity
    out[:, VOTED + 5] = trend
    out[:, VOTED + 6] = promise
    best = out[:, : VOTED + 7].max(axis=0, initial=0.0)
    if not np.isfinite(out[:, : VOTED + 7]).all():
        raise ValueError("a vote, a popularity or another number is not finite")
    best[VOTED + 1 : VOTED + 4] = np.maximum(best[VOTED + 1 : VOTED + 4], LEAST_BEST)
    out[:, : VOTED + 7] = np.maximum(out[:, : VOTED + 7], 0.0) / np.where(best > 0, best, 1.0)
    out[:, -2] = np.exp2(-age_days / FRESH_HALF_LIFE_DAYS)
    out[:, -1] = np.clip((against - FAR) / (1.0 - FAR), 0.0, 1.0)
    return out


def contributions(features: np.ndarray, touched: np.ndarray, say: Say) -> np.ndarray:
    """(n, parts) float32: what each part gives to the relevance of each item.

    touched  (n,) bool, items that somebody gave feedback on
    A row adds up to 1 for a touched item that is the best of the pool in all that counts for it,
    and to less for any other: parts that nothing in the pool has are left out.
    """
    there = features.any(axis=0)
    new_item = say.new_item_say * _share(say.new_item, there)
    say = np.where(touched[:, None], _share(say.weights, there), new_item)
    return features * say.astype(np.float32)


def _share(weights: np.ndarray, there: np.ndarray) -> np.ndarray:
    total = np.maximum(weights, 0.0)[there].sum()
    return weights / total if total > 0 else np.zeros_like(weights)
