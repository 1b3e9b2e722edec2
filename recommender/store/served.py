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
from recommender.store.sql import LIVE, UNWANTED


@dataclass(frozen=True)
class ServedList:
    """A list as it was shown."""

    id: UUID
    user_id: int | None
    item_ids: list[int]
    settings: dict
    served_at: datetime
    explanation: Explanation | None


@dataclass(frozen=True)
class Kept:
    """A page of a session as it was first shown."""

    item_ids: list[int]
    relevance: list[float]
    settings: dict
    report: dict
    explanation: Explanation
    hidden: list[int]  # of its items, those that the person hid since


@dataclass(frozen=True)
class Session:
    """What a person was shown of a session before one of its pages."""

    settings: dict  # by which it was begun
    shown: list[int]  # and what they stood for, see diversity.duplicates
    kept: Kept | None  # the page itself, where it was made before


# One session as JSON: what was shown in the range of ids from its first page to one page.
SESSION = f"""
    SELECT json_build_object('settings', b.settings,
        'shown', (SELECT json_agg(item_id) FROM recommender_served s, unnest(s.item_ids
            || ARRAY(SELECT jsonb_array_elements_text(s.settings -> 'similar')::bigint)) AS item_id
            WHERE s.id >= %s AND s.id < %s AND s.user_id IS NOT DISTINCT FROM b.user_id),
        'kept', (SELECT json_build_object('item_ids', s.item_ids, 'relevance', s.relevance,
            'settings', s.settings, 'report', s.report,
            'explanation', encode(s.explanation, 'hex'),
            'hidden', ARRAY(SELECT f.item_id FROM catalog_feedback f WHERE f.user_id = s.user_id
                AND f.kind = 'hide' AND {LIVE} AND f.item_id = ANY(s.item_ids)))
            FROM recommender_served s
            WHERE s.id = %s AND s.user_id IS NOT DISTINCT FROM b.user_id))::text
    FROM recommender_served b WHERE b.id = %s AND b.user_id IS NOT DISTINCT FROM %s"""


def session_of(text: str | None) -> Session | None:
    """From a row of SESSION; None where there is none."""
    if text is None:
        return None
    said = json.loads(text)
    kept = said["kept"]
    if kept is not None:
        kept = Kept(**kept | {"explanation": unpacked(bytes.fromhex(kept["explanation"]))})
    return Session(said["settings"], said["shown"] or [], kept)


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
    newest = Served.objects.filter(user_id=user_id).order_by("-id")
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
