"""What several statements share: conditions, and vectors on their way in and out."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import psycopg
from django.conf import settings
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from catalog.models import LOCAL
from catalog.services import AGREED

LIVE = "retracted_at IS NULL AND superseded_at IS NULL"
UNWANTED = "kind IN ('dislike', 'hide') OR kind = 'rating' AND value < 3"  # never comes again
SHOWN = "i.is_available AND i.removed_at IS NULL"
# What an item is about: not what an editor took from it, or from all items.
TOPICS = (
    "recommender_itemtopic it JOIN recommender_topic t"
    " ON t.id = it.topic_id AND NOT it.is_removed AND NOT t.is_hidden"
)
# Ids of what an item of a statement about `catalog_item i` shares with others.
SHARED_TOPICS = f"ARRAY(SELECT it.topic_id FROM {TOPICS} WHERE it.item_id = i.id AND t.is_shared)"
MOMENT = "coalesce(i.published_at, i.created_at)"
EF_SEARCH = 120  # of a usual request: its searches are fused, and hardly one is longer
MOST_EF_SEARCH = 1_000  # that pgvector takes
SCAN_TUPLES = 40_000  # how far a filtered vector search may go on


def counted() -> str:
    """Of a user u: whether their word counts in what is learned for all.

    A guest may be one of many of somebody, and so may a new account, until its address is confirmed
    or some days have passed: a hundred of them change no list of others in the meantime. Who came
    with an import counts at once.
    """
    return (
        f"(u.kind <> 'guest' AND u.is_active AND u.erased_at IS NULL AND {AGREED}"
        f" AND (u.source <> '{LOCAL}' OR u.email_verified_at IS NOT NULL OR u.created_at"
        f" <= statement_timestamp() - make_interval(hours => {int(settings.NEW_ACCOUNT_HOURS)})))"
    )


def of_counted(table: str) -> str:
    """Of a table by its alias or name: whether a row is of somebody who counts."""
    return f"{table}.user_id IN (SELECT u.id FROM catalog_user u WHERE {counted()})"


def ef_search(limit: int) -> int:
    """How many candidates HNSW keeps on its way to so many nearest: fewer than these, and the last
    of them are found by going on from where it gave up, which misses some.

    >>> ef_search(40), ef_search(500), ef_search(5000)
    (120, 500, 1000)
    """
    return min(max(EF_SEARCH, int(limit)), MOST_EF_SEARCH)


class _Bound(psycopg.Cursor):
    def execute(self, query: str, params=None):
        # Of these alone: what reads a table row by row would keep its rows.
        self.connection.prepare_threshold = settings.PREPARE_AFTER
        try:
            done = super().execute(query, params, binary=True)
        finally:
            self.connection.prepare_threshold = None
        if self._query is None:  # of one that is planned already; Django's log of queries reads it
            self._query = SimpleNamespace(query=query.encode())
        return done


def bound_cursor(link: BaseDatabaseWrapper) -> CursorWrapper:
    """A cursor of a connection for what every list asks: values go to the server beside the text.

    So a text that comes again is planned no more (PREPARE_AFTER in the settings), and
    vectors come in binary form. Django's own put values into the text, and read rows as text.
    """
    link.ensure_connection()
    cursor = _Bound(link.connection)
    return link.make_debug_cursor(cursor) if link.queries_logged else link.make_cursor(cursor)


def as_text(vector: np.ndarray) -> str:
    """A vector as pgvector reads it, rounded to what halfvec keeps."""
    return str(vector.astype(np.float16).tolist())


def as_array(numbers: Sequence[int]) -> str:
    """Whole numbers as PostgreSQL reads an array: of thousands this takes a tenth of a list."""
    return "{" + str(np.asarray(numbers, dtype=np.int64).tolist())[1:-1] + "}"


def from_binary(rows: Sequence[bytes | memoryview | None], dimension: int) -> np.ndarray:
    """(n, dimension) float32 from the wire form of halfvec; a row of zeros where there is none.

    The wire form is int16 dimension, int16 unused, then big-endian half floats.
    """
    missing = bytes(4 + 2 * dimension)
    joined = b"".join(missing if row is None else row for row in rows)
    raw = np.frombuffer(joined, dtype=">f2").reshape(len(rows), dimension + 2)
    return raw[:, 2:].astype(np.float32)
