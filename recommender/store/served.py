"""Lists that were shown, and what else is asked of the time at which they were.

An explanation is JSON, compressed: 1.4 kB of a list of 20, where the text would take 3.4.
"""

import json
import zlib
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from recommender.models import Served, Wish
from recommender.ranking.explain import Explanation
from recommender.store.sql import UNWANTED


@dataclass(frozen=True)
class ServedList:
    """A list as it was shown."""

    id: UUID
    user_id: int | None
    item_ids: list[int]
    settings: dict
    served_at: datetime
    explanation: Explanation | None


def packed(explanation: Explanation) -> bytes:
    return zlib.compress(json.dumps(vars(explanation), separators=(",", ":")).encode(), level=1)


def unpacked(data: bytes) -> Explanation:
    return Explanation(**json.loads(zlib.decompress(data)))


def served_list(served: UUID) -> ServedList | None:
    row = Served.objects.filter(pk=served).first()
    if row is None:
        return None
    return ServedList(
        row.pk,
        row.user_id,
        row.item_ids,
        row.settings,
        row.served_at,
        unpacked(row.explanation) if row.explanation is not None else None,
    )


def newest_list_of(user_id: int) -> UUID | None:
    """The last list that a person was shown."""
    newest = Served.objects.filter(user_id=user_id).order_by("-served_at")
    return newest.values_list("pk", flat=True).first()


def had_seen(
    user_id: int | None, item_id: int, at: datetime, again_after_days: float | None = None
) -> bool:
    """Whether a person had given feedback on an item that was not taken back at that moment.

    again_after_days  after which it might come again unless they did not want it; None: never
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM catalog_feedback"
            " WHERE user_id = %s AND item_id = %s AND received_at <= %s"
            " AND (retracted_at IS NULL OR retracted_at > %s)"
            f" AND ({UNWANTED} OR %s::float8 IS NULL"
            "   OR occurred_at > %s - %s::float8 * interval '1 day'))",
            [user_id, item_id, at, at, again_after_days, at, again_after_days],
        )
        return cursor.fetchone()[0]


def wish_text(wish_id: int) -> str:
    """What was asked for; empty if that was forgotten since."""
    return Wish.objects.filter(pk=wish_id).values_list("text", flat=True).first() or ""
