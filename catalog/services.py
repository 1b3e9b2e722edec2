"""Every write of facts, with its announcement in the same transaction.

A service takes clean values, leaves uniqueness and references to the database, and answers what
it cannot do with `Refused`, which the doors turn into a 4xx or a message. Bulk writes have their
own module, catalog.importers.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext as _

from catalog.models import (
    Attribute,
    Category,
    Consent,
    Creator,
    Feedback,
    Item,
    ItemCreator,
    User,
)
from catalog.signals import feedback_recorded, item_changed
from catalog.text import clean
from catalog.uuid7 import uuid7

LATE_FEEDBACK = timedelta(days=7)  # an offline client may be this late; older counts as this old
ATTRIBUTES_BYTES = 16_000
CONSENT_VERSION = "2026-11"
# Of a user u. Members and guests are asked; people who came with an import were asked by those who
# imported them.
AGREED = """(u.kind NOT IN ('member', 'guest') OR EXISTS (
        SELECT 1 FROM catalog_consent c WHERE c.user_id = u.id
        AND c.purpose = 'personalisation' AND c.withdrawn_at IS NULL))"""


class Refused(Exception):
    """The write was not done. `code` is stable, `field` names what is wrong, text is for people."""

    def __init__(self, code: str, message: str, field: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.field = code, message, field


# --- people -----------------------------------------------------------------------------------


def register(
    *,
    email: str,
    password: str,
    name: str = "",
    consent: bool | None = True,
    guest: User | None = None,
) -> User:
    """A new member. With consent, personalisation is agreed to in the same transaction.

    guest    whose row becomes the member's, so that what is theirs stays theirs; their tokens end
    consent  None leaves it as the guest said
    """
    with transaction.atomic():
        user = _still_a_guest(guest) or User()
        is_new = user.pk is None
        user.kind, user.email, user.name = User.Kind.MEMBER, email.strip().lower(), clean(name, 100)
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise Refused("password", " ".join(error.messages), "password") from None
        user.set_password(password)
        try:
            with transaction.atomic():
                user.save()
        except IntegrityError:
            raise Refused(
                "email_taken", _("This e-mail address has an account."), "email"
            ) from None
        if not is_new:
            user.auth_token_set.all().delete()
            feedback_recorded.send(sender=Feedback, user_ids=[user.pk])  # counts for all from now
        if consent or (consent is False and not is_new):
            set_consent(user, consent)
    return user


def _still_a_guest(guest: User | None) -> User | None:
    """The row of a guest, locked; None if they became a member or left meanwhile."""
    rows = User.objects.select_for_update(no_key=True)
    return guest and rows.filter(pk=guest.pk, kind=User.Kind.GUEST, is_active=True).first()


def set_consent(user: User, agrees: bool) -> None:
    """Agree to personalisation, or withdraw. What was learned is learned anew from what may be."""
    purpose = Consent.Purpose.PERSONALISATION
    with transaction.atomic():
        lock(user)
        in_force = Consent.objects.filter(user=user, purpose=purpose, withdrawn_at=None)
        if agrees and not in_force.exists():
            Consent.objects.create(user=user, purpose=purpose, version=CONSENT_VERSION)
        elif not agrees:
            in_force.update(withdrawn_at=Now())
        feedback_recorded.send(sender=Feedback, user_ids=[user.pk])


def rename(user: User, name: str) -> None:
    user.name = clean(name, 100)
    user.save(update_fields=["name"])


# --- items ------------------------------------------------------------------------------------


def check_attributes(attributes: object) -> dict:
    """The attributes, if each is declared and of its type; else Refused."""
    if not isinstance(attributes, dict):
        raise Refused(
            "attributes", _("Attributes are an object of names and values."), "attributes"
        )
    if len(json.dumps(attributes)) > ATTRIBUTES_BYTES:
        raise Refused("attributes", _("Attributes are larger than 16 kB."), "attributes")
    declared = dict(Attribute.objects.filter(name__in=attributes).values_list("name", "type"))
    for name, value in attributes.items():
        if name not in declared:
            raise Refused(
                "attributes", _("There is no declared attribute “%s”.") % name, "attributes"
            )
        if not has_type(value, declared[name]):
            raise Refused(
                "attributes",
                _("The attribute “%(name)s” takes a %(type)s.")
                % {"name": name, "type": Attribute.Type(declared[name]).label},
                "attributes",
            )
    return attributes


def has_type(value: object, kind: str) -> bool:
    if kind == Attribute.Type.BOOLEAN:
        return isinstance(value, bool)
    if kind == Attribute.Type.NUMBER:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value)
    if kind == Attribute.Type.DATE:
        try:
            datetime.fromisoformat(value)
        except (TypeError, ValueError):
            return False
        return True
    return isinstance(value, str) and "\x00" not in value


def save_item(
    item: Item,
    *,
    categories: Iterable[Category] | None = None,
    creators: Sequence[Creator] | None = None,
) -> Item:
    """Write an item with what belongs to it, and announce it. None leaves a relation as it is."""
    with transaction.atomic():
        item.updated_at = Now()
        item.save()
        if categories is not None:
            item.categories.set(categories)
        if creators is not None:
            ItemCreator.objects.filter(item=item).delete()
            ItemCreator.objects.bulk_create(
                ItemCreator(item=item, creator=creator, position=position)
                for position, creator in enumerate(creators)
            )
        announce_items([item.pk])
    item.refresh_from_db(fields=["updated_at"])
    return item


def remove_items(item_ids: Sequence[int]) -> int:
    """Take items out of every list, for good. Their rows and feedback stay."""
    with transaction.atomic():
        removed = Item.objects.filter(pk__in=item_ids, removed_at=None).update(
            removed_at=Now(), updated_at=Now()
        )
        announce_items(item_ids)
    return removed


def announce_items(item_ids: Sequence[int]) -> None:
    """Say that items changed; for writers that do not go through save_item."""
    item_changed.send(sender=Item, item_ids=list(item_ids))


# --- feedback ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Given:
    """One piece of feedback as a client gave it."""

    item: UUID
    kind: str
    value: float | None = None
    text: str = ""
    occurred_at: datetime | None = None
    uuid: UUID | None = None
    served_id: UUID | None = None

    def digest(self) -> bytes:
        """Equal for equal bodies: tells a repeated request from a reused id."""
        moment = self.occurred_at.isoformat() if self.occurred_at else None
        body = [str(self.item), self.kind, self.value, self.text, moment, str(self.served_id)]
        return hashlib.sha256(json.dumps(body).encode()).digest()[:16]


# What is there of each of some feedback, by its number: its item; the feedback that has its id
# already; and the live opinion on its item. With whether the person agrees, and the time it is.
ABOUT = f"""
    SELECT (SELECT {AGREED} FROM catalog_user u WHERE u.id = %(user)s),
        i.id, i.title, known.id, known.digest, live.id, live.occurred_at, statement_timestamp()
    FROM unnest(%(uuids)s::uuid[], %(items)s::uuid[]) WITH ORDINALITY AS g (uuid, item, n)
    LEFT JOIN catalog_item i ON i.uuid = g.item AND i.removed_at IS NULL
    LEFT JOIN catalog_feedback known ON known.user_id = %(user)s AND known.uuid = g.uuid
    LEFT JOIN catalog_feedback live ON live.user_id = %(user)s AND live.item_id = i.id
        AND live.kind IN ('like', 'dislike', 'rating', 'hide')
        AND live.retracted_at IS NULL AND live.superseded_at IS NULL
    ORDER BY g.n"""


# Arrays, since a statement of a hundred times as many parameters takes longer to write than to do.
WRITE = """
    INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, value, text, occurred_at,
        superseded_at, served_id, digest)
    SELECT uuid, %s, item_id, kind, value, text, occurred_at, superseded_at, served_id, digest
    FROM unnest(%s::uuid[], %s::bigint[], %s::text[], %s::float8[], %s::text[],
        %s::timestamptz[], %s::timestamptz[], %s::uuid[], %s::bytea[]) WITH ORDINALITY
        AS g (uuid, item_id, kind, value, text, occurred_at, superseded_at, served_id, digest, n)
    ORDER BY n RETURNING id"""


def record_feedback(user: User, given: Given) -> tuple[Feedback, bool]:
    """Write one piece of feedback; answer the row, and whether it is new.

    The same id with the same body gives the row that is there. Feedback is acknowledged only
    after the commit of the caller's transaction, together with the work it causes.
    """
    with transaction.atomic():
        slate = _read_slate(user, [given])
        (outcome,) = slate.outcomes
        if isinstance(outcome, Refused):
            raise outcome
        if isinstance(outcome, int):
            return Feedback.objects.select_related("item").get(pk=outcome), False
        (pk,) = slate.write()
    # All else of the item is read when it is looked at.
    item = Item.from_db(None, ["id", "uuid", "title"], [outcome.item_id, given.item, outcome.title])
    fields = {name: getattr(outcome, name) for name in _New.__slots__ if name != "title"}
    return Feedback(pk=pk, user=user, **fields | {"item": item}), True


def record_all_feedback(user: User, given: Sequence[Given]) -> list[tuple[UUID, bool] | Refused]:
    """The same for many, in their order: the public id of each, and whether it is new. What cannot
    be done is named and hinders no other.

    Five statements for any number. Raises Refused if the account is closed, and without consent
    """
    with transaction.atomic():
        slate = _read_slate(user, given)
        slate.write()
    new: set[int] = set()  # what comes twice in one batch is new the first time
    recorded: list[tuple[UUID, bool] | Refused] = []
    for one, outcome in zip(given, slate.outcomes, strict=True):
        if isinstance(outcome, _New):
            recorded.append((outcome.uuid, id(outcome) not in new))
            new.add(id(outcome))
        else:
            recorded.append(outcome if isinstance(outcome, Refused) else (one.uuid, False))
    return recorded


@dataclass(slots=True)
class _New:
    """A row that is to be written."""

    uuid: UUID
    item_id: int
    title: str  # of the item
    kind: str
    value: float | None
    text: str
    occurred_at: datetime
    superseded_at: datetime | None
    served_id: UUID | None
    digest: bytes


def _read_slate(user: User, given: Sequence[Given]) -> "_Slate":
    """Call in a transaction: the person is locked from here on."""
    lock(user)
    with connection.cursor() as cursor:
        cursor.execute(
            ABOUT,
            {
                "uuids": [one.uuid for one in given],
                "items": [one.item for one in given],
                "user": user.pk,
            },
        )
        rows = cursor.fetchall()
    if rows and not rows[0][0]:
        raise no_consent()
    slate = _Slate(user)
    for one, row in zip(given, rows, strict=True):
        slate.outcomes.append(slate.add(one, *row[1:]))
    return slate


class _Slate:
    """Feedback of one person that is written together, as if it had come one by one."""

    def __init__(self, user: User) -> None:
        self.user = user
        # Of each: what is to be written, the id of what was there already, or why it cannot be.
        self.outcomes: list[_New | int | Refused] = []
        self._rows: dict[UUID, _New] = {}  # by public id
        self._live: dict[int, _New | tuple[int, datetime]] = {}  # opinion on each item
        self._replaced: list[int] = []  # ids of opinions
        self._now: datetime | None = None

    def add(
        self,
        given: Given,
        item_id: int | None,
        title: str | None,
        known_id: int | None,
        known_digest: bytes | None,
        live_id: int | None,
        live_at: datetime | None,
        now: datetime,
    ) -> _New | int | Refused:
        self._now, digest = now, given.digest()
        twin = self._rows.get(given.uuid)
        if known_id or twin:
            if bytes(twin.digest if twin else known_digest) != digest:
                return Refused("conflict", _("This id was used for other feedback."), "id")
            return twin or known_id
        if item_id is None:
            return Refused("unknown_item", _("There is no such item."), "item")
        row = _New(
            given.uuid or uuid7(),
            item_id,
            title,
            given.kind,
            given.value,
            clean(given.text, 5000),
            min(max(given.occurred_at or now, now - LATE_FEEDBACK), now),
            None,
            given.served_id,
            digest,
        )
        if given.kind in Feedback.OPINIONS:
            live = self._live.get(item_id) or (live_id and (live_id, live_at))
            self._live[item_id] = self._liver(row, live) if live else row
        self._rows[row.uuid] = row
        return row

    def _liver(self, row: _New, live: _New | tuple[int, datetime]) -> _New | tuple[int, datetime]:
        """Which of two opinions on an item stands: that which happened last, of equals the new."""
        is_new = isinstance(live, _New)
        if (live.occurred_at if is_new else live[1]) > row.occurred_at:
            row.superseded_at = self._now
            return live
        if is_new:
            live.superseded_at = self._now
        else:
            self._replaced.append(live[0])
        return row

    def write(self) -> list[int]:
        """Ids of the new rows."""
        if not self._rows:
            return []
        if self._replaced:
            Feedback.objects.filter(pk__in=self._replaced).update(superseded_at=self._now)
        rows = list(self._rows.values())
        names = [name for name in _New.__slots__ if name != "title"]
        columns = [[getattr(row, name) for row in rows] for name in names]
        with connection.cursor() as cursor:
            cursor.execute(WRITE, [self.user.pk, *columns])
            ids = [pk for (pk,) in cursor.fetchall()]
        feedback_recorded.send(sender=Feedback, user_ids=[self.user.pk])
        return ids


def retract_feedback(user: User, uuid: UUID) -> Feedback:
    """Undo one's own feedback. The opinion that it had replaced, if any, is live again."""
    with transaction.atomic():
        lock(user)
        row = Feedback.objects.filter(user=user, uuid=uuid).annotate(now=Now()).first()
        if row is None:
            raise Refused("unknown_feedback", _("There is no such feedback."), "id")
        if row.retracted_at is None:
            was_live = row.kind in Feedback.OPINIONS and row.superseded_at is None
            row.retracted_at = row.now
            row.save(update_fields=["retracted_at"])
            if was_live:
                former = _opinions(user, row.item_id).order_by("-occurred_at", "-id").first()
                if former:
                    former.superseded_at = None
                    former.save(update_fields=["superseded_at"])
            feedback_recorded.send(sender=Feedback, user_ids=[user.pk])
    return row


def lock(user: User) -> None:
    """One writer a person at a time, so that the slot of an opinion has one winner."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 FROM catalog_user WHERE id = %s AND erased_at IS NULL AND is_active"
            " FOR NO KEY UPDATE",
            [user.pk],
        )
        is_there = cursor.fetchone()
    if not is_there:
        raise closed_account()


def closed_account() -> Refused:
    return Refused("no_account", _("This account is closed."))


def no_consent() -> Refused:
    return Refused(
        "no_consent",
        _("Agree first that what you say is used for your lists: consent in /api/v1/me/."),
    )


def _opinions(user: User, item_id: int):
    return Feedback.objects.filter(
        user=user, item_id=item_id, kind__in=Feedback.OPINIONS, retracted_at=None
    )
