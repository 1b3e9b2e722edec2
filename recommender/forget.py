"""Forget guests who stayed away, with all that is theirs."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from catalog.guests import remove_guests
from recommender import store

GUESTS_TOGETHER = 100  # removed in one transaction


def forget_guests() -> int:
    """Remove all guests who did nothing and saw no list for GUEST_DAYS; how many there were."""
    unused_for, removed = timedelta(days=settings.GUEST_DAYS), 0
    while True:
        with transaction.atomic():
            guests = store.unused_guests(unused_for, limit=GUESTS_TOGETHER)
            removed += remove_guests(guests)
        if len(guests) < GUESTS_TOGETHER:
            return removed
