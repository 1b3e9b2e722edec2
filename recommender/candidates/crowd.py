"""What everybody's feedback says together: popularity and neighbours of items, from raw events.

The same functions fill the stored tables and replay a history for an evaluation.
"""

from typing import Protocol

import numpy as np

from recommender.candidates.neighbours import Neighbours, learn_neighbours
from recommender.candidates.popularity import popularity
from recommender.candidates.signals import KINDS, WEIGHTS, rating_mean, signal

DAY = 86_400.0


class Events(Protocol):
    """Parallel arrays (n,): people and items by id, kinds as indices into KINDS, values with nan
    where there is none, moments in seconds since 1970."""

    people: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    values: np.ndarray
    moments: np.ndarray


def signals(events: Events, weights: np.ndarray = WEIGHTS) -> np.ndarray:
    """(n,) what each event says; ratings are read against the mean of the person who gave them.

    weights  (len(KINDS),) of each kind, here and below
    """
    says = np.zeros(len(events.people), dtype=np.float32)
    order = np.argsort(events.people, kind="stable")
    bounds = np.flatnonzero(np.diff(events.people[order], prepend=-1, append=-1))
    is_rating = events.kinds == KINDS.index("rating")
    for start, end in zip(bounds[:-1], bounds[1:], strict=True):
        rows = order[start:end]
        ratings = events.values[rows[is_rating[rows]]]
        mean = rating_mean(ratings[~np.isnan(ratings)])
        says[rows] = signal(
            events.kinds[rows], events.values[rows], rating_mean=mean, weights=weights
        )
    return says


def item_popularity(events: Events, weights: np.ndarray = WEIGHTS) -> tuple[np.ndarray, np.ndarray]:
    """Item ids ascending, and how much people like each, at the moment of the newest event."""
    item_ids, items = np.unique(events.items, return_inverse=True)
    _, people = np.unique(events.people, return_inverse=True)
    age_days = (events.moments.max(initial=0.0) - events.moments) / DAY
    scores = popularity(items, people, signals(events, weights), age_days, n_items=len(item_ids))
    return item_ids, scores


def item_neighbours(events: Events, weights: np.ndarray = WEIGHTS) -> tuple[np.ndarray, Neighbours]:
    """Item ids ascending, and the neighbours of each, as item ids, by what people liked.

    What a person said against an item takes from what they said for it.
    """
    item_ids, items = np.unique(events.items, return_inverse=True)
    person_ids, people = np.unique(events.people, return_inverse=True)
    says = signals(events, weights)
    _, pair = np.unique(people * len(item_ids) + items, return_inverse=True)
    says = np.minimum(says, np.bincount(pair, weights=says)[pair])
    liked = says > 0
    found = learn_neighbours(
        people[liked], items[liked], says[liked], n_people=len(person_ids), n_items=len(item_ids)
    )
    ids = np.where(found.ids >= 0, item_ids[found.ids], -1)
    return item_ids, Neighbours(ids, found.weights)
