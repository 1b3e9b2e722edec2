"""Keys by which servers call: made once, shown once, kept as digests.

A key speaks of the ids of one source, so that one shop never writes what is another's.
"""

import hashlib
import secrets
from datetime import timedelta

from django.db.models import BigIntegerField, OuterRef, Q, Subquery, Value
from django.db.models.functions import Now
from django.utils import timezone

from catalog.models import ServerKey, User

PREFIX = "srv_"
LONGEST = 100  # characters that are looked at
SHOWN_CHARACTERS = 12  # of a key, by which people tell keys apart
LIFETIME = timedelta(days=365)
NOTED = timedelta(minutes=1)  # a use is written down at most so often


def issue(row: ServerKey) -> str:
    """Save the row of a new key, and say the key. Nobody can say it again."""
    key = PREFIX + secrets.token_urlsafe(32)
    row.prefix, row.digest = key[:SHOWN_CHARACTERS], digest_of(key)
    row.save()
    return key


def digest_of(key: str) -> bytes:
    # The key is 256 random bits, so a slow hash would guard nothing more.
    return hashlib.sha256(key[:LONGEST].encode()).digest()


def find(key: str, *, person: str | None = None) -> ServerKey | None:
    """The row of a key that is in force. One statement, and one more once a minute.

    person  whom the system of the key knows by this id: `person_id` of the row, None for who is
            not there, hidden or erased
    """
    if not key.startswith(PREFIX):
        return None
    now = timezone.now()
    people = User.objects.filter(
        source=OuterRef("source"), external_id=person, is_active=True, erased_at=None
    )
    row = (
        ServerKey.objects.filter(digest=digest_of(key), is_active=True, expires_at__gt=now)
        .annotate(
            person_id=Subquery(people.values("pk")) if person else Value(None, BigIntegerField())
        )
        .first()
    )
    if row and (row.last_used_at is None or row.last_used_at < now - NOTED):
        unnoted = Q(last_used_at=None) | Q(last_used_at__lt=now - NOTED)
        ServerKey.objects.filter(unnoted, pk=row.pk).update(last_used_at=Now())
    return row
