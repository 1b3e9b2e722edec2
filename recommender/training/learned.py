"""Everything that is learned of items from frozen events, by the models of candidates/.

The same function trains a version that is served and replays a history for a judgement.
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from recommender.candidates.crowd import DAY, Events, signals
from recommender.candidates.factors import Factors, learn_factors
from recommender.candidates.neighbours import learn_neighbours
from recommender.candidates.order import learn_next, learn_order
from recommender.candidates.popularity import HALF_LIFE_DAYS, TREND_HALF_LIFE_DAYS, popularity
from recommender.candidates.signals import WEIGHTS
from recommender.candidates.taste import affinity, read_taste, taken_up
from recommender.candidates.textmap import learn_carry, learn_promise, stand_ins
from recommender.ranking.assemble import factors_of, unit
from recommender.ranking.model import LISTS, RELATED, STAND_INS


class Texts(Protocol):
    """Items with their vectors."""

    ids: np.ndarray  # (n,) int64 ascending
    vectors: np.ndarray  # (n, d) float32 unit rows, zeros where there is none


@dataclass(frozen=True)
class Learned:
    """What was learned, a row an item; ids are ids of items, -1 where there is none."""

    ids: np.ndarray  # (n,) int64 ascending: items with events, and those with a text
    related_ids: np.ndarray  # (n, 3, k) int64 in the order of LISTS
    related_weights: np.ndarray  # (n, 3, k) float32
    factors: np.ndarray  # (n, f) float32
    gram: np.ndarray  # (f, f) float32
    stand_in_ids: np.ndarray  # (n, s) int64: of items without events
    stand_in_weights: np.ndarray  # (n, s) float32
    popularity: np.ndarray  # (n,) float32
    trend: np.ndarray  # (n,) float32
    text_factors: np.ndarray  # (n, r) float32
    text_basis: np.ndarray  # (r, d) float32
    text_map: np.ndarray  # (d, d) float32
    promise: np.ndarray  # (d,) float32


@dataclass(frozen=True)
class Taken:
    """What each person took up, once a pair: sorted by person, then by the last time."""

    people: np.ndarray  # (m,) row numbers
    items: np.ndarray  # (m,) row numbers
    affinity: np.ndarray  # (m,) float32 above 0
    n_people: int


def taken(events: Events, item_ids: np.ndarray, weights: np.ndarray = WEIGHTS) -> Taken:
    """Histories as training reads them. item_ids (n,) ascending, and all items of the events."""
    items = np.searchsorted(item_ids, events.items)
    person_ids, people = np.unique(events.people, return_inverse=True)
    says = signals(events, weights)
    pair = people.astype(np.int64) * len(item_ids) + items
    newest_first = np.lexsort((np.arange(len(pair)), events.moments))[::-1]
    pairs, last, where = np.unique(pair[newest_first], return_index=True, return_inverse=True)
    says = says[newest_first]
    liking = np.bincount(where, weights=says, minlength=len(pairs))
    took = np.zeros(len(pairs), dtype=np.float32)
    np.maximum.at(took, where, taken_up(events.kinds[newest_first], says))
    counts = affinity(np.minimum(liking, 1.2), took)
    keep = counts > 0
    pairs, last, counts = pairs[keep], last[keep], counts[keep]
    order = np.lexsort((-last, pairs // len(item_ids)))
    pairs, counts = pairs[order], counts[order]
    return Taken(pairs // len(item_ids), pairs % len(item_ids), counts, len(person_ids))


def learn(events: Events, texts: Texts, *, weights: np.ndarray = WEIGHTS, seed: int = 0) -> Learned:
    """Learn everything from events.

    weights  (kinds,) of each kind of feedback
    Equal events, texts and seed give equal results on one machine.
    """
    ids = np.union1d(texts.ids, events.items)
    vectors = np.zeros((len(ids), texts.vectors.shape[1]), dtype=np.float32)
    vectors[np.searchsorted(ids, texts.ids)] = texts.vectors
    n = len(ids)
    history = taken(events, ids, weights)
    related_ids = np.full((n, len(LISTS), RELATED), -1, dtype=np.int64)
    related_weights = np.zeros((n, len(LISTS), RELATED), dtype=np.float32)
    pairs = (history.people, history.items)
    taste = learn_neighbours(
        *pairs, history.affinity, n_people=history.n_people, n_items=n, k=RELATED
    )
    order = learn_order(*pairs, n_items=n, k=RELATED)
    following = learn_next(*pairs, n_items=n, k=RELATED)
    for number, found in enumerate((taste, order, following)):
        related_ids[:, number] = np.where(found.ids >= 0, ids[found.ids], -1)
        related_weights[:, number] = found.weights
    counts = np.bincount(history.items, minlength=n)
    factors = (
        learn_factors(*pairs, history.affinity, n_people=history.n_people, n_items=n, seed=seed)
        if len(history.items)
        else Factors(np.zeros((n, 1), np.float32), np.zeros((1, 1), np.float32))
    )
    carry = learn_carry(vectors, counts > 0, taste.ids, taste.weights)
    popular, trend = popularities(events, ids, weights)
    learned = Learned(
        ids,
        related_ids,
        _half(related_weights),
        factors.items,
        factors.gram,
        np.full((n, STAND_INS), -1, dtype=np.int64),
        np.zeros((n, STAND_INS), dtype=np.float32),
        popular,
        trend,
        _half(carry.factors),
        carry.basis,
        carry.own,
        learn_promise(vectors, counts),
    )
    return _stood_in(learned, vectors, counts > 0, np.flatnonzero(counts == 0))


def _stood_in(
    learned: Learned, vectors: np.ndarray, touched: np.ndarray, rows: np.ndarray
) -> Learned:
    """The same with stand-ins for these rows, among touched ones."""
    found, shares = stand_ins(vectors, touched, rows, k=STAND_INS)
    ids, weights = learned.stand_in_ids.copy(), learned.stand_in_weights.copy()
    factors = learned.factors.copy()
    ids[rows] = np.where(found >= 0, learned.ids[found], -1)
    weights[rows] = shares
    factors[rows] = np.einsum("ms,msf->mf", shares, learned.factors[np.maximum(found, 0)])
    return replace(
        learned, stand_in_ids=ids, stand_in_weights=_half(weights), factors=_half(factors)
    )


def _half(numbers: np.ndarray) -> np.ndarray:
    """As they are kept, or a replay would not make the very lists of a request."""
    return numbers.astype(np.float16).astype(np.float32)


def places(
    events: Events,
    item_ids: np.ndarray,
    factors: np.ndarray,
    gram: np.ndarray,
    *,
    newest: int,
    weights: np.ndarray = WEIGHTS,
) -> tuple[np.ndarray, np.ndarray]:
    """Where everybody stands by what was learned: (p,) ids ascending, (p, f) unit rows or zeros.

    events             oldest first
    item_ids, factors  (n,) ascending, and (n, f)
    gram               (f, f)
    newest             so many of each person's events are read
    """
    people, begins = np.unique(np.sort(events.people), return_index=True)
    found = np.zeros((len(people), factors.shape[1]), dtype=np.float32)
    by_person = np.argsort(events.people, kind="stable")
    for place, rows in enumerate(np.split(by_person, begins[1:]) if len(people) else []):
        last = rows[::-1][:newest]
        taste = read_taste(events.items[last], events.kinds[last], events.values[last], weights)
        at = np.minimum(np.searchsorted(item_ids, taste.items), len(item_ids) - 1)
        known = np.where((item_ids[at] == taste.items)[:, None], factors[at], 0.0)
        found[place] = unit(factors_of(taste, known, gram))
    return people, found


def popularities(
    events: Events, item_ids: np.ndarray, weights: np.ndarray = WEIGHTS
) -> tuple[np.ndarray, np.ndarray]:
    """(n,) float32 each: how much people like an item of late, and how much just now."""
    items = np.searchsorted(item_ids, events.items)
    _, people = np.unique(events.people, return_inverse=True)
    age_days = (events.moments.max(initial=0.0) - events.moments) / DAY
    says = signals(events, weights)
    popular, trend = (
        popularity(items, people, says, age_days, n_items=len(item_ids), half_life_days=half_life)
        for half_life in (HALF_LIFE_DAYS, TREND_HALF_LIFE_DAYS)
    )
    return popular, trend
