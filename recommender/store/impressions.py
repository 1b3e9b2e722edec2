"""What of served lists came into sight: places of each list, and how often a person saw an item."""

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from recommender.models import Served

MOST_SIGHTS = 1_000  # of a person, the newest: further back they have faded

# One row of arrays: items a person saw last, and how often, faded by half in so many days.
SIGHTS = f"""
    SELECT array_agg(item_id),
        array_agg((times * power(2, -extract(epoch FROM now() - last_at)::float8 / 86400 / %s))
            ::float4)
    FROM (SELECT item_id, times, last_at FROM recommender_seenitem WHERE user_id = %s
        ORDER BY last_at DESC LIMIT {MOST_SIGHTS}) newest"""


def lengths_of_own(user_id: int, lists: Sequence[UUID]) -> dict[UUID, int]:
    """How many places each of a person's own lists has; what is not theirs is not there."""
    rows = Served.objects.filter(pk__in=lists, user_id=user_id)
    return {row.pk: len(row.item_ids) for row in rows.only("item_ids")}


def put_sights(user_id: int, seen: Sequence[tuple[UUID, int]]) -> dict[UUID, int]:
    """Note places of a person's lists as seen; how many of each list were not noted before.

    One statement; hold the lock of the person, or two writers could count a place twice.
    """
    lists, places = [list_id for list_id, _ in seen], [place for _, place in seen]
    with connection.cursor() as cursor:
        cursor.execute(
            "WITH told AS (SELECT DISTINCT list_id, place"
            "   FROM unnest(%s::uuid[], %s::smallint[]) AS t (list_id, place)),"
            " fresh AS (SELECT t.list_id, t.place FROM told t"
            "   LEFT JOIN recommender_seenplaces s ON s.list_id = t.list_id"
            "   WHERE s.list_id IS NULL OR t.place <> ALL(s.places)),"
            " noted AS (INSERT INTO recommender_seenplaces (list_id, places)"
            "   SELECT list_id, array_agg(place ORDER BY place) FROM fresh GROUP BY list_id"
            "   ON CONFLICT (list_id) DO UPDATE SET places = ("
            "     SELECT array_agg(p ORDER BY p)"
            "     FROM unnest(recommender_seenplaces.places || excluded.places) p)),"
            " counted AS (INSERT INTO recommender_seenitem (user_id, item_id, times)"
            "   SELECT %s, l.item_ids[f.place], count(*)"
            "   FROM fresh f JOIN recommender_served l ON l.id = f.list_id"
            "   WHERE l.id = ANY(%s::uuid[]) GROUP BY l.item_ids[f.place]"
            "   ON CONFLICT (user_id, item_id) DO UPDATE SET"
            "     times = recommender_seenitem.times + excluded.times, last_at = now())"
            " SELECT list_id, count(*) FROM fresh GROUP BY list_id",
            [lists, places, user_id, lists],
        )
        return dict(cursor.fetchall())
