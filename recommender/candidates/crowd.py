"""What each piece of everybody's feedback says, read against the person who gave it."""

from typing import Protocol

import numpy as np

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
