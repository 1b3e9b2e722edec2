"""Small worlds of items and people, for tests of the maths that replays them."""

from dataclasses import dataclass, fields

import numpy as np

from recommender.candidates.crowd import DAY
from recommender.candidates.signals import KINDS
from tests.events import Events

LIKE = KINDS.index("like")


@dataclass(frozen=True)
class Library:
    ids: np.ndarray
    vectors: np.ndarray
    category_ids: list[list[int]]
    creators: np.ndarray
    moments: np.ndarray
    shown: np.ndarray
    topic_ids: list[list[int]]
    titles: list[str]


N_PEOPLE, N_ITEMS, EACH = 40, 40, 12


def library(**changed) -> Library:
    """Items 100 to 139 with texts of no meaning, all shown, older than any event."""
    vectors = np.random.default_rng(9).normal(size=(N_ITEMS, 4)).astype(np.float32)
    fields = {
        "ids": np.arange(N_ITEMS) + 100,
        "vectors": vectors / np.linalg.norm(vectors, axis=1, keepdims=True),
        "category_ids": [[n % 2] for n in range(N_ITEMS)],
        "creators": np.full(N_ITEMS, -1),
        "moments": np.zeros(N_ITEMS),
        "shown": np.ones(N_ITEMS, bool),
        "topic_ids": [[n % 3] for n in range(N_ITEMS)],
        "titles": [f"item {n}" for n in range(N_ITEMS)],
    }
    return Library(**(fields | changed))


def likes(people, items, days, kind: int = LIKE) -> Events:
    n = len(items)
    return Events(
        np.broadcast_to(np.asarray(people, np.int64), n).copy(),
        np.asarray(items, np.int64),
        np.full(n, kind, np.int8),
        np.full(n, np.nan),
        np.asarray(days, np.float64) * DAY,
    )


def together(*several: Events) -> Events:
    names = [field.name for field in fields(Events)]
    return Events(*(np.concatenate([getattr(e, name) for e in several]) for name in names))


def in_order() -> Events:
    """People who go through the items one after another, each from a place of their own."""
    rng = np.random.default_rng(1)
    return together(
        *(
            likes(person, 100 + (rng.integers(N_ITEMS) + np.arange(EACH)) % N_ITEMS, range(1, 13))
            for person in range(N_PEOPLE)
        )
    )
