"""No other site can act for somebody who is signed in here; and no cookie counts in the API."""

import re

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from rest_framework.test import APIClient

from catalog.models import User
from tests.factories import give, make_item

pytestmark = pytest.mark.django_db
NOBODYS = "01890000-0000-7000-8000-000000000000"


def pages(patterns=None, before="") -> list[str]:
    """The address of every page of the site, the admin aside, with an id where one goes."""
    found = []
    for pattern in patterns or get_resolver().url_patterns:
        route = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            if pattern.app_name != "admin" and route != "api/v1/":
                found += pages(pattern.url_patterns, route)
        elif isinstance(pattern, URLPattern):
            found.append("/" + re.sub(r"<uuid:\w+>", NOBODYS, route))
    return [re.sub(r"<(?:str:)?\w+>", "x", address) for address in found]


# What answers 405 to a POST takes none; the rest must ask for the token first.
TAKES_NO_POST = {405}


@pytest.mark.parametrize("address", pages())
def test_a_post_without_the_token_is_refused(strict, address):
    body = {"name": "Mallory", "password": "another password", "new": "another password"}
    plain = strict.post(address, body)
    if plain.status_code in TAKES_NO_POST:
        return
    assert plain.status_code == 403, address
    text = strict.post(address, "name=Mallory&csrfmiddlewaretoken=x", content_type="text/plain")
    assert text.status_code == 403


def test_the_pages_that_take_a_post_are_many():
    assert len(pages()) > 25


@pytest.mark.parametrize(
    ("address", "body"),
    [
        ("/account/", {"name": "Mallory"}),
        ("/account/access/", {"current": "a password of alice", "new": "another password"}),
        ("/account/access/end/", {}),
        ("/sign-out/", {}),
        ("/sign-in/", {"username": "alice@example.org", "password": "a password of alice"}),
        ("/password/forgotten/", {"email": "alice@example.org"}),
        ("/consent/", {"agrees": "yes"}),
        ("/language/", {"language": "zh-hans"}),
    ],
)
def test_a_post_from_another_origin_is_refused_even_with_the_token(strict, alice, address, body):
    page = strict.get("/account/").content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    full = {**body, "csrfmiddlewaretoken": token}
    for origin in ("https://evil.example", "null", "http://testserver.evil.example"):
        assert strict.post(address, full, headers={"Origin": origin}).status_code == 403
    assert strict.post(address, full, headers={"Origin": "http://testserver"}).status_code != 403
    if address == "/account/":
        assert User.objects.get(pk=alice.pk).name == "Mallory"


API_WRITES = [
    ("post", "/api/v1/feedback/", {"item": NOBODYS, "kind": "like"}),
    ("patch", "/api/v1/me/", {"name": "Mallory"}),
    ("post", "/api/v1/auth/password/", {"current": "a password of alice", "new": "another one!"}),
    ("post", "/api/v1/auth/logout-all/", {}),
    ("post", "/api/v1/auth/email/send/", {}),
    ("delete", f"/api/v1/auth/sign-ins/{NOBODYS}/", None),
    ("post", "/api/v1/me/wishes/", {"text": "boots"}),
    ("post", "/api/v1/me/steering/", {"action": "less", "kind": "category", "target": "x"}),
    ("post", "/api/v1/impressions/", []),
]


@pytest.mark.parametrize(("method", "address", "body"), API_WRITES)
def test_a_session_counts_for_nothing_in_the_api(alice, method, address, body):
    client = APIClient(enforce_csrf_checks=True)
    client.cookies = signed_in(alice).cookies
    answer = getattr(client, method)(address, body, format="json")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    assert User.objects.get(pk=alice.pk).name == "alice"


def test_reading_by_a_session_is_refused_too(alice):
    give(alice, make_item("kettle"))
    client = APIClient()
    client.cookies = signed_in(alice).cookies
    for address in ("/api/v1/me/", "/api/v1/feedback/", "/api/v1/auth/sign-ins/"):
        assert client.get(address).status_code == 401


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    assert client.get("/account/").status_code == 200
    return client
