"""Relevance: a weighted sum of what speaks for an item and against it, between 0 and 1.

Linear on purpose: the contributions add up to the score, so that an explanation can.
"""

from dataclasses import dataclass

import numpy as np

FRESH_HALF_LIFE_DAYS = 30.0
PARTS = ("interest", "votes", "popularity", "freshness", "dislike")


@dataclass(frozen=True)
class Weights:
    """How much each part counts; what speaks for an item adds up to 1."""

    interest: float
    votes: float
    popularity: float
    freshness: float
    dislike: float


def weights_for(history_length: int, *, has_votes: bool) -> Weights:
    """Somebody we know little of is shown what all like; with history, one's own taste counts.

    The share of one's own taste grows as n / (n + 3). Without neighbours that vote their share
    goes to the interests.
    """
    own = history_length / (history_length + 3.0)
    votes = 0.7 * own if has_votes else 0.0
    interest = (0.2 if has_votes else 0.85) * own
    rest = 1.0 - votes - interest
    return Weights(interest, votes, 0.8 * rest, 0.2 * rest, 0.3 * own)


def features(
    vectors: np.ndarray,
    interests: np.ndarray,
    dislikes: np.ndarray,
    votes: np.ndarray,
    popularity: np.ndarray,
    age_days: np.ndarray,
) -> np.ndarray:
    """(n, 5) float32 in [0, 1], in the order of PARTS.

    Similarity, votes and popularity are taken against the best of the pool, so that they are
    comparable; a part in which all are nothing is 0 for all.
    """
    near = np.clip((vectors @ interests.T).max(axis=1, initial=0.0), 0.0, 1.0)
    against = np.clip((vectors @ dislikes.T).max(axis=1, initial=0.0), 0.0, 1.0)
    fresh = np.exp2(-np.nan_to_num(age_days, nan=np.inf) / FRESH_HALF_LIFE_DAYS)
    columns = [_of_best(near), _of_best(votes), _of_best(popularity), fresh, against]
    return np.stack(columns, axis=1).astype(np.float32)


def _of_best(values: np.ndarray) -> np.ndarray:
    best = values.max(initial=0.0)
    return np.maximum(values, 0.0) / best if best > 0 else np.zeros_like(values)


def parts(features: np.ndarray, weights: Weights) -> np.ndarray:
    """(n, 5) contributions, which add up to the relevance before it is cut at 0."""
    signs = [
        weights.interest,
        weights.votes,
        weights.popularity,
        weights.freshness,
        -weights.dislike,
    ]
    return features * np.array(signs, dtype=np.float32)
