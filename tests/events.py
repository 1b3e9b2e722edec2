"""Events for tests of the maths, in the form in which the store hands them out."""

from dataclasses import dataclass

import numpy as np

from recommender.candidates.crowd import DAY
from recommender.candidates.signals import KINDS


@dataclass(frozen=True)
class Events:
    people: np.ndarray
    items: np.ndarray
    kinds: np.ndarray
    values: np.ndarray
    moments: np.ndarray


def events(*rows: tuple) -> Events:
    """Rows are (person, item, kind, value, day), oldest first."""
    people, items, kinds, values, days = zip(*rows, strict=True) if rows else [[]] * 5
    return Events(
        np.array(people, dtype=np.int64),
        np.array(items, dtype=np.int64),
        np.array([KINDS.index(kind) for kind in kinds], dtype=np.int8),
        np.array(values, dtype=np.float64),
        np.array(days, dtype=np.float64) * DAY,
    )
