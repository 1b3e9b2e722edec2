"""Why an item stands in a list: the largest contribution that can be told truthfully, or nothing.

No reason is better than a far-fetched one.
"""

from dataclasses import dataclass

import numpy as np

from recommender.ranking.asked import Asked
from recommender.ranking.model import LISTS, PARTS
from recommender.ranking.pipeline import Person, Pool, Ranked

BY_PEOPLE = ("order", "past_order", "next", "taste", "factors")
BY_TEXT = ("text", "map", "interest")
_LIST_OF = [LISTS.index(name) for name in ("order", "order", "next", "taste")]

NEAR = 0.25  # cosine of centred vectors, from which two texts are about the same thing
STRONG_VOTE = 0.1  # of the strongest vote in the pool
POPULAR = 0.3
ASKED = 0.4  # of the best in the pool; a kind that was named has as much by itself
FRESH_DAYS = 30.0


@dataclass(frozen=True)
class Reason:
    """One reason, in facts."""

    kind: str  # wish, voted, similar, popular, new or varied
    like: int | None = None  # row of the person's likes that it speaks of
    strength: float = 0.0  # its share of what speaks for the item, 0 to 1; 0 of "varied"
    wish: int | None = None  # number of the wish that it speaks of


def reason_codes(
    person: Person, pool: Pool, ranked: Ranked, rows: np.ndarray, asked: Asked | None = None
) -> list[Reason | None]:
    """A reason for each of some rows of the pool.

    wish     it was asked for in words, and no mere trace of that is in it
    voted    people who liked what you liked also liked this: that like gave most of its votes, and
             they are no mere trace beside the strongest in the pool
    similar  the like that is nearest to it, if near indeed
    popular, new  where neither holds: what all like, what just came
    varied   it is here for variety alone, further down by relevance than the list is long
    """
    rows = np.asarray(rows, dtype=np.int64)
    places = len(ranked.order)
    least = np.sort(ranked.relevance)[::-1][:places].min(initial=np.inf)
    spoken = np.maximum(ranked.parts[rows], 0.0)
    share = spoken / np.maximum(spoken.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    of = {name: share[:, column] for column, name in enumerate(PARTS)}

    voter, like = voters(person, pool, ranked, rows), ranked.best_like[rows]
    people = sum(np.maximum(ranked.parts[:, PARTS.index(name)], 0.0) for name in BY_PEOPLE)
    voted = (voter >= 0) & (people[rows] >= STRONG_VOTE * people.max(initial=0.0))
    by_people = sum(of[name] for name in BY_PEOPLE)
    by_text = sum(of[name] for name in BY_TEXT)
    similar = like >= 0
    if similar.any():
        similar &= np.einsum("nd,nd->n", pool.vectors[rows], person.like_vectors[like]) >= NEAR
    popular = pool.popularity[rows] >= POPULAR
    new = pool.age_days[rows] <= FRESH_DAYS  # an unknown age is not new
    varied = ranked.relevance[rows] < least

    reasons: list[Reason | None] = []
    for n in range(len(rows)):
        # What has to do with oneself says more than what all like, even where it weighs less.
        own = [
            Reason("wish", None, float(share[n, len(PARTS)]), int(asked.best[rows[n]]))
            if asked is not None and asked.near[rows[n]] >= ASKED
            else None,
            Reason("voted", int(voter[n]), float(by_people[n])) if voted[n] else None,
            Reason("similar", int(like[n]), float(by_text[n])) if similar[n] else None,
        ]
        all_like = [
            Reason("popular", None, float(of["popularity"][n])) if popular[n] else None,
            Reason("new", None, float(of["freshness"][n])) if new[n] else None,
        ]
        reason = _strongest(own) or _strongest(all_like)
        reasons.append(reason or (Reason("varied") if varied[n] else None))
    return reasons


def voters(person: Person, pool: Pool, ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """(r,) the like that gave most of the votes for each item, the newer of two, -1 for none."""
    found = np.full(len(rows), -1, dtype=np.int64)
    if len(person.like_ids) == 0:
        return found
    for n, row in enumerate(rows):
        gave = np.zeros(len(person.like_ids), dtype=np.float32)
        for kind, number in enumerate(_LIST_OF):
            votes, part = pool.votes[row, kind], ranked.parts[row, kind]
            if votes > 0 and part > 0:
                like, place = np.nonzero(person.related_ids[:, number] == pool.ids[row])
                gave[like] += person.given[like, kind, place] * (part / votes)
        if gave.max() > 0:
            found[n] = np.argmax(gave)
    return found


def _strongest(reasons: list[Reason | None]) -> Reason | None:
    told = [reason for reason in reasons if reason and reason.strength > 0]
    return max(told, key=lambda reason: reason.strength, default=None)
