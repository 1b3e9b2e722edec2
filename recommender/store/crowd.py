"""All feedback and all items at once, for learning; and what was learned of items."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.db import connection, transaction

from catalog.models import Feedback
from recommender.candidates.signals import KINDS
from recommender.store.comments import SIGN, UNREAD, value_of
from recommender.store.spaces import Space
from recommender.store.sql import LIVE, MOMENT, SHARED_TOPICS, SHOWN, from_binary, of_counted

ROWS_TOGETHER = 10_000  # read from a cursor, 3 MB of Python objects

# LIVE as of a moment, given twice: what replaced an opinion later had not replaced it then.
_HELD = (
    "retracted_at IS NULL AND occurred_at <= %s AND (superseded_at IS NULL OR NOT EXISTS ("
    "SELECT 1 FROM catalog_feedback n WHERE n.user_id = f.user_id AND n.item_id = f.item_id"
    " AND n.kind IN (" + ", ".join(f"'{kind}'" for kind in Feedback.OPINIONS) + ")"
    " AND n.retracted_at IS NULL AND n.occurred_at <= %s"
    " AND (n.occurred_at, n.id) > (f.occurred_at, f.id)))"
)


@dataclass(frozen=True)
class Events:
    """Live feedback of everybody until a moment, oldest first, as parallel arrays."""

    people: np.ndarray  # (n,) int64
    items: np.ndarray  # (n,) int64
    kinds: np.ndarray  # (n,) int8, index into candidates.signals.KINDS
    values: np.ndarray  # (n,) float64, nan where there is none; of a comment its sign
    moments: np.ndarray  # (n,) float64, seconds since 1970
    now: float  # the database's clock


def events(until: datetime | None = None, *, user_id: int | None = None) -> Events:
    """What counts of the feedback of all who count, see store/sql.py. Reads facts alone.

    until  what counted at that moment: an opinion that was changed later was still held then. What
           was taken back since does not count, whenever that was.
    33 bytes an event in memory, and twice that while it is read: 10⁷ events take 330 MB of 660.
    """
    order = {kind: number for number, kind in enumerate(KINDS)}
    conditions, params = [LIVE], []
    if until is not None:
        conditions, params = [_HELD], [until, until]
    if user_id is not None:
        conditions.append("user_id = %s")
        params.append(user_id)
    else:
        conditions.append(of_counted("f"))
    parts: list[np.ndarray] = []
    row = np.dtype(
        [("person", "i8"), ("item", "i8"), ("kind", "i1"), ("value", "f8"), ("moment", "f8")]
    )
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            cursor.execute("SELECT extract(epoch FROM now())::float8")
            now = cursor.fetchone()[0]
        with connection.connection.cursor(name="events") as cursor:
            cursor.itersize = ROWS_TOGETHER
            cursor.execute(
                "SELECT user_id, item_id, kind,"
                " CASE WHEN kind = 'comment' THEN sign ELSE value END,"
                f" extract(epoch FROM occurred_at)::float8, {UNREAD}"
                f" FROM (SELECT f.*, {SIGN} AS sign FROM catalog_feedback f"
                f" WHERE {' AND '.join(conditions)}) f ORDER BY occurred_at, id",
                params,
            )
            while rows := cursor.fetchmany(ROWS_TOGETHER):
                parts.append(
                    np.array(
                        [(p, i, order[k], value_of(v, t), m) for p, i, k, v, m, t in rows],
                        dtype=row,
                    )
                )
    joined = np.concatenate(parts) if parts else np.zeros(0, dtype=row)
    parts.clear()  # or what is read would be held three times
    columns = ("person", "item", "kind", "value", "moment")
    return Events(*(np.ascontiguousarray(joined[name]) for name in columns), now)


def people_with_feedback() -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT DISTINCT user_id FROM catalog_feedback WHERE {LIVE} ORDER BY user_id"
        )
        return [row[0] for row in cursor.fetchall()]


@dataclass(frozen=True)
class Library:
    """What ranking needs of every item, in memory: for a replayed history."""

    ids: np.ndarray  # (n,) int64 ascending
    vectors: np.ndarray  # (n, d) float32, zeros where there is none
    category_ids: list[list[int]]
    creators: np.ndarray  # (n,) int64
    moments: np.ndarray  # (n,) float64
    shown: np.ndarray  # (n,) bool: it may be recommended now
    topic_ids: list[list[int]]  # those that several items share
    titles: list[str]


def library(space: Space | None) -> Library:
    """All items with their content, also those that are shown no longer: what people did with them
    says something. No learned table is read, for vectors are content."""
    number, dimension = (space.id, space.dimension) if space else (0, 1)
    columns: list[list] = [[] for _ in range(7)]
    vectors: list[np.ndarray] = []
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        with connection.connection.cursor(name="library") as cursor:
            cursor.itersize = ROWS_TOGETHER
            cursor.execute(
                "SELECT halfvec_send(e.embedding), i.id, ARRAY(SELECT ic.category_id"
                "   FROM catalog_item_categories ic WHERE ic.item_id = i.id),"
                " coalesce((SELECT c.creator_id FROM catalog_itemcreator c WHERE c.item_id = i.id"
                f"   ORDER BY c.position LIMIT 1), -1), extract(epoch FROM {MOMENT})::float8,"
                f" {SHOWN}, {SHARED_TOPICS}, i.title FROM catalog_item i"
                " LEFT JOIN recommender_itemembedding e ON e.item_id = i.id"
                f" AND e.space_id = {int(number)} ORDER BY i.id"
            )
            while rows := cursor.fetchmany(ROWS_TOGETHER):
                raw, *others = zip(*rows, strict=True)
                # As halves until all are there: wire form and floats of all would be thrice that.
                vectors.append(from_binary(raw, dimension).astype(np.float16))
                for column, values in zip(columns, others, strict=True):
                    column += values
    ids, categories, creators, moments, shown, topics, titles = columns
    joined = np.zeros((len(ids), dimension), dtype=np.float32)
    start = 0
    for part in vectors:
        joined[start : start + len(part)] = part
        start += len(part)
    return Library(
        np.array(ids, dtype=np.int64),
        joined,
        categories,
        np.array(creators, dtype=np.int64),
        np.array(moments, dtype=np.float64),
        np.array(shown, dtype=bool),
        topics,
        titles,
    )


def replace_popularity(item_ids: np.ndarray, scores: np.ndarray, trends: np.ndarray) -> None:
    """Put the popularity of items in place of all former ones, in one transaction."""
    replace("popularity", item_ids, "learned_at", score=scores, trend=trends)


def replace(table: str, item_ids: np.ndarray, moment: str, **columns: np.ndarray) -> None:
    """Put two numbers of each item in place of all former ones; `moment` is when one changed."""
    (a, of_a), (b, of_b) = columns.items()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(
            "WITH fresh AS (SELECT * FROM unnest(%s::bigint[], %s::real[], %s::real[])"
            f"   AS t (item_id, {a}, {b})),"
            f" gone AS (DELETE FROM recommender_{table}"
            "   WHERE item_id NOT IN (SELECT item_id FROM fresh))"
            f" INSERT INTO recommender_{table} AS former (item_id, {a}, {b})"
            f" SELECT f.item_id, f.{a}, f.{b} FROM fresh f"
            " JOIN catalog_item i ON i.id = f.item_id"
            f" ON CONFLICT (item_id) DO UPDATE SET {a} = excluded.{a}, {b} = excluded.{b},"
            f" {moment} = now()"
            f" WHERE (former.{a}, former.{b}) <> (excluded.{a}, excluded.{b})",
            [item_ids.tolist(), of_a.tolist(), of_b.tolist()],
        )
