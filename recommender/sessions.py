"""Sessions of pages: ids that follow each other, and the cursor that names the next page.

The first page's id is a UUIDv7 that ends in sixteen zeros, and page n has the id n further on: so
the pages of a session are one range of the primary key.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.core.signing import BadSignature, Signer
from django.utils.translation import gettext as _

from catalog.services import Refused
from catalog.uuid7 import moment_of, uuid7

BITS = 16
LASTS = timedelta(days=1)  # of a session; what is older is begun anew


@dataclass(frozen=True)
class Page:
    """A page of a session."""

    root: UUID  # id of the first
    number: int = 0  # from 0

    @property
    def id(self) -> UUID:
        return UUID(int=self.root.int + self.number)

    def after(self) -> "Page | None":
        """The next; None when the session has as many as it can."""
        return Page(self.root, self.number + 1) if self.number + 1 < 1 << BITS else None


def begin_session() -> Page:
    """Its first page.

    >>> begin_session().after().id.int % 2**16
    1
    """
    return Page(UUID(int=uuid7().int >> BITS << BITS))


def new_seed() -> int:
    """Small enough for a client whose numbers are floating."""
    return secrets.randbelow(1 << 53)


def cursor_of(page: Page, user_id: int | None, names: Sequence[str | None]) -> str:
    """What names a page to the person it is for, and cannot be made by anybody else.

    names  what else has to be known before anything of the session is read
    """
    return _signer(user_id).sign_object([page.root.hex, page.number, list(names)])


def page_at(
    cursor: str, user_id: int | None, now: datetime | None = None
) -> tuple[Page, list[str | None]]:
    """The page that a cursor names, and the names that it carries.

    Raises Refused if it was not made for this person, or is stale
    """
    try:
        root, number, names = _signer(user_id).unsign_object(cursor)
    except BadSignature:
        raise Refused(
            "forged_cursor",
            _("Give the cursor of your own last page as it came, or none to begin anew."),
            "cursor",
        ) from None
    page = Page(UUID(root), number)
    if (now or datetime.now(UTC)) - moment_of(page.root) > LASTS:
        raise stale()
    return page, names


def stale() -> Refused:
    return Refused(
        "stale_cursor",
        _("This list was begun more than a day ago. Begin anew, without a cursor."),
        "cursor",
    )


def _signer(user_id: int | None) -> Signer:
    return Signer(salt=f"recommender.sessions:{user_id}")
