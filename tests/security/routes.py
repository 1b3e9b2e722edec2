"""Every route there is, asked by everybody: what must not come out, and what must not change.

Whose a route is, a case says (cases.py). The harness finds the routes by itself, so that one which
nobody thought of fails the suite, and it takes no answer for granted: an error of the server is a
fault like any other.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from uuid import UUID, uuid4, uuid5

from django.apps import apps
from django.db import connection, transaction
from django.http import HttpResponse
from django.test.client import BOUNDARY, MULTIPART_CONTENT, Client, encode_multipart
from django.urls import URLPattern, get_resolver
from rest_framework.utils.encoders import JSONEncoder

from catalog.models import User

NOWHERE = uuid4()
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")


class Whose(Enum):
    PUBLIC = auto()  # the same for all, a visitor included
    MEMBERS = auto()  # the same for all who are signed in
    OWN = auto()  # speaks of whoever asks
    NAMED = auto()  # path or body name a thing that belongs to somebody
    STAFF = auto()  # for all operators
    OPERATOR = auto()  # for an operator with the right
    SERVERS = auto()  # for every key of a server
    SERVER = auto()  # for a key with the scope


@dataclass(frozen=True)
class Case:
    """What a route is asked.

    methods  method → the body that it does its work with; None for none, a list for lines of JSON.
             No other may do anything
    names    the victim's things in the path
    shows    where its owner sees what nobody else may see
    knows    what its owner alone knows, in the place of a guess by the same name
    """

    whose: Whose
    methods: Mapping[str, dict | None] = field(default_factory=lambda: {"GET": None})
    names: Mapping[str, object] = field(default_factory=dict)
    shows: bool = False
    query: str = ""
    knows: Mapping[str, object] = field(default_factory=dict)

    @property
    def of_owner(self) -> "Case":
        def known(values: Mapping) -> dict:
            return {name: self.knows.get(name, value) for name, value in values.items()}

        methods = {
            method: known(body) if isinstance(body, dict) else body
            for method, body in self.methods.items()
        }
        return replace(self, methods=methods, names=known(self.names))

    @property
    def missing(self) -> "Case":
        """The same of things that are nowhere."""
        methods = {
            method: {name: _nowhere(value) for name, value in body.items()}
            if isinstance(body, dict)
            else body
            for method, body in self.methods.items()
        }
        names = {name: _nowhere(value) for name, value in self.names.items()}
        return replace(self, methods=methods, names=names)


def _nowhere(value: object) -> object:
    """An id that nothing has in the place of one; all else as it is."""
    return uuid5(NOWHERE, str(value)) if is_uuid(value) else value


def is_uuid(value: object) -> bool:
    try:
        return isinstance(value, UUID) or bool(UUID(str(value)))
    except ValueError:
        return False


def routes(urlconf: str | None = None) -> Iterator[str]:
    """The pattern of each route, as `items/<uuid:uuid>/`."""

    def walk(patterns, before: str) -> Iterator[str]:
        for pattern in patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLPattern):
                yield route
            else:
                yield from walk(pattern.url_patterns, route)

    yield from walk(get_resolver(urlconf).url_patterns, "")


def address_of(route: str, case: Case) -> str:
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(case.names[found[1]]), route)
    return f"/{path}{case.query}"


def ask(
    client: Client, address: str, method: str, body: dict | list | None, *, is_api: bool
) -> HttpResponse:
    if method in ("GET", "HEAD", "OPTIONS"):
        return client.generic(method, address)
    if is_api:
        if isinstance(body, list):
            lines = "\n".join(map(in_json, body))
            return client.generic(method, address, lines, "application/x-ndjson")
        return client.generic(method, address, in_json(body), "application/json")
    data = {key: value for key, value in (body or {}).items() if value is not None}
    return client.generic(method, address, encode_multipart(BOUNDARY, data), MULTIPART_CONTENT)


def in_json(body: dict | None) -> str:
    return "" if body is None else JSONEncoder().encode(body)


@dataclass(frozen=True)
class Asker:
    """One who asks for what is not theirs.

    is_signed_in, is_staff, is_server  without any right
    """

    name: str
    api: Client
    site: Client
    is_signed_in: bool = True
    is_staff: bool = False
    is_server: bool = False


def faults_of(
    asker: Asker,
    route: str,
    case: Case,
    *,
    secrets: list[str],
    kept: Callable[[], object],
    methods: tuple[str, ...] = ("GET", "POST", "DELETE"),
) -> Iterator[str]:
    """What a route gets wrong for one who asks for what is another's.

    secrets  of the victim, which no answer may hold
    kept     takes down all that is the victim's, to see that it stays as it was
    """
    is_api = route.startswith("api/")
    client = asker.api if is_api else asker.site
    address, missing = address_of(route, case), address_of(route, case.missing)
    before = kept()
    for method in dict.fromkeys((*methods, *case.methods)):
        body = case.methods.get(method)
        what = f"{method} /{route} by {asker.name}"
        with undone():
            answer = ask(client, address, method, body, is_api=is_api)
            if method not in ("HEAD", "OPTIONS") and kept() != before:
                yield f"{what} changed what is another's"
        if answer.status_code >= 500:
            yield f"{what}: {answer.status_code}"
        text = f"{dict(answer.headers)}{_text(answer)}"
        if told := [secret for secret in secrets if secret in text and secret not in address]:
            yield f"{what} told {told}"
        says_how = method == "OPTIONS" and not _text(answer)
        is_fine = answer.status_code < 300 and not says_how
        if is_fine and not may(asker, case, method):
            yield f"{what}: {answer.status_code}, though it is not theirs"
        if case.whose is Whose.NAMED:
            with undone():
                other = ask(
                    client, missing, method, case.missing.methods.get(method), is_api=is_api
                )
            if _looks(answer) != _looks(other):
                yield f"{what}: another's thing is not as if it were missing"


def may(asker: Asker, case: Case, method: str) -> bool:
    """Whether a method may go well for somebody to whom the thing does not belong."""
    known = method in case.methods or (method == "HEAD" and "GET" in case.methods)
    match case.whose:
        case Whose.PUBLIC:
            return known
        case Whose.OWN | Whose.MEMBERS:
            return known and asker.is_signed_in
        case Whose.STAFF:
            return known and asker.is_staff
        case Whose.SERVERS:
            return known and asker.is_server
    return False


@contextmanager
def undone() -> Iterator[None]:
    """What happens inside is taken back."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def _text(answer: HttpResponse) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return content.decode(errors="replace")


VARIES = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|nonce=\"[^\"]*\""
    r"|name=\"csrfmiddlewaretoken\" value=\"[^\"]*\"|\d{9}"
)


def _looks(answer: HttpResponse) -> tuple[int, str, str]:
    """What tells one answer from another, but for the ids that were sent and what is random."""
    return (
        answer.status_code,
        VARIES.sub("…", answer.headers.get("Location", "")),
        VARIES.sub("…", _text(answer)),
    )


def everything_of(person: User) -> Callable[[], str]:
    """Takes down every row with a way to a person, whatever its table, in one statement."""
    ways = [(User._meta.db_table, "id")]
    ways += [
        (model._meta.db_table, found.column)
        for model in apps.get_models()
        for found in model._meta.concrete_fields
        if found.related_model is User
    ]
    # Joined by hand, of names that are our own.
    statement = " UNION ALL ".join(
        f"SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), ''))"
        f' FROM "{table}" t WHERE "{column}" = {person.pk:d}'
        for table, column in ways
    )

    def taken() -> str:
        with connection.cursor() as cursor:
            return str(cursor.execute(statement).fetchall())

    return taken
