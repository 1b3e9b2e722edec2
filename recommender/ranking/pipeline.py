"""The one ranking, for a live request and for a replayed history: score, diversity, report."""

from dataclasses import dataclass, field

import numpy as np

from recommender.candidates.interests import Interests
from recommender.diversity import measures
from recommender.diversity.dpp import dpp
from recommender.diversity.features import CATEGORY_SHARE, joint_features
from recommender.diversity.measures import Report
from recommender.diversity.mmr import mmr
from recommender.ranking import score
from recommender.ranking.score import Weights

STRATEGIES = {"mmr": mmr, "dpp": dpp}
NONE = "none"  # the order of relevance, whatever the diversity


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
    vectors: np.ndarray  # (n, d) float32 unit rows, zeros where there is none yet
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
    strategy: str = "mmr"  # or "dpp", or "none"
    max_per_creator: int | None = None
    category_share: float = CATEGORY_SHARE
    weights: Weights = field(default_factory=Weights)


@dataclass(frozen=True)
class Ranked:
    """The list, and how it came about."""

    order: np.ndarray  # (k,) rows of the pool, in the order to show
    relevance: np.ndarray  # (n,) float32, 0 to 1
    parts: np.ndarray  # (n, 5) float32 contributions in the order of score.PARTS
    best_like: np.ndarray  # (n,) row of the like most similar to it, -1 for none
    best_interest: np.ndarray  # (n,) the interest nearest to it, -1 for none
    report: Report


def rank(person: Person, pool: Pool, rules: Rules) -> Ranked:
    """Choose and order up to rules.limit items of the pool.

    The parts of an item add up to its relevance before that is cut at 0 and 1. Equal inputs give
    equal lists; of equals the one that stands earlier in the pool comes first.
    Raises ValueError for an unknown strategy, a limit below 0, a diversity outside [0, 1], arrays
    of different lengths, or a number that is not finite (an unknown age aside)
    """
    if rules.strategy not in (*STRATEGIES, NONE):
        raise ValueError(f"no strategy {rules.strategy!r}: mmr, dpp or none")
    n = len(pool.ids)
    for name in ("vectors", "categories", "creators", "popularity", "age_days", "votes", "voter"):
        if len(getattr(pool, name)) != n:
            raise ValueError(f"{n} ids in the pool, {len(getattr(pool, name))} {name}")

    to_interests = pool.vectors @ person.interests.vectors.T
    to_likes = pool.vectors @ person.like_vectors.T
    to_dislikes = pool.vectors @ person.dislike_vectors.T
    features = score.features(to_interests, to_dislikes, pool.votes, pool.popularity, pool.age_days)
    weights = score.weights_for(
        person.history_length,
        rules.weights,
        has_interests=len(person.interests.weights) > 0,
        has_votes=bool((pool.votes > 0).any()),
    )
    parts = features * weights
    relevance = np.clip(parts.sum(axis=1), 0.0, 1.0)
    diversity = 0.0 if rules.strategy == NONE else rules.diversity
    order = STRATEGIES.get(rules.strategy, mmr)(
        joint_features(pool.vectors, pool.categories, category_share=rules.category_share)
        if diversity
        else pool.vectors,
        relevance,
        rules.limit,
        diversity,
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
        diversity=diversity,
    )
    return Ranked(order, relevance, parts, _nearest(to_likes), _nearest(to_interests), report)


def _nearest(cosines: np.ndarray) -> np.ndarray:
    """(n,) the column of the largest cosine; -1 without columns, or for a row of zeros."""
    if cosines.shape[1] == 0:
        return np.full(len(cosines), -1, dtype=np.int64)
    return np.where(cosines.any(axis=1), np.argmax(cosines, axis=1), -1)
