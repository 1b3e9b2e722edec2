"""More and less of what a person named: an adjustment of relevance, which only reorders.

What is muted never comes into a pool: see store.find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

import numpy as np

from recommender.ranking.adjust import Adjustment

# How far one word moves an item: of the way to the best of the pool, or down to nothing. Both are
# shares of what is there, so that relevance stays within its scale, items that move together keep
# their order, a more and a less undo each other, and it works in a pool of any spread.
# Of 20 places of 25 people, the largest category had 10.4; a less left 6.2 at 0.2, 3.3 at 0.35 and
# 1.1 at 0.5, a more gave 13.7, 16.0 and 17.6. Less is not none: so that it moves much and empties
# nothing.
SIZE = 0.35
# A more leads to a little above the best, or it would do nothing where all are as good: of somebody
# new, all that is new.
ABOVE = 0.1


@dataclass(frozen=True)
class Steer:
    """One thing a person steers by."""

    id: UUID
    action: str  # more, less or mute
    kind: str  # category, creator or topic
    target: int  # id of what it speaks of


@dataclass(frozen=True)
class Move:
    """An item of one of two lists that does not stand in the same place of the other."""

    row: int  # of the pool
    former: int | None  # place from 1 without steering; None where it would not be shown
    place: int | None  # place from 1 in the list; None where it is not shown


def pull_of(steering: Sequence[Steer], applies: Sequence[Sequence[int]]) -> np.ndarray:
    """(n,) int64: for each item, how many say more of it, less how many say less.

    applies  (n,) numbers of those of steering that speak of each item
    """
    says = np.array([{"more": 1, "less": -1}.get(steer.action, 0) for steer in steering])
    return np.array([says[list(numbers)].sum() if numbers else 0 for numbers in applies], np.int64)


def steered(pull: np.ndarray) -> Adjustment:
    """What steering adds to each item; pull (n,) as pull_of() gives it.

    >>> relevance = np.array([0.8, 0.4, 0.2])
    >>> relevance + steered(np.array([-1, 0, 2])).added(relevance).round(2)
    array([0.52, 0.4 , 0.6 ])
    """

    def added(relevance: np.ndarray) -> np.ndarray:
        relevance = np.maximum(relevance, 0.0)
        to_best = np.minimum(relevance.max(initial=0.0) + ABOVE, 1.0) - relevance
        moved = 1.0 - (1.0 - SIZE) ** np.abs(pull)
        return np.where(pull > 0, np.maximum(to_best, 0.0), -relevance) * moved

    return Adjustment("steered", added)


def moves(before: np.ndarray, after: np.ndarray) -> list[Move]:
    """What two lists of rows differ in: by the place in the new one, then what has left it.

    >>> moves(np.array([5, 6, 7]), np.array([5, 7, 8]))  # doctest: +NORMALIZE_WHITESPACE
    [Move(row=7, former=3, place=2), Move(row=8, former=None, place=3),
     Move(row=6, former=2, place=None)]
    """
    was = {int(row): place for place, row in enumerate(before, start=1)}
    now = {int(row): place for place, row in enumerate(after, start=1)}
    return [
        Move(row, was.get(row), now.get(row))
        for row in [*now, *(row for row in was if row not in now)]
        if was.get(row) != now.get(row)
    ]


def places_changed(before: np.ndarray, after: np.ndarray) -> int:
    """How many places of the two lists hold another item."""
    return sum(row != was for row, was in zip_longest(after.tolist(), before.tolist()))
