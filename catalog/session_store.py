"""Sessions of the pages that know whose they are, so that a person can list and end them.

A key is kept as a digest, so that whoever reads the table gets into no session.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.http import HttpRequest
from django.utils import timezone

from catalog.addresses import device_of, network_of
from catalog.models import Session
from catalog.uuid7 import uuid7

NOTE = "_sign_in"  # id, and when, from where and by what it was last used
USED_FOR = timedelta(hours=1)  # noted no more often


class SessionStore(db.SessionStore):
    """Django's, in a table of ours."""

    @classmethod
    def get_model_class(cls) -> type[Session]:
        return Session

    def _get_session_from_db(self) -> Session | None:
        found = self.model.objects.filter(
            session_key=digest(self.session_key), expire_date__gt=timezone.now()
        ).first()
        if found is None:
            self._session_key = None
        return found

    def exists(self, session_key: str) -> bool:
        return super().exists(digest(session_key))

    def delete(self, session_key: str | None = None) -> None:
        if key := session_key or self.session_key:
            self.model.objects.filter(session_key=digest(key)).delete()

    def cycle_key(self) -> None:
        """Under another key it is the same sign-in, of which there is one row."""
        _data = self._session  # read while the row is there
        self.delete()
        super().cycle_key()

    def create_model_instance(self, data: dict) -> Session:
        row = super().create_model_instance(data)
        row.session_key = digest(row.session_key)
        row.user_id = data.get(SESSION_KEY)
        if note := data.get(NOTE):
            row.uuid, row.created, row.used_at = note["id"], note["began"], note["used"]
            row.network, row.device = note["network"], note["device"]
        return row


def digest(key: str | None) -> str:
    return sha256((key or "").encode()).hexdigest()[:40]


def sign_in_of(request: HttpRequest) -> UUID | None:
    """The id under which the session of a request is listed."""
    note = request.session.get(NOTE)
    return UUID(note["id"]) if note else None


def note_sign_in(request: HttpRequest) -> None:
    """Somebody begins to be signed in by the session of this request."""
    now = timezone.now().isoformat()
    request.session[NOTE] = {"id": str(uuid7()), "began": now} | _use(request, now)


def note_use(request: HttpRequest) -> None:
    """They still are; written once an hour."""
    note, now = request.session.get(NOTE), timezone.now()
    if note is None:
        if SESSION_KEY in request.session:
            note_sign_in(request)
    elif now - datetime.fromisoformat(note["used"]) > USED_FOR:
        request.session[NOTE] = note | _use(request, now.isoformat())


def _use(request: HttpRequest, now: str) -> dict:
    return {"used": now, "network": network_of(request), "device": device_of(request)}


class NoteUse:
    """Middleware: when and where a session was last used. Looks at none that no view looked at."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        response = self.get_response(request)
        if request.session.accessed and response.status_code < 500:  # or the database may be down
            note_use(request)
        return response
