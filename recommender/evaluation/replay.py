"""A history replayed: what a request would have found and shown at a moment of the past.

Everything is made by the functions that answer a live request, from what training would have
learned at that moment; no learned table is read, so nothing of the future leaks in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from recommender.candidates.crowd import DAY, Events
from recommender.candidates.fusion import reciprocal_rank
from recommender.candidates.signals import WEIGHTS
from recommender.candidates.taste import read_taste
from recommender.ranking.assemble import HISTORY, Ask, Known, asks, person_of, pool_of, with_mix
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Person, Pool, Rules, rank
from recommender.ranking.tuning import Tuning, wished
from recommender.training.learned import Learned, learn

HIDDEN = -1  # in the place of an item that may not be shown


class Library(Protocol):
    """What ranking needs of every item."""

    ids: np.ndarray  # (n,) int64 ascending
    vectors: np.ndarray  # (n, d) float32, zeros where there is none
    category_ids: list[list[int]]
    creators: np.ndarray  # (n,) int64
    moments: np.ndarray  # (n,) float64
    shown: np.ndarray  # (n,) bool: it may be recommended
    topic_ids: list[list[int]]
    titles: list[str]


@dataclass(frozen=True)
class Past:
    """All that may be known at the moment of the replay."""

    library: Library
    events: Events
    learned: Learned
    of_item: dict[int, int]  # item id → row of the library
    at: np.ndarray  # (n,) the row of learned of each item of the library
    now: float
    weights: np.ndarray  # (kinds,) what each kind of feedback weighs
    vectors: np.ndarray  # (all, d) float32, a row of learned each
    has_text: np.ndarray  # (n,) bool: there is a vector of the item of the library


def look_back(
    library: Library, events: Events, weights: np.ndarray = WEIGHTS, *, seed: int = 0
) -> Past:
    """Learn from events, for the items of the library, what a live system would have stored."""
    learned = learn(events, library, weights=weights, seed=seed)
    at = np.searchsorted(learned.ids, library.ids)
    vectors = np.zeros((len(learned.ids), library.vectors.shape[1]), dtype=np.float32)
    vectors[at] = library.vectors
    rows = {int(item): row for row, item in enumerate(library.ids)}
    now = float(events.moments.max(initial=0.0))
    has_text = library.vectors.any(axis=1)
    return Past(library, events, learned, rows, at, now, weights, vectors, has_text)


def case(
    past: Past,
    history: np.ndarray,
    model: Model,
    *,
    pool_size: int,
    only: np.ndarray | None = None,
) -> tuple[Person, Pool]:
    """The person of these rows of events (oldest first), and the pool a request would rank.

    only  (n,) bool of the library's items, those that may be shown; those that are when not given
    """
    events, library, learned = past.events, past.library, past.learned
    newest = history[::-1][:HISTORY]
    taste = read_taste(
        events.items[newest], events.kinds[newest], events.values[newest], past.weights
    )
    rows = np.searchsorted(learned.ids, taste.items)
    known = Known(
        past.vectors[rows],
        learned.related_ids[rows],
        learned.related_weights[rows],
        learned.factors[rows],
        learned.text_factors[rows],
        *_kinds_of(past, taste.items),
    )
    touched = np.unique(events.items[history])
    person, voted = person_of(taste, known, model, touched=len(touched))
    free = (library.shown if only is None else only).copy()
    seen = [past.of_item.get(int(item), -1) for item in touched]
    free[[row for row in seen if row >= 0]] = False
    plan = asks(person, voted, (), pool_size=pool_size)
    lists = [_fetch(past, ask, free) for ask in plan]
    fused = reciprocal_rank(lists, weights=[ask.weight for ask in plan])
    fused = fused[fused != HIDDEN][:pool_size]
    rows = np.array([past.of_item[int(item)] for item in fused], dtype=np.int64)
    at = past.at[rows]
    category_ids = [library.category_ids[row] for row in rows]
    topic_ids = [library.topic_ids[row] for row in rows]
    person = with_mix(person, taste, known, category_ids, topic_ids)
    pool = pool_of(
        voted,
        ids=fused,
        vectors=library.vectors[rows],
        category_ids=category_ids,
        creators=library.creators[rows],
        popularity=learned.popularity[at],
        trend=learned.trend[at],
        age_days=np.maximum(past.now - library.moments[rows], 0) / DAY,
        factors=learned.factors[at],
        stand_in_ids=learned.stand_in_ids[at],
        stand_in_weights=learned.stand_in_weights[at],
        topic_ids=topic_ids,
        titles=[library.titles[row] for row in rows],
    )
    return person, pool


def _kinds_of(past: Past, items: np.ndarray) -> tuple[list[list[int]], list[list[int]]]:
    """Categories and topics of items; of one that has left the library, none."""
    rows = [past.of_item.get(int(item), -1) for item in items]
    library = past.library
    return (
        [library.category_ids[row] if row >= 0 else [] for row in rows],
        [library.topic_ids[row] if row >= 0 else [] for row in rows],
    )


def list_for(
    past: Past,
    history: np.ndarray,
    rules: Rules,
    *,
    pool_size: int,
    only: np.ndarray | None = None,
    tuning: Tuning | None = None,
) -> np.ndarray:
    """Item ids for the person of these rows of events (oldest first), as a request would.

    only    as of case()
    tuning  wishes of taste, or a list by date; the diversity is that of the rules
    """
    tuning = tuning or Tuning()
    if tuning.chronological:
        return newest_for(past, history, rules.limit, only)
    person, pool = case(past, history, rules.model, pool_size=pool_size, only=only)
    return pool.ids[rank(person, pool, rules, None, wished(tuning, person, pool)).order]


def model_of(learned: Learned, like: Model) -> Model:
    """The weights of one model with the maps of what was learned."""
    return Model(
        like.weights,
        like.new_item,
        like.new_item_say,
        learned.gram,
        learned.text_basis,
        learned.text_map,
        learned.promise,
    )


def rows_by_person(people: np.ndarray) -> dict[int, np.ndarray]:
    """Of each person the rows, in their order."""
    order = np.argsort(people, kind="stable")
    ids, begins = np.unique(people[order], return_index=True)
    return dict(zip(ids.tolist(), np.split(order, begins)[1:], strict=True))


def popular_for(
    past: Past, history: Sequence[int], k: int, only: np.ndarray | None = None
) -> np.ndarray:
    """The k most popular items that the person of these rows has not had; only as of case()."""
    return _first(past, history, k, only, past.learned.popularity[past.at])


def newest_for(
    past: Past, history: Sequence[int], k: int, only: np.ndarray | None = None
) -> np.ndarray:
    """The k newest items that the person of these rows has not had; only as of case()."""
    there = past.library.moments <= past.now
    free = (past.library.shown if only is None else only) & there
    return _first(past, history, k, free, past.library.moments)


def _first(
    past: Past, history: Sequence[int], k: int, only: np.ndarray | None, score: np.ndarray
) -> np.ndarray:
    free = past.library.shown if only is None else only
    seen = np.isin(past.library.ids, past.events.items[history]) | ~free
    best = np.argsort(-np.where(seen, -np.inf, score), kind="stable")[:k]
    return past.library.ids[best[~seen[best]]]


def _fetch(past: Past, ask: Ask, free: np.ndarray) -> np.ndarray:
    """Item ids of one list of candidates, best first: exact where the database approximates."""
    library = past.library
    if ask.ids is not None:
        rows = np.array([past.of_item.get(int(item), -1) for item in ask.ids], dtype=np.int64)
        # The database too gives ranks first and leaves out what may not be shown then.
        return np.where((rows >= 0) & free[rows], ask.ids, HIDDEN)
    if ask.vector is not None:
        score = library.vectors @ ask.vector
        score[~past.has_text] = -np.inf
    elif ask.order == "popular":
        popular = past.learned.popularity[past.at]
        score = np.where(popular > 0, popular, -np.inf)
    elif ask.order == "trending":
        trend = past.learned.trend[past.at]
        score = np.where(trend > 0, trend, -np.inf)
    else:
        score = np.where(library.moments <= past.now, library.moments, -np.inf)
    score = np.where(free, score, -np.inf)
    best = np.argsort(-score, kind="stable")[: ask.limit]
    return library.ids[best[np.isfinite(score[best])]]
