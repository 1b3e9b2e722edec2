"""What is known and what is to be foretold: splits of a history in time."""

import numpy as np

from recommender.candidates.crowd import Events

FEWEST_EVENTS = 5  # of a person, for a part of them to say anything


class Leak(ValueError):
    """What is to be foretold, or what came after it, is known."""


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


def newest_items(items: np.ndarray, n: int) -> np.ndarray:
    """(rows,) the end of a history, rows oldest first, in which there are just n different items.

    All rows where there are no more than n; none for n = 0.

    >>> newest_items(np.array([5, 7, 5, 7, 8]), 2).tolist()
    [3, 4]
    """
    _, back = np.unique(items[::-1], return_index=True)
    newest_first = np.sort(back)
    rows = np.arange(len(items))
    return rows if n >= len(back) else rows[len(items) - newest_first[n] :]


def check_apart(known: Events, events: Events, held: np.ndarray) -> None:
    """Raise Leak where something is known of a person that is to be foretold, or came after it.

    known         what is learned from, and what lists are made by
    events, held  everything that happened, and (n,) bool which of it is to be foretold
    """
    if not held.any():
        return
    people, where = np.unique(events.people[held], return_inverse=True)
    begins = np.full(len(people), np.inf)
    np.minimum.at(begins, where, events.moments[held])

    def beside(of: np.ndarray, moments: np.ndarray) -> tuple[int, np.ndarray]:
        """How many came after the first event held out of the person, and (people,) at it."""
        row = np.minimum(np.searchsorted(people, of), len(people) - 1)
        theirs = people[row] == of
        after = np.count_nonzero(theirs & (moments > begins[row]))
        at_it = row[theirs & (moments == begins[row])]
        return after, np.bincount(at_it, minlength=len(people))

    late, known_at_it = beside(known.people, known.moments)
    _, held_at_it = beside(events.people[held], events.moments[held])
    _, all_at_it = beside(events.people, events.moments)
    # Of several events of one moment some may be known and some not, but none both.
    twice = np.maximum(known_at_it + held_at_it - all_at_it, 0).sum()
    if late or twice:
        raise Leak(f"{late + twice} events are known that are to be foretold, or came after such")
