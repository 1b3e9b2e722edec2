"""Stand-ins for items that came after the training: until the next one, they borrow from the
nearest items that were learned of.

Only tables of items are read: what people did since is no matter here.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection, transaction

from recommender.ranking.model import LISTS, STAND_INS
from recommender.store.spaces import Space
from recommender.store.sql import SCAN_TUPLES
from recommender.store.versions import factors_of, put_learned_items

# In the place of `l`: what a version learned from feedback, not borrowed.
_OWN = "l.version_id = %s AND l.stand_in_ids IS NULL"


@dataclass(frozen=True)
class Adopted:
    """Rows for put_learned_items: nothing but what is borrowed."""

    ids: np.ndarray  # (n,) int64
    related_ids: np.ndarray  # (n, 3, 0)
    related_weights: np.ndarray  # (n, 3, 0)
    factors: np.ndarray  # (n, f) float32
    text_factors: np.ndarray  # (n, 0): its own text says what it says
    stand_in_ids: np.ndarray  # (n, s) int64, -1 where there are fewer
    stand_in_weights: np.ndarray  # (n, s) float32


def adopt(space: Space, item_ids: Sequence[int]) -> int:
    """Give items with a vector their stand-ins in the active version; how many have some now.

    What the version learned of an item itself stays, what it borrowed for it is borrowed anew.
    """
    with transaction.atomic():
        version = _lock_active()
        if version is None or len(item_ids) == 0:
            return 0
        adopted = _adopted(_nearest(space, version, item_ids))
        put_learned_items(version, adopted)
    return len(adopted.ids)


def items_to_adopt(space: Space) -> list[int]:
    """Items with a vector of which the active version has nothing, and that are in lists."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "SELECT e.item_id FROM recommender_itemembedding e"
            " JOIN recommender_modelversion v ON v.status = 'active'"
            f" WHERE e.space_id = {int(space.id)} AND NOT EXISTS ("
            "   SELECT 1 FROM recommender_learneditem l"
            "   WHERE l.version_id = v.id AND l.item_id = e.item_id) ORDER BY e.item_id"
        )
        return [row[0] for row in cursor.fetchall()]


def _lock_active() -> int | None:
    """The active version, which is not retired before the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM recommender_modelversion WHERE status = 'active' FOR SHARE")
        row = cursor.fetchone()
    return row[0] if row else None


def _nearest(
    space: Space, version: int, item_ids: Sequence[int]
) -> list[tuple[int, int, float, bytes]]:
    """(item, the item near to it, their cosine, that one's factors), nearest first."""
    distance = f"{space.column} <=> a.embedding::halfvec({int(space.dimension)})"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config('hnsw.iterative_scan', 'strict_order', true),"
            " set_config('hnsw.ef_search', '40', true),"
            f" set_config('hnsw.max_scan_tuples', '{SCAN_TUPLES}', true)"
        )
        cursor.execute(
            "SELECT a.item_id, near.* FROM recommender_itemembedding a CROSS JOIN LATERAL ("
            f"   SELECT e.item_id, 1 - ({distance}), l.factors FROM recommender_itemembedding e"
            f"   JOIN recommender_learneditem l ON l.item_id = e.item_id AND {_OWN}"
            f"   WHERE e.space_id = {int(space.id)} ORDER BY {distance} LIMIT {STAND_INS}) near"
            f" WHERE a.space_id = {int(space.id)} AND a.item_id = ANY(%s) AND NOT EXISTS ("
            f"   SELECT 1 FROM recommender_learneditem l WHERE l.item_id = a.item_id AND {_OWN})",
            [version, [int(item) for item in item_ids], version],
        )
        return cursor.fetchall()


def _adopted(rows: Sequence[tuple[int, int, float, bytes]]) -> Adopted:
    from recommender.candidates.textmap import shares  # with scipy: no web process comes here

    near = defaultdict(list)
    for item, other, cosine, factors in rows:
        near[item].append((other, cosine, factors))
    ids = np.array(sorted(near), dtype=np.int64)
    n, width = len(ids), len(factors_of([row[3] for row in rows])[0]) if rows else 1
    stand_in_ids = np.full((n, STAND_INS), -1, dtype=np.int64)
    cosines = np.zeros((n, STAND_INS), dtype=np.float32)
    theirs = np.zeros((n, STAND_INS, width), dtype=np.float32)
    for row, item in enumerate(ids.tolist()):
        others, alike, factors = zip(*near[item], strict=True)
        stand_in_ids[row, : len(others)] = others
        cosines[row, : len(others)] = alike
        theirs[row, : len(others)] = factors_of(factors)
    weights = shares(cosines)
    there = weights.any(axis=1)
    none = np.zeros((int(there.sum()), len(LISTS), 0))
    return Adopted(
        ids[there],
        none,
        none,
        np.einsum("ns,nsf->nf", weights, theirs)[there],
        np.zeros((len(none), 0)),
        np.where(weights > 0, stand_in_ids, -1)[there],
        weights[there],
    )
