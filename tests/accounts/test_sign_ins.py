"""Where somebody is signed in, and how each of it ends."""

import io
import logging
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth import get_user
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from catalog import accounts, guests
from catalog.models import Session, Token
from catalog.uuid7 import uuid7
from recsite.logs import LineFormatter
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import make_person

pytestmark = pytest.mark.django_db
LIST = "/api/v1/auth/sign-ins/"
ALICE = {"email": "alice@example.org", "password": "a password of alice"}


def sign_in(**extra) -> APIClient:
    client = APIClient()
    answer = client.post("/api/v1/auth/login/", ALICE, format="json", **extra)
    client.credentials(HTTP_AUTHORIZATION=f"Token {answer.json()['token']}")
    return client


def at_the_site(**extra) -> Client:
    client = Client(**extra)
    body = {"username": ALICE["email"], "password": ALICE["password"]}
    assert client.post("/sign-in/", body).status_code == 302
    return client


def is_signed_in(client) -> bool:
    return client.get("/api/v1/me/").status_code == 200


def test_each_place_is_listed_with_when_where_and_by_what(alice, bob):
    phone = sign_in(REMOTE_ADDR="203.0.113.77", HTTP_USER_AGENT="Films/2.1 (Android 15)")
    at_the_site(REMOTE_ADDR="2001:db8:7:1::9", headers={"User-Agent": "Firefox/150"})
    client_of(bob)
    answer = phone.get(LIST)
    assert answer["Cache-Control"] == "private, no-store"
    found = {row.pop("kind"): row for row in answer.json()["results"]}
    assert set(found) == {"token", "session"}
    assert found["token"]["network"] == "203.0.113.0/24"
    assert found["token"]["device"] == "Films/2.1 (Android 15)"
    assert found["token"]["is_this"]
    assert found["session"]["network"] == "2001:db8:7::/48"
    assert found["session"]["device"] == "Firefox/150"
    assert not found["session"]["is_this"]


def test_one_of_them_ends_by_the_next_call_and_no_other(alice):
    phone, tablet, site = sign_in(), sign_in(), at_the_site()
    ids = {
        row["kind"]: row["id"] for row in phone.get(LIST).json()["results"] if not row["is_this"]
    }
    assert phone.delete(f"{LIST}{ids['session']}/").status_code == 204
    assert not get_user(site).is_authenticated
    assert is_signed_in(tablet)
    assert phone.delete(f"{LIST}{ids['token']}/").status_code == 204
    assert not is_signed_in(tablet)
    assert is_signed_in(phone)


def test_that_of_another_is_as_if_it_were_not_there(alice, bob):
    theirs = Token.objects.create(user=bob)[0].uuid
    answers = [sign_in().delete(f"{LIST}{uuid}/") for uuid in (theirs, uuid7())]
    assert all(is_problem(answer, 404) for answer in answers)
    assert answers[0].content == answers[1].content
    assert Token.objects.filter(uuid=theirs).exists()


def test_the_page_lists_and_ends_them(alice):
    phone, site, other = sign_in(), at_the_site(), at_the_site()
    page = site.get("/account/access/").content.decode()
    assert page.count("End this one") == 3
    assert page.count("Here and now") == 1
    token = Token.objects.get()
    assert site.post(f"/account/access/{token.uuid}/end/")["Location"] == "/account/access/"
    assert not is_signed_in(phone)
    site.post("/account/access/end/")
    assert not get_user(site).is_authenticated
    assert not get_user(other).is_authenticated


def test_ending_the_session_one_asks_from_signs_out_here(alice):
    site = at_the_site()
    [here] = accounts.sign_ins(alice, None)
    assert site.post(f"/account/access/{here.id}/end/")["Location"] == "/"
    assert not get_user(site).is_authenticated


def test_the_list_on_the_page_costs_the_same_for_any_number(alice, django_assert_num_queries):
    site = at_the_site()
    for number in (1, 6):
        for _ in range(number):
            sign_in()
        # session, person, tokens, sessions
        with django_assert_num_queries(4):
            site.get("/account/access/")


def test_signing_out_everywhere_ends_the_sessions_of_the_site_too(alice):
    phone, site = sign_in(), at_the_site()
    assert phone.post("/api/v1/auth/logout-all/").status_code == 204
    assert not is_signed_in(phone)
    assert not get_user(site).is_authenticated


@pytest.mark.parametrize("door", ["model", "admin"])
def test_a_closed_account_is_signed_out_everywhere_and_stays_so(alice, door):
    phone, site = sign_in(), at_the_site()
    if door == "model":
        alice.is_active = False
        alice.save()
    else:
        chief = Client()
        chief.force_login(make_person("chief", is_staff=True, is_superuser=True))
        url = reverse("admin:catalog_user_change", args=[alice.pk])
        data = {"email": alice.email, "name": "alice"}
        assert chief.post(url, data).status_code == 302
    assert is_problem(phone.get("/api/v1/me/"), 401)
    assert not get_user(site).is_authenticated
    alice.refresh_from_db()
    assert not alice.is_active
    alice.is_active = True
    alice.save()
    assert is_problem(phone.get("/api/v1/me/"), 401)


def test_a_password_set_by_an_operator_ends_all_too(alice):
    phone, site, chief = sign_in(), at_the_site(), Client()
    chief.force_login(make_person("chief", is_staff=True, is_superuser=True))
    url = reverse("admin:auth_user_password_change", args=[alice.pk])
    new = {"password1": "quite another password", "password2": "quite another password"}
    assert chief.post(url, {**new, "usable_password": "true"}).status_code == 302
    assert not is_signed_in(phone)
    assert not get_user(site).is_authenticated


def test_a_better_hash_of_the_same_password_ends_nothing(alice, settings):
    phone = sign_in()
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.Argon2PasswordHasher",
        *settings.PASSWORD_HASHERS,
    ]
    sign_in()
    alice.refresh_from_db()
    assert alice.password.startswith("argon2")
    assert is_signed_in(phone)


# --- how long ---------------------------------------------------------------------------------


def aged(token: Token, **times) -> None:
    Token.objects.filter(pk=token.pk).update(**times)


def test_a_token_ends_after_thirty_days_unused(alice):
    phone = sign_in()
    token, now = Token.objects.get(), timezone.now()
    assert timedelta(days=29) < token.expiry - now <= timedelta(days=30)
    aged(token, expiry=now)
    assert is_problem(phone.get("/api/v1/me/"), 401)


def test_a_token_in_use_goes_on_and_is_noted_once_an_hour(alice, django_assert_num_queries):
    phone = sign_in()
    now = timezone.now()
    aged(Token.objects.get(), used_at=now - timedelta(hours=2), expiry=now + timedelta(days=3))
    phone.get(LIST, REMOTE_ADDR="198.51.100.4")
    token = Token.objects.get()
    assert token.expiry - now > timedelta(days=29)
    assert token.used_at >= now
    assert token.network == "198.51.100.0/24"
    # token, tokens, sessions
    with django_assert_num_queries(3):
        phone.get(LIST)


def test_a_token_ends_after_ninety_days_however_much_it_is_used(alice):
    phone, now = sign_in(), timezone.now()
    born = now - timedelta(days=89, hours=23)
    aged(Token.objects.get(), created=born, used_at=now - timedelta(hours=2))
    assert is_signed_in(phone)
    assert Token.objects.get().expiry == born + timedelta(days=90)
    aged(Token.objects.get(), expiry=now - timedelta(seconds=1))
    assert not is_signed_in(phone)


def test_a_session_notes_its_use_once_an_hour(alice, rf):
    site = at_the_site()
    session = site.session
    old = session["_sign_in"] | {"used": (timezone.now() - timedelta(hours=2)).isoformat()}
    session["_sign_in"] = old
    session.save()
    began = Session.objects.get(user=alice).created
    site.get("/account/access/", REMOTE_ADDR="198.51.100.4")
    row = Session.objects.get(user=alice)
    assert timezone.now() - row.used_at < timedelta(minutes=1)
    assert (row.network, row.created) == ("198.51.100.0/24", began)


def test_what_has_ended_is_swept_away(alice, bob):
    sign_in()
    at_the_site()
    Token.objects.update(expiry=timezone.now())
    Session.objects.update(expire_date=timezone.now())
    other = client_of(bob)
    accounts.sweep()
    assert Session.objects.count() == 0
    assert Token.objects.get().user == bob
    assert is_signed_in(other)


# --- nothing to steal -------------------------------------------------------------------------


def test_neither_token_nor_key_of_a_session_is_in_the_database_or_the_log(alice, caplog):
    caplog.set_level(logging.DEBUG)
    phone, site = sign_in(), at_the_site()
    token = phone._credentials["HTTP_AUTHORIZATION"].removeprefix("Token ")
    key = site.cookies["sessionid"].value
    is_signed_in(phone)
    phone.get("/api/v1/recommendations/?limit=x")
    site.get("/account/access/")
    assert token.startswith("rec_")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT format('%I', table_name) FROM information_schema.tables"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        tables = [name for (name,) in cursor.fetchall()]
        assert len(tables) > 30
        for table in tables:
            cursor.execute(
                f"SELECT count(*) FROM {table} t WHERE strpos(t::text, %s) > 0"
                " OR strpos(t::text, %s) > 0",
                [token[15:], key],
            )
            assert cursor.fetchone() == (0,), table
    assert token not in caplog.text
    assert key not in caplog.text


def test_valkey_holds_no_token_and_no_address(alice, settings):
    from redis import Redis

    from recsite import rates

    settings.API_CALLS_A_MINUTE = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 1000
    rates.counter.asks_again_at = 0.0
    phone = sign_in(REMOTE_ADDR="203.0.113.77")
    is_signed_in(phone)
    token = phone._credentials["HTTP_AUTHORIZATION"].removeprefix("Token ")
    with Redis.from_url(settings.RATES_URL) as valkey:
        kept = [(key, valkey.dump(key) or b"") for key in valkey.scan_iter("*")]
    assert any(key.startswith(b"rate:") for key, _value in kept)
    for secret in (token, token[15:], "203.0.113", "alice"):
        assert not [key for key, value in kept if secret.encode() in key + value]


def test_a_token_is_taken_from_the_header_alone(alice):
    phone = sign_in()
    token = phone._credentials["HTTP_AUTHORIZATION"].removeprefix("Token ")
    nobody = APIClient()
    assert is_problem(nobody.get(f"/api/v1/feedback/?token={token}"), 401)
    nobody.cookies["token"] = nobody.cookies["Authorization"] = token
    assert is_problem(nobody.get("/api/v1/me/"), 401)


def test_the_list_of_a_guest_is_theirs(db):
    guest = client_of(guests.make_guest())
    assert [row["is_this"] for row in guest.get(LIST).json()["results"]] == [True]


def test_lines_of_the_log_name_nobody(alice, monkeypatch):
    written = io.StringIO()
    [console] = [h for h in logging.root.handlers if isinstance(h.formatter, LineFormatter)]
    monkeypatch.setattr(console, "stream", written)
    sign_in(REMOTE_ADDR="203.0.113.77")
    APIClient().post(
        "/api/v1/auth/login/", ALICE | {"password": "no"}, format="json",
        REMOTE_ADDR="203.0.113.77",
    )  # fmt: skip
    APIClient().post("/api/v1/auth/password/reset/", {"email": ALICE["email"]}, format="json")
    logging.getLogger("x").error("refused alice@example.org of 203.0.113.77")
    lines = written.getvalue()
    assert "auth/login/" in lines
    for name in ("alice@", "203.0.113.77", "rec_"):
        assert name not in lines


def test_the_admin_shows_no_sign_ins():
    assert not {Token, Session} & set(admin.site._registry)
