"""Signs of comments: what the encoder made of them, else what their words say."""

from collections.abc import Sequence

import numpy as np
from django.db import connection

from recommender.store.sql import LIVE
from recommender.understanding.sentiment import VERSION, sentiment

# Of one row of feedback f. A sign that was made by other rules is none.
SIGN = f"""CASE WHEN f.kind = 'comment' THEN (
    SELECT s.sign::float8 FROM recommender_commentsign s
    WHERE s.feedback_id = f.id AND s.version = {int(VERSION)}) END"""

# Of a row with its SIGN: what is left to read.
UNREAD = "CASE WHEN kind = 'comment' AND sign IS NULL AND text <> '' THEN text END"


def value_of(value: float | None, text: str | None) -> float | None:
    """The value of feedback: of a comment that no encoder has read, what its words say.

    text  of such a comment, else None
    """
    return value if text is None else sentiment(text)


def unread_comments(user_id: int, *, limit: int) -> list[tuple[int, str]]:
    """Live comments of a person that no encoder has read: (feedback id, text), newest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT f.id, f.text FROM catalog_feedback f WHERE f.user_id = %s AND {LIVE}"
            f" AND f.kind = 'comment' AND f.text <> '' AND {SIGN} IS NULL"
            " ORDER BY f.occurred_at DESC, f.id DESC LIMIT %s",
            [user_id, limit],
        )
        return cursor.fetchall()


def put_comment_signs(feedback_ids: Sequence[int], signs: np.ndarray) -> int:
    """Keep the signs of comments that are still there; answer how many."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO recommender_commentsign (feedback_id, sign, version)"
            " SELECT f.id, n.sign, %s FROM unnest(%s::bigint[], %s::real[]) AS n (id, sign)"
            " JOIN catalog_feedback f ON f.id = n.id"
            " ON CONFLICT (feedback_id) DO UPDATE"
            " SET sign = excluded.sign, version = excluded.version",
            [VERSION, list(feedback_ids), np.asarray(signs).tolist()],
        )
        return cursor.rowcount
