"""Erase a person: gone for everybody at once, their rows a moment later, and not to be undone.

The tombstone, `User.erased_at`, is written first and alone; every writer of what is kept of people
looks at it under the person's lock, so that work in flight writes nobody back.
"""

from uuid import UUID

from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models.functions import Now

from catalog import personal_data
from catalog.kept import erased_id
from catalog.models import LOCAL, Erasure, Mail, User
from catalog.services import closed_account
from catalog.signals import person_erased
from catalog.uuid7 import uuid7


def erase(user_id: int, *, by: str = Erasure.By.PERSON) -> Erasure:
    """Write the tombstone, and announce it: the rest is work that is committed with it.

    Name, address, password, rights and tokens go here. Again for the same person: the same receipt.
    Raises Refused if there is no such person
    """
    with transaction.atomic():
        # FOR UPDATE: whoever writes a row of theirs holds a lock that this one waits for.
        user = User.objects.select_for_update().filter(pk=user_id).first()
        if user is None:
            raise closed_account()
        erasure, is_new = Erasure.objects.get_or_create(person_id=user_id, defaults={"by": by})
        if is_new or user.erased_at is None:
            erasure.counts = _bury(user)
            erasure.save(update_fields=["counts"])
            person_erased.send(sender=User, erasure_id=erasure.pk)
        erasure.refresh_from_db()
    return erasure


def _bury(user: User) -> dict[str, int]:
    """Leave of the person's row what no import and no writer may pass over; what else went."""
    sign_ins = (user.auth_token_set, user.session_set, Mail.objects.filter(email=user.email))
    counts = {rows.model._meta.label: rows.all().delete()[0] for rows in sign_ins}
    if user.source != LOCAL and user.external_id:
        user.external_id = erased_id(user.source, user.external_id)
    else:
        user.external_id = None
    user.uuid, user.email, user.email_verified_at, user.name = uuid7(), None, None, ""
    user.password, user.last_login = make_password(None), None
    user.is_active = user.is_staff = user.is_superuser = False
    user.merged_into, user.consent_epoch = None, 0
    user.created_at = user.erased_at = Now()
    user.save()
    user.groups.clear()
    user.user_permissions.clear()
    return counts


def finish(erasure_id: int, *, versions: list[dict]) -> dict[str, int]:
    """Erase all rows of an erased person; how many of each kind, which the receipt adds up.

    versions  of models that were trained while the person was there
    Twice is once.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        for limit in ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"):
            cursor.execute(f"SET LOCAL {limit} = 0")
        erasure = Erasure.objects.select_for_update().get(pk=erasure_id)
        # Waits for all who still write a row of theirs; what they wrote is seen below.
        User.objects.select_for_update().filter(pk=erasure.person_id).first()
        counts = {
            kept.name: kept.erase(erasure.person_id) for kept in reversed(personal_data.kept())
        }
        erasure.counts = {
            name: erasure.counts.get(name, 0) + count for name, count in sorted(counts.items())
        }
        if erasure.erased_at is None:
            erasure.erased_at, erasure.versions = Now(), versions
        erasure.save()
    return counts


def person_of(erasure_id: int) -> int:
    return Erasure.objects.values_list("person_id", flat=True).get(pk=erasure_id)


def audit_ids() -> list[int]:
    """Of all who were erased: what a restored backup is to be without."""
    return list(Erasure.objects.order_by("pk").values_list("person_id", flat=True))


def receipt(uuid: UUID) -> Erasure | None:
    return Erasure.objects.filter(uuid=uuid).first()
