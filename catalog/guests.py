"""Guests: people without an account, until they make one, sign in to theirs, or stay away.

A guest is a row like that of a member, so that whatever is kept of people is kept of guests.
"""

from collections.abc import Sequence

from django.db import connection, transaction

from catalog.models import Consent, Feedback, User
from catalog.services import closed_account
from catalog.signals import feedback_recorded, person_merged


def make_guest() -> User:
    """Somebody of whom nothing is known; the session or token of a visitor holds on to them."""
    return User.objects.create_user(None, kind=User.Kind.GUEST)


def merge_guest(guest: User, member: User) -> bool:
    """Make a guest's what is the member's who signed in; False if the guest is nobody any more.

    On what both have spoken of, the member's own word stays. The guest's consent goes with the
    guest: a member says for themselves. All or nothing, and twice is once.
    Raises Refused if the account is closed
    """
    with transaction.atomic():
        pair = [guest.pk, member.pk]
        # In the order of ids, so that two who sign in at once never wait for each other.
        rows = User.objects.select_for_update(no_key=True).filter(pk__in=pair).order_by("pk")
        found = {row.pk: row for row in rows}
        guest, member = found.get(guest.pk), found.get(member.pk)
        if guest is None or guest.kind != User.Kind.GUEST or not guest.is_active:
            return False
        if member is None or member.erased_at or not member.is_active or member.is_guest:
            raise closed_account()
        _merge_feedback(guest.pk, member.pk)
        Consent.objects.filter(user=guest).delete()
        person_merged.send(sender=User, guest_id=guest.pk, member_id=member.pk)
        guest.auth_token_set.all().delete()
        guest.merged_into, guest.is_active = member, False
        guest.save(update_fields=["merged_into", "is_active"])
        feedback_recorded.send(sender=Feedback, user_ids=[member.pk])
    return True


def _merge_feedback(guest_id: int, member_id: int) -> None:
    """What was sent under one id is one piece of feedback. Of an item that the member has an
    opinion on, the guest's opinions come as taken back, so that none of them is ever live."""
    both = {"guest": guest_id, "member": member_id}
    with connection.cursor() as cursor:
        cursor.execute(
            "DELETE FROM catalog_feedback g USING catalog_feedback m WHERE g.user_id = %(guest)s"
            " AND m.user_id = %(member)s AND m.uuid = g.uuid",
            both,
        )
        cursor.execute(
            "UPDATE catalog_feedback g SET retracted_at = now() WHERE g.user_id = %(guest)s"
            " AND g.retracted_at IS NULL AND g.kind = ANY(%(opinions)s) AND EXISTS ("
            "   SELECT 1 FROM catalog_feedback m WHERE m.user_id = %(member)s"
            "   AND m.item_id = g.item_id AND m.kind = ANY(%(opinions)s)"
            "   AND m.retracted_at IS NULL)",
            both | {"opinions": [kind.value for kind in Feedback.OPINIONS]},
        )
        cursor.execute(
            "UPDATE catalog_feedback SET user_id = %(member)s WHERE user_id = %(guest)s", both
        )


def remove_guests(guest_ids: Sequence[int]) -> int:
    """Remove guests with all that is theirs; whoever became a member meanwhile stays."""
    guests = User.objects.filter(pk__in=guest_ids, kind=User.Kind.GUEST)
    return guests.delete()[1].get("catalog.User", 0)
