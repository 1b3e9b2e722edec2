"""Note what of a list came into sight: served is not seen, and seen is not liked."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _

from catalog.services import Refused
from recommender import store


@dataclass(frozen=True)
class Told:
    """Places of a list, from 1, that a person saw."""

    list: UUID
    positions: list[int]


def notice(user_id: int, told: Sequence[Told]) -> list[int | Refused]:
    """Keep what was seen. For each: how many of its places are new, or why nothing of it was kept.

    To tell the same again changes nothing. Raises Refused without consent.
    """
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise Refused("no_account", _("This account is closed."))
        if not store.agrees(user_id):
            raise Refused(
                "no_consent",
                _("Agree first that what you see is used for your lists: consent in /api/v1/me/."),
            )
        lengths = store.lengths_of_own(user_id, [entry.list for entry in told])
        faults = [_fault(entry, lengths.get(entry.list)) for entry in told]
        seen = [
            (entry.list, position)
            for entry, fault in zip(told, faults, strict=True)
            if fault is None
            for position in entry.positions
        ]
        new = store.put_sights(user_id, seen) if seen else {}
    # A list that was told of twice in one go: what was new of it is the first's.
    return [
        new.pop(entry.list, 0) if fault is None else fault
        for entry, fault in zip(told, faults, strict=True)
    ]


def _fault(told: Told, length: int | None) -> Refused | None:
    if length is None:
        return Refused("unknown_list", _("There is no such list."), "list")
    if beyond := sorted({p for p in told.positions if not 1 <= p <= length}):
        return Refused(
            "position",
            _("The list has positions 1 to %(length)s; there is no %(beyond)s.")
            % {"length": length, "beyond": ", ".join(map(str, beyond[:20]))},
            "positions",
        )
    return None
