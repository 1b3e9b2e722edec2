"""Why an item stands in a list: the largest contribution that can be told truthfully, or nothing.

No reason is better than a far-fetched one.
"""

from dataclasses import dataclass

import numpy as np

from recommender.ranking.pipeline import Person, Pool, Ranked
from recommender.ranking.score import PARTS

NEAR = 0.25  # cosine of centred vectors, from which two texts are about the same thing
STRONG_VOTE = 0.05  # of the strongest vote in the pool
POPULAR = 0.3
FRESH_DAYS = 30.0


@dataclass(frozen=True)
class Reason:
    """kind: voted, similar, popular, new or varied; like: row of the person's likes behind it."""

    kind: str
    like: int | None = None


def reason_codes(
    person: Person, pool: Pool, ranked: Ranked, rows: np.ndarray
) -> list[Reason | None]:
    """A reason for each of some rows of the pool."""
    strongest = pool.votes.max(initial=0.0)
    least = np.sort(ranked.relevance)[::-1][: len(ranked.order)].min(initial=1.0)
    return [_reason(person, pool, ranked, int(row), strongest, least) for row in rows]


def _reason(
    person: Person, pool: Pool, ranked: Ranked, row: int, strongest: float, least: float
) -> Reason | None:
    say = dict(zip(PARTS, ranked.parts[row].tolist(), strict=True))
    own: list[tuple[float, Reason]] = []
    if pool.voter[row] >= 0 and pool.votes[row] > STRONG_VOTE * strongest:
        own.append((say["votes"], Reason("voted", int(pool.voter[row]))))
    like = int(ranked.best_like[row])
    if like >= 0 and float(pool.vectors[row] @ person.like_vectors[like]) >= NEAR:
        own.append((say["interest"], Reason("similar", like)))
    general: list[tuple[float, Reason]] = []
    if pool.popularity[row] >= POPULAR:
        general.append((say["popularity"], Reason("popular")))
    if pool.age_days[row] <= FRESH_DAYS:
        general.append((say["freshness"], Reason("new")))
    # What has to do with oneself says more than what all like, even where it weighs less.
    for reasons in (own, general):
        strength, reason = max(reasons, key=lambda pair: pair[0], default=(0.0, None))
        if strength > 0:
            return reason
    # It would not be here by relevance alone.
    return Reason("varied") if ranked.relevance[row] < least else None
