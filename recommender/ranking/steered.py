"""More and less of what a person named: a part of relevance behind all others, which only reorders.

What is muted never comes into a pool: see store.find.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from uuid import UUID

import numpy as np

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
PARTS = ("steered",)  # of relevance, behind those of asked


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


def with_steered(parts: np.ndarray, pull: np.ndarray) -> np.ndarray:
    """(n, p + 1) contributions: those there are, and what steering adds to each item.

    >>> parts = np.array([[0.8], [0.4], [0.2]])
    >>> with_steered(parts, np.array([-1, 0, 2])).sum(axis=1).round(2)
    array([0.52, 0.4 , 0.6 ], dtype=float32)
    """
    relevance = np.maximum(parts.sum(axis=1), 0.0)
    to_best = np.maximum(np.minimum(relevance.max(initial=0.0) + ABOVE, 1.0) - relevance, 0.0)
    moved = 1.0 - (1.0 - SIZE) ** np.abs(pull)
    added = np.where(pull > 0, to_best, -relevance) * moved
    return np.column_stack([parts, added]).astype(np.float32)


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
