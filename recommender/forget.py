"""Forget people: who asked to be erased, and guests who stayed away, with all that is theirs."""

from datetime import timedelta

from django.conf import settings
from django.db import transaction

from catalog import erasing
from catalog.guests import remove_guests
from recommender import jobs, store

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


def erase_rows(erasure_id: int) -> dict[str, int]:
    """Erase all rows of an erased person, and learn anew what counted them; how many of each kind.

    Trained models stay as they are: the receipt names those that were trained while the person was
    there, and the next training is without them.
    """
    versions = store.versions_trained_with(erasing.person_of(erasure_id))
    with transaction.atomic():
        counts = erasing.finish(erasure_id, versions=versions)
        jobs.request("popularity", [0])
        jobs.request("exposure", [0])
    return counts
