"""Steer by category, creator and topic: more, less, none; and by wishes of taste; kept and undone.

The next request obeys, since it reads what is kept: nothing is computed here.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from catalog.services import Refused, closed_account, no_consent
from recommender import store
from recommender.models import Steering
from recommender.ranking.tuning import Tuning, changed
from recommender.store import Target

MOST = 200  # of one person
NAMED = 20  # categories that a refusal lists

ALLOWED = {
    Steering.Kind.CREATOR: gettext_lazy(
        "No item that is shown is by “%(said)s”. Give the name of a creator as items show it."
    ),
    Steering.Kind.TOPIC: gettext_lazy(
        "No item that is shown is about “%(said)s”. Give the slug of a topic as items show it."
    ),
}


@dataclass(frozen=True)
class Steered:
    """One thing a person steers by; target is None once it has left the catalogue."""

    id: UUID
    action: str
    kind: str
    target: Target | None
    created_at: datetime


def steer(user_id: int, *, action: str, kind: str, target: str) -> Steered:
    """Keep it, in place of what was said of the same before.

    target  slug of a category or topic; of a creator the public id, or the name if only one has it
    Raises  Refused for a target that no shown item has, more than MOST, and without consent
    """
    found = _find(kind, target)
    if not store.agrees(user_id):
        raise no_consent()
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise closed_account()
        row = store.put_steering(user_id, action=action, kind=kind, target_id=found.id)
        if store.count_steering(user_id) > MOST:
            raise Refused(
                "too_many",
                _("You can steer by at most %(most)d things. Undo some first.") % {"most": MOST},
                "target",
            )
    return Steered(row.uuid, row.action, row.kind, found, row.created_at)


def _find(kind: str, said: str) -> Target:
    found = store.targets_called(kind, said)
    if len(found) > 1:
        raise Refused(
            "ambiguous_target",
            _("Several are called “%(said)s”; give the id of one: %(known)s.")
            % {"said": said, "known": ", ".join(target.key for target in found[:NAMED])},
            "target",
        )
    if not found:
        raise Refused("unknown_target", _allowed(kind, said), "target")
    return found[0]


def _allowed(kind: str, said: str) -> str:
    if kind in ALLOWED:
        return ALLOWED[kind] % {"said": said}
    slugs = [target.key for target in store.categories_shown(limit=NAMED + 1)]
    known = ", ".join(slugs[:NAMED]) + (" …" if len(slugs) > NAMED else "")
    return _("No item that is shown is of “%(said)s”. Give the slug of a category: %(known)s.") % {
        "said": said,
        "known": known,
    }


def steered_by(user_id: int) -> list[Steered]:
    """All that a person steers by, in the order of saying."""
    rows = store.steering_of(user_id)
    there = {
        kind: store.targets(kind, [row.target_id for row in rows if row.kind == kind])
        for kind in {row.kind for row in rows}
    }
    return [
        Steered(row.uuid, row.action, row.kind, there[row.kind].get(row.target_id), row.created_at)
        for row in rows
    ]


def undo(user_id: int, uuid: UUID) -> bool:
    """Take one thing back; False if the person does not steer by it."""
    return store.remove_steering(user_id, uuid=uuid)


def tune(user_id: int, preset: str | None = None, **given: float | None) -> Tuning:
    """Keep a preset, or single things that a Tuning has; answer all that is set then.

    Raises Refused if the account is closed
    """
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise closed_account()
        tuning = changed(store.tuning_of(user_id), preset, given)
        store.put_preference(user_id, tuning)
    return tuning
