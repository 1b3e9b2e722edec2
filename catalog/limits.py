"""Allowances: how often something may be tried. In Postgres, so that they hold without Valkey.

One statement spends and says what is left, so that guesses that come at once cannot all be the
last one allowed. Spend before the work that is to be guarded, and outside any transaction: what is
rolled back with a refusal was not spent.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from catalog.services import Refused

HOUR = 3600


@dataclass(frozen=True)
class Allowed:
    """So much in a stretch of time that begins with the first of it."""

    name: str
    most: int
    seconds: int


@dataclass(frozen=True)
class Spent:
    """One of an allowance, that can be given back."""

    key: bytes


class TooMany(Refused):
    """The allowance is spent; `wait` is after how many seconds it is whole again."""

    def __init__(self, wait: int) -> None:
        super().__init__("too_many_tries", _("Too many tries. Please wait a while."))
        self.wait = wait


GUESSES_AT_ONE_FROM_ONE = Allowed("guess", 10, 15 * 60)
# Beyond so many wrong guesses at one account in a day, from wherever, each address has few: whoever
# guesses from many gets nowhere, and the person themselves is never shut out.
GUESSES_AT_ONE = Allowed("guesses", 100, 24 * HOUR)
GUESSES_AT_ONE_FROM_ONE_WHEN_MANY = Allowed("guess-slow", 2, 15 * 60)
CODES = Allowed("code", 10, 15 * 60)
MAILS_TO_ONE = Allowed("mail", 3, HOUR)


def tries_from_one() -> Allowed:
    return Allowed("tries", settings.SIGN_INS_AN_HOUR, HOUR)


def new_accounts_from_one() -> Allowed:
    return Allowed("accounts", settings.NEW_ACCOUNTS_AN_HOUR, HOUR)


def spend(*wanted: tuple[Allowed, str]) -> list[Spent]:
    """One of each allowance of each subject, in one statement.

    Raises TooMany if any of them was spent already; it counts as tried for all the same
    """
    keys = {_key(allowed, subject): allowed for allowed, subject in wanted}
    ordered = sorted(keys)  # one order for all, or two could wait for each other
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO catalog_allowance AS a (key, spent, whole_at)"
            " SELECT key, 1, now() + make_interval(secs => seconds)"
            " FROM unnest(%s::bytea[], %s::int[]) AS w (key, seconds)"
            " ON CONFLICT (key) DO UPDATE SET"
            " spent = CASE WHEN a.whole_at <= now() THEN 1 ELSE a.spent + 1 END,"
            " whole_at = CASE WHEN a.whole_at <= now() THEN excluded.whole_at ELSE a.whole_at END"
            " RETURNING key, spent, ceil(extract(epoch FROM whole_at - now()))::int",
            [ordered, [keys[key].seconds for key in ordered]],
        )
        rows = cursor.fetchall()
    waits = [wait for key, spent, wait in rows if spent > keys[bytes(key)].most]
    if waits:
        raise TooMany(max(waits))
    return [Spent(key) for key in ordered]


def spend_guess(account: str, address: str) -> list[Spent]:
    """One guess at the password of an account, whether there is such an account or not.

    account  in the letters that the account is found by
    Raises TooMany, before anything is compared
    """
    both = f"{account} {address}"
    spent = spend((tries_from_one(), address), (GUESSES_AT_ONE_FROM_ONE, both))
    try:
        spent += spend((GUESSES_AT_ONE, account))
    except TooMany:
        spent += spend((GUESSES_AT_ONE_FROM_ONE_WHEN_MANY, both))
    return spent


def give_back(spent: Sequence[Spent]) -> None:
    """It was no guess: what is right costs nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE catalog_allowance SET spent = greatest(spent - 1, 0) WHERE key IN"
            " (SELECT key FROM catalog_allowance WHERE key = ANY(%s) ORDER BY key FOR UPDATE)",
            [[one.key for one in spent]],
        )


def sweep() -> None:
    """Forget what is whole again."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM catalog_allowance WHERE whole_at <= now()")


def _key(allowed: Allowed, subject: str) -> bytes:
    """A digest, so that neither addresses nor who tried can be read from the table."""
    return salted_hmac("catalog.limits", f"{allowed.name}:{subject}", algorithm="sha256").digest()
