"""The one ranking, for a live request and for a replayed history: score → diversity → report."""

from dataclasses import dataclass

import numpy as np

from recommender.candidates.interests import Interests
from recommender.diversity import measures
from recommender.diversity.dpp import dpp
from recommender.diversity.features import CATEGORY_SHARE, joint_features
from recommender.diversity.measures import Report
from recommender.diversity.mmr import mmr
from recommender.ranking import score

STRATEGIES = {"mmr": mmr, "dpp": dpp}


@dataclass(frozen=True)
class Person:
    """What is known of the person who asks."""

    interests: Interests
    like_ids: np.ndarray  # (l,) int64, newest first
    like_vectors: np.ndarray  # (l, d) unit rows, zeros where there is none
    like_weights: np.ndarray  # (l,)
    dislike_vectors: np.ndarray  # (x, d) unit rows
    history_length: int


@dataclass(frozen=True)
class Pool:
    """Candidates that may be shown."""

    ids: np.ndarray  # (n,) int64
    vectors: np.ndarray  # (n, d) unit rows, zeros where there is none yet
    categories: np.ndarray  # (n, c) bool
    creators: np.ndarray  # (n,) int64 first creator, below 0 for none
    popularity: np.ndarray  # (n,) 0 to 1
    age_days: np.ndarray  # (n,), nan where unknown
    votes: np.ndarray  # (n,) by neighbours of likes
    voter: np.ndarray  # (n,) row of the like that gave most, below 0 for none


@dataclass(frozen=True)
class Rules:
    """What was asked for."""

    limit: int
    diversity: float = 0.3
    strategy: str = "mmr"
    max_per_creator: int | None = None
    category_share: float = CATEGORY_SHARE


@dataclass(frozen=True)
class Ranked:
    """The list, and how it came about."""

    order: np.ndarray  # (k,) rows of the pool, in the order to show
    relevance: np.ndarray  # (n,) 0 to 1
    parts: np.ndarray  # (n, 5) contributions, see score.PARTS
    best_like: np.ndarray  # (n,) row of the like most similar to it, -1 for none
    best_interest: np.ndarray  # (n,) the interest nearest to it, -1 for none
    report: Report


def rank(person: Person, pool: Pool, rules: Rules) -> Ranked:
    """Choose and order up to rules.limit items of the pool.

    Equal inputs give equal lists; of equals the one that stands earlier in the pool comes first.
    """
    if rules.strategy not in STRATEGIES:
        raise ValueError(f"no strategy {rules.strategy!r}: use one of {', '.join(STRATEGIES)}")
    features = score.features(
        pool.vectors,
        person.interests.vectors,
        person.dislike_vectors,
        pool.votes,
        pool.popularity,
        pool.age_days,
    )
    weights = score.weights_for(person.history_length, has_votes=bool((pool.votes > 0).any()))
    parts = score.parts(features, weights)
    relevance = np.clip(parts.sum(axis=1), 0.0, 1.0)
    order = STRATEGIES[rules.strategy](
        joint_features(pool.vectors, pool.categories, category_share=rules.category_share),
        relevance,
        rules.limit,
        rules.diversity,
        groups=pool.creators,
        max_per_group=rules.max_per_creator,
    )
    report = measures.report(
        order,
        relevance,
        pool.vectors,
        pool.categories,
        pool.creators,
        strategy=rules.strategy,
        diversity=rules.diversity,
    )
    return Ranked(
        order,
        relevance,
        parts,
        _nearest(pool.vectors, person.like_vectors),
        _nearest(pool.vectors, person.interests.vectors),
        report,
    )


def _nearest(vectors: np.ndarray, others: np.ndarray) -> np.ndarray:
    if len(others) == 0 or len(vectors) == 0:
        return np.full(len(vectors), -1, dtype=np.int64)
    return np.argmax(vectors @ others.T, axis=1)
