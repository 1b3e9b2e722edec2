"""Getting in, and keeping others out: passwords, confirmed addresses, and where one is signed in.

Every password that is tried is paid for first (catalog.limits), by whichever door it comes. What
is mailed is made by a worker, and a link holds nothing that a reader of the database could make.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature, TimestampSigner
from django.db import DEFAULT_DB_ALIAS, connection, transaction
from django.db.models.functions import Now
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from catalog import guests, limits, services
from catalog.addresses import client_address, device_name, device_of, network_of
from catalog.models import Mail, Session, Token, User
from catalog.services import Refused
from catalog.signals import mail_wanted

IDLE, LONGEST = timedelta(days=30), timedelta(days=90)  # that a token lives unused; at all
NOTED = timedelta(hours=1)  # a use is noted no more often
CONFIRMED_WITHIN = timedelta(days=3)
MOST_SIGN_INS = 100  # that are listed


class LimitedBackend(ModelBackend):
    """Django's, after the allowance: site, API and admin all come through here."""

    def authenticate(self, request, username=None, password=None, **kwargs) -> User | None:
        """Raises TooMany before the password is looked at."""
        if username is None or password is None:
            return None
        account = username.strip().lower()
        address = client_address(request) if request else ""
        spent = limits.spend_guess(account, address)
        user = super().authenticate(request, username=account, password=password, **kwargs)
        if user is not None:
            limits.give_back(spent)
        return user


# --- where somebody is signed in --------------------------------------------------------------


def new_token(user: User, request: HttpRequest) -> tuple[Token, str]:
    """A token and its only text."""
    return Token.objects.create(
        user=user, expiry=IDLE, network=network_of(request), device=device_of(request)
    )


_TOKEN, _USER = ([f.attname for f in model._meta.concrete_fields] for model in (Token, User))
_COLUMNS = ", ".join([*(f"t.{name}" for name in _TOKEN), *(f"u.{name}" for name in _USER)])
_TOKEN_OF = (
    f"SELECT {_COLUMNS}"
    f" FROM {Token._meta.db_table} t JOIN {User._meta.db_table} u ON u.id = t.user_id"
    " WHERE t.digest = %s AND t.expiry > %s AND u.is_active AND u.erased_at IS NULL"
)


def token_of(digest: str) -> Token | None:
    """The token with its person, if it is in force: one statement.

    Its text is made once: every call of the API begins here, and a queryset takes as long to say it
    as the database to answer.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TOKEN_OF, [digest, timezone.now()])
        row = cursor.fetchone()
    if row is None:
        return None
    token = Token.from_db(DEFAULT_DB_ALIAS, _TOKEN, row[: len(_TOKEN)])
    token.user = User.from_db(DEFAULT_DB_ALIAS, _USER, row[len(_TOKEN) :])
    return token


def note_use(token: Token, request: HttpRequest) -> None:
    """It was used, and lives on from here: written once an hour."""
    now = timezone.now()
    if now - token.used_at > NOTED:
        token.used_at, token.expiry = now, min(now + IDLE, token.created + LONGEST)
        # By its digest: a token that has just ended stays ended.
        Token.objects.filter(digest=token.digest).update(
            used_at=token.used_at,
            expiry=token.expiry,
            network=network_of(request),
            device=device_of(request),
        )


@dataclass(frozen=True)
class SignedIn:
    """A place where somebody is signed in."""

    id: UUID
    kind: str  # "token" or "session"
    began_at: datetime
    used_at: datetime
    network: str
    device: str
    is_this: bool

    @property
    def device_name(self) -> str:
        return device_name(self.device)


def sign_ins(user: User, this: UUID | None) -> list[SignedIn]:
    """Where somebody is signed in, the last used first. `this` is where they ask from."""
    now = timezone.now()
    found: list[tuple[str, Token | Session]] = [
        ("token", row) for row in user.auth_token_set.filter(expiry__gt=now)
    ]
    found += [("session", row) for row in user.session_set.filter(expire_date__gt=now)]
    found.sort(key=lambda pair: pair[1].used_at, reverse=True)
    return [
        SignedIn(
            id=row.uuid,
            kind=kind,
            began_at=row.created,
            used_at=row.used_at,
            network=row.network,
            device=row.device,
            is_this=row.uuid == this,
        )
        for kind, row in found[:MOST_SIGN_INS]
    ]


def end_sign_in(user: User, uuid: UUID) -> bool:
    """End one's own; False if there is none of this id."""
    ended, _each = user.auth_token_set.filter(uuid=uuid).delete()
    return bool(ended or user.session_set.filter(uuid=uuid).delete()[0])


def end_everywhere(user: User) -> None:
    user.end_sign_ins()


# --- passwords --------------------------------------------------------------------------------


def change_password(user: User, request: HttpRequest, *, current: str, new: str) -> None:
    """Every token and session ends: whoever changes it is signed in anew by the door.

    Raises Refused if the current one is wrong or the new one weak, TooMany after many tries
    """
    prove(user, request, current, field="current")
    _set_password(user, new, field="new")


def prove(user: User, request: HttpRequest, password: str, *, field: str) -> None:
    """Once more that it is them, before what cannot be undone.

    Raises Refused if the password is wrong, TooMany after many tries
    """
    spent = limits.spend_guess(user.email or str(user.uuid), client_address(request))
    if not user.check_password(password):
        raise Refused("wrong_password", _("This is not your password."), field)
    limits.give_back(spent)


def sign_up(
    request: HttpRequest,
    *,
    email: str,
    password: str,
    name: str = "",
    consent: bool | None = None,
    guest: User | None = None,
) -> User:
    """A new member, see services.register, who is mailed a link that confirms the address.

    Raises Refused, TooMany
    """
    limits.spend((limits.new_accounts_from_one(), client_address(request)))
    user = services.register(
        email=email, password=password, name=name, consent=consent, guest=guest
    )
    ask_for_confirmation(user)
    return user


def begin_as_guest(request: HttpRequest) -> User:
    """Raises TooMany"""
    limits.spend((limits.new_accounts_from_one(), client_address(request)))
    return guests.make_guest()


def ask_for_reset(email: str, request: HttpRequest) -> None:
    """A link by e-mail, if the address is somebody's. Known or not, the same is done here.

    Raises TooMany
    """
    limits.spend((limits.tries_from_one(), client_address(request)))
    _ask_for_mail(Mail.Kind.RESET, email)


def ask_for_confirmation(user: User) -> None:
    if user.email and not user.email_verified_at:
        _ask_for_mail(Mail.Kind.CONFIRM, user.email)


def _ask_for_mail(kind: Mail.Kind, email: str) -> None:
    """Beyond a few an hour to one address nothing is sent, and nothing said."""
    email = email.strip().lower()
    try:
        limits.spend((limits.MAILS_TO_ONE, f"{kind} {email}"))
    except limits.TooMany:
        return
    with transaction.atomic():
        mail = Mail.objects.create(kind=kind, email=email, language=get_language() or "en")
        mail_wanted.send(sender=Mail, mail_ids=[mail.pk])


def reset_code(user: User) -> str:
    """What the link of a reset holds: good for an hour, and until the password changes."""
    return default_token_generator.make_token(user)


def person(uuid: UUID) -> User | None:
    """Somebody who may sign in."""
    return User.objects.filter(uuid=uuid, is_active=True, erased_at=None).first()


def person_with_reset_code(uuid: UUID, code: str) -> User | None:
    user = person(uuid)
    return user if user and default_token_generator.check_token(user, code) else None


def reset_password(uuid: UUID, code: str, new: str, request: HttpRequest) -> User:
    """A new password by a code that was mailed; the address is confirmed by it too.

    Raises Refused if the code is not good (any more) or the password is weak, TooMany
    """
    spent = limits.spend((limits.tries_from_one(), client_address(request)))
    with transaction.atomic():
        # Two who come at once with one code: the second finds another password.
        User.objects.select_for_update(no_key=True).filter(uuid=uuid).first()
        user = person_with_reset_code(uuid, code)
        if user is None:
            raise bad_code()
        user.email_verified_at = user.email_verified_at or timezone.now()
        _set_password(user, new, field="password")
    limits.give_back(spent)
    return user


def bad_code() -> Refused:
    return Refused(
        "bad_code", _("This link was used already, or is too old. Ask for a new one."), "code"
    )


def _set_password(user: User, new: str, *, field: str) -> None:
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise Refused("password", " ".join(error.messages), field) from None
    user.set_password(new)
    with transaction.atomic():
        user.save(update_fields=["password", "email_verified_at"])


# --- the address ------------------------------------------------------------------------------


def confirmation_code(user: User) -> str:
    return _confirmation_of(user.email or "").sign(str(user.uuid))


def confirm_email(code: str) -> User:
    """Raises Refused if the code was not made for the address that the person has now."""
    try:
        uuid = UUID(code.partition(":")[0])
    except ValueError:
        raise bad_code() from None
    user = person(uuid)
    try:
        _confirmation_of(user.email if user and user.email else "").unsign(
            code, max_age=CONFIRMED_WITHIN
        )
    except BadSignature:
        raise bad_code() from None
    if user is None:
        raise bad_code()
    User.objects.filter(pk=user.pk, email_verified_at=None).update(email_verified_at=Now())
    return user


def _confirmation_of(email: str) -> TimestampSigner:
    return TimestampSigner(salt=f"catalog.confirm:{email}")


# --- mails ------------------------------------------------------------------------------------


def mails(mail_ids: Sequence[int]) -> list[tuple[Mail, User | None]]:
    """What was asked for, each with whose address it is, if anybody's."""
    found = list(Mail.objects.filter(pk__in=mail_ids).order_by("pk"))
    people = {
        user.email: user
        for user in User.objects.filter(
            email__in=[mail.email for mail in found], is_active=True, erased_at=None
        )
    }
    return [(mail, people.get(mail.email)) for mail in found]


def drop_mail(mail: Mail) -> None:
    mail.delete()


def sweep() -> None:
    """Forget what has ended."""
    now = timezone.now()
    Token.objects.filter(expiry__lte=now).delete()
    Session.objects.filter(expire_date__lte=now).delete()
    limits.sweep()
