"""What is known and what is to be foretold: splits of a history in time."""

import numpy as np

FEWEST_EVENTS = 5  # of a person, for a part of them to say anything


def last_fraction(
    people: np.ndarray,
    moments: np.ndarray,
    fraction: float = 0.2,
    *,
    fewest: int = FEWEST_EVENTS,
) -> np.ndarray:
    """(n,) bool: the last part of each person's events, by moment, then by place.

    people, moments  (n,) of each event
    fraction         above 0 and below 1; rounded to a number of events, at least one and never all
    fewest           people with fewer events keep them all; at least 2
    Raises           ValueError for another fraction, shapes that disagree or a moment that is nan

    >>> last_fraction(np.zeros(5, int), np.array([3.0, 1, 2, 5, 4])).tolist()
    [False, False, False, True, False]
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must be between 0 and 1, got {fraction}")
    if people.shape != moments.shape:
        raise ValueError(f"shapes disagree: people {people.shape}, moments {moments.shape}")
    if np.isnan(moments).any():
        raise ValueError("a moment is nan")
    held = np.zeros(len(people), dtype=bool)
    if len(people) == 0:
        return held
    order = np.lexsort((np.arange(len(people)), moments, people))
    begins = np.flatnonzero(np.diff(people[order], prepend=people[order[0]] - 1))
    lengths = np.diff(begins, append=len(people))
    place = np.arange(len(people)) - np.repeat(begins, lengths)
    foretold = np.clip(np.rint(fraction * lengths), 1, lengths - 1)
    keep = np.where(lengths >= fewest, lengths - foretold, lengths)
    held[order] = place >= np.repeat(keep, lengths)
    return held


def after(moments: np.ndarray, moment: float) -> np.ndarray:
    """(n,) bool: what came after a moment; what came at the moment itself is known."""
    return moments > moment
