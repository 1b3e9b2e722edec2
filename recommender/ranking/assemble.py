"""From what was read to what is ranked: the person, the sources of candidates, the pool.

A live request reads arrays from the database and an evaluation makes them from a replayed
history; from here on both are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.candidates.interests import learn_interests
from recommender.candidates.neighbours import votes
from recommender.candidates.taste import Taste
from recommender.ranking.pipeline import Person, Pool

# The say of each source in the fusion by reciprocal rank, of which the pool is the best part.
VOTED, GIVEN, POPULAR, NEW = 1.0, 0.3, 0.2, 0.1
FEWEST_NEAREST = 30  # of the least interest
SPARE = 1.5  # interests share so many times the pool, since their lists overlap


@dataclass(frozen=True)
class Votes:
    """Items that neighbours of likes vote for, strongest first."""

    ids: np.ndarray  # (v,) int64
    strengths: np.ndarray  # (v,) float32
    likes: np.ndarray  # (v,) int64 row of the like that gave most


@dataclass(frozen=True)
class Ask:
    """One list of candidates to fetch: the nearest of an interest, given ids, or an order."""

    weight: float
    limit: int
    interest: int | None = None
    ids: np.ndarray | None = None
    order: str | None = None  # "popular" or "new"


def person_of(
    taste: Taste, vectors: np.ndarray, neighbour_ids: np.ndarray, neighbour_weights: np.ndarray
) -> tuple[Person, Votes]:
    """Interests, dislikes and votes of a person.

    vectors            (l + x, d) of the likes, then of the dislikes; zeros where there is none
    neighbour_ids      (l + x, k) int64, -1 where there is none; those of dislikes have no say
    """
    n_likes = len(taste.likes)
    likes, dislikes = vectors[:n_likes], vectors[n_likes:]
    known = likes.any(axis=1)
    person = Person(
        interests=learn_interests(likes[known], taste.weights[known]),
        like_ids=taste.likes,
        like_vectors=likes,
        like_weights=taste.weights,
        dislike_vectors=dislikes[dislikes.any(axis=1)],
        history_length=n_likes + len(taste.dislikes),
    )
    ids, strengths, best = votes(
        neighbour_ids[:n_likes], neighbour_weights[:n_likes], taste.weights
    )
    order = np.argsort(-strengths, kind="stable")
    return person, Votes(ids[order], strengths[order], best[order])


def asks(person: Person, voted: Votes, given: Sequence[int], *, pool_size: int) -> list[Ask]:
    """Which lists of candidates to fetch, each with its say, so that together they fill a pool."""
    weights = person.interests.weights
    plan = [
        Ask(
            weight=float(weight / weights.max()),
            limit=max(FEWEST_NEAREST, int(np.ceil(SPARE * pool_size * weight))),
            interest=number,
        )
        for number, weight in enumerate(weights)
    ]
    if len(voted.ids):
        plan.append(Ask(weight=VOTED, limit=pool_size, ids=voted.ids[:pool_size]))
    if len(given):
        plan.append(Ask(weight=GIVEN, limit=len(given), ids=np.asarray(given, dtype=np.int64)))
    # An interest alone can fill the pool; without one, what is liked and what is new must.
    filler = 60 if len(weights) else pool_size
    plan.append(Ask(weight=POPULAR, limit=filler, order="popular"))
    plan.append(Ask(weight=NEW, limit=filler, order="new"))
    return plan


def pool_of(
    voted: Votes,
    *,
    ids: np.ndarray,
    vectors: np.ndarray,
    category_ids: Sequence[Sequence[int]],
    creators: np.ndarray,
    popularity: np.ndarray,
    age_days: np.ndarray,
) -> Pool:
    """The pool of candidates with the votes for each."""
    strengths = np.zeros(len(ids), dtype=np.float32)
    voters = np.full(len(ids), -1, dtype=np.int64)
    if len(voted.ids) and len(ids):
        by_id = np.argsort(voted.ids)
        at = by_id[np.minimum(np.searchsorted(voted.ids[by_id], ids), len(by_id) - 1)]
        has_votes = voted.ids[at] == ids
        strengths[has_votes] = voted.strengths[at[has_votes]]
        voters[has_votes] = voted.likes[at[has_votes]]
    return Pool(
        ids=ids,
        vectors=vectors,
        categories=membership(category_ids),
        creators=creators,
        popularity=popularity,
        age_days=age_days,
        votes=strengths,
        voter=voters,
    )


def membership(category_ids: Sequence[Sequence[int]]) -> np.ndarray:
    """(n, c) bool: which item is of which of the categories that occur, in order of their ids."""
    lengths = [len(row) for row in category_ids]
    flat = np.array([c for row in category_ids for c in row], dtype=np.int64)
    columns, where = np.unique(flat, return_inverse=True)
    table = np.zeros((len(category_ids), len(columns)), dtype=bool)
    table[np.repeat(np.arange(len(lengths)), lengths), where] = True
    return table
