"""Who acts on the pages: a member, or a guest, whom the session of a device holds on to.

A visitor becomes a guest by what they do, never by looking, so that no robot makes any.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.db import transaction
from django.http import HttpRequest

from catalog.guests import make_guest
from catalog.models import User
from catalog.session_store import note_sign_in


def is_member(request: HttpRequest) -> bool:
    return request.user.is_authenticated and not request.user.is_guest


def guest_of(request: HttpRequest) -> User | None:
    is_guest = request.user.is_authenticated and request.user.is_guest
    return request.user if is_guest else None


@contextmanager
def acting(request: HttpRequest) -> Iterator[User]:
    """Who acts. A visitor is a guest from here on, unless what they do fails."""
    if request.user.is_authenticated:
        if request.user.is_guest:
            request.session.modified = True  # it ends so long after they last did something
        yield request.user
        return
    with transaction.atomic():
        guest = make_guest()
        yield guest
    _hold(request, guest)


def _hold(request: HttpRequest, guest: User) -> None:
    """Sign in under a new key of the session, so that nobody knows it who gave the former.

    Unlike Django's login() this leaves the token against forgery as it is: the other forms of the
    page hold it, and there was nothing yet that it could have guarded.
    """
    request.session.cycle_key()
    request.session[SESSION_KEY] = str(guest.pk)
    request.session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    request.session[HASH_SESSION_KEY] = guest.get_session_auth_hash()
    note_sign_in(request)
    request.user = guest
