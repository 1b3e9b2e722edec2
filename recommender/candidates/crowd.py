"""What each piece of everybody's feedback says, read against the person who gave it."""

from typing import Protocol

import numpy as np

from recommender.candidates.signals import WEIGHTS, signal_of_many

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
    return signal_of_many(events.people, events.kinds, events.values, weights)
