"""Guests: what is kept of them when they become a member's, and who stayed away."""

from datetime import timedelta

from django.db import connection

# What is learned of a guest is learned anew of the member.
LEARNED = ("interest", "candidates", "personfactors")
# What the member said of the same stays; of a guest's the oldest go over, up to so many in all.
_SAID = """
    UPDATE recommender_{table} SET user_id = %(member)s WHERE id IN (
        SELECT g.id FROM recommender_{table} g WHERE g.user_id = %(guest)s AND {in_force}
        AND NOT EXISTS (SELECT 1 FROM recommender_{table} m WHERE m.user_id = %(member)s
            AND {same} AND {in_force_of_member})
        ORDER BY g.id
        LIMIT greatest(0, %(most)s - (SELECT count(*) FROM recommender_{table} m
            WHERE m.user_id = %(member)s AND {in_force_of_member})))"""


def merge_person(guest_id: int, member_id: int, *, most_wishes: int, most_steering: int) -> None:
    """Make what is kept of a guest the member's, within the transaction that merges them."""
    pair = {"guest": guest_id, "member": member_id}
    with connection.cursor() as cursor:
        cursor.execute(
            _SAID.format(
                table="wish",
                same="lower(m.text) = lower(g.text)",
                in_force="g.removed_at IS NULL",
                in_force_of_member="m.removed_at IS NULL",
            ),
            pair | {"most": most_wishes},
        )
        cursor.execute(
            _SAID.format(
                table="steering",
                same="m.kind = g.kind AND m.target_id = g.target_id",
                in_force="true",
                in_force_of_member="true",
            ),
            pair | {"most": most_steering},
        )
        cursor.execute(
            "UPDATE recommender_preference g SET user_id = %(member)s WHERE user_id = %(guest)s"
            " AND NOT EXISTS (SELECT 1 FROM recommender_preference WHERE user_id = %(member)s)",
            pair,
        )
        cursor.execute(
            "UPDATE recommender_interestchoice SET user_id = %(member)s WHERE user_id = %(guest)s",
            pair,
        )
        cursor.execute(
            "UPDATE recommender_served SET user_id = %(member)s WHERE user_id = %(guest)s", pair
        )
        cursor.execute(
            "INSERT INTO recommender_seenitem (user_id, item_id, times, last_at)"
            " SELECT %(member)s, item_id, times, last_at FROM recommender_seenitem"
            " WHERE user_id = %(guest)s ON CONFLICT (user_id, item_id) DO UPDATE SET"
            " times = recommender_seenitem.times + excluded.times,"
            " last_at = greatest(recommender_seenitem.last_at, excluded.last_at)",
            pair,
        )
        for table in ("seenitem", "wish", "steering", "preference", *LEARNED):
            cursor.execute(f"DELETE FROM recommender_{table} WHERE user_id = %(guest)s", pair)


def unused_guests(unused_for: timedelta, *, limit: int) -> list[int]:
    """Some guests who are that old, said nothing and were shown nothing since; locked, so that
    none of them becomes a member before the commit."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT u.id FROM catalog_user u"
            " WHERE u.kind = 'guest' AND u.created_at < now() - %(long)s"
            " AND NOT EXISTS (SELECT 1 FROM recommender_served s"
            "   WHERE s.user_id = u.id AND s.served_at > now() - %(long)s)"
            " AND NOT EXISTS (SELECT 1 FROM catalog_feedback f"
            "   WHERE f.user_id = u.id AND f.received_at > now() - %(long)s)"
            " ORDER BY u.created_at LIMIT %(limit)s FOR UPDATE OF u SKIP LOCKED",
            {"long": unused_for, "limit": limit},
        )
        return [guest for (guest,) in cursor.fetchall()]
