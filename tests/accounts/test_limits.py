"""Guesses: few, counted before the password is looked at, by every door together."""

import json
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.db import connection, connections
from django.test import Client, RequestFactory
from rest_framework.test import APIClient

from catalog import accounts, addresses, limits
from catalog.models import Allowance
from tests.api.test_errors import is_problem
from tests.conftest import client_of
from tests.factories import make_person

LOGIN = "/api/v1/auth/login/"
RIGHT = "a password of alice"


def guess(password="wrong", email="alice@example.org", address="192.0.2.1", **extra):
    body = {"email": email, "password": password}
    return APIClient().post(LOGIN, body, format="json", REMOTE_ADDR=address, **extra)


class Counting(MD5PasswordHasher):
    """Says how many passwords were looked at."""

    algorithm = "md5"
    looked = 0
    lock = threading.Lock()

    def encode(self, password, salt):
        with self.lock:
            type(self).looked += 1
        time.sleep(0.05)  # as long as a real one: the guesses overlap
        return super().encode(password, salt)


@pytest.fixture
def looks(settings):
    """Make alice afterwards, or the count has hers."""
    settings.PASSWORD_HASHERS = ["tests.accounts.test_limits.Counting"]
    Counting.looked = 0
    return lambda: Counting.looked


# --- one door ---------------------------------------------------------------------------------


def test_ten_guesses_from_one_address_then_none_and_when_to_come_back(alice):
    assert [guess().status_code for _ in range(11)] == [401] * 10 + [429]
    answer = guess(RIGHT)
    assert is_problem(answer, 429)  # the right one is not looked at either
    assert 0 < int(answer["Retry-After"]) <= 900


def test_the_person_gets_in_from_elsewhere_meanwhile(alice):
    for _ in range(12):
        guess()
    assert guess(RIGHT, address="192.0.2.2").status_code == 201


def test_no_account_is_told_from_one_by_its_limit(alice):
    known = [guess().status_code for _ in range(12)]
    unknown = [guess(email="nobody@example.org").status_code for _ in range(12)]
    assert known == unknown


def test_the_letters_of_an_address_give_no_more_guesses(alice):
    for n in range(10):
        guess(email="ALICE@example.org" if n % 2 else "alice@example.org")
    assert guess(email="Alice@Example.org").status_code == 429


def test_who_knows_the_password_spends_nothing(alice):
    assert {guess(RIGHT).status_code for _ in range(12)} == {201}


def test_an_address_has_so_many_tries_an_hour_at_whomever(db, settings):
    settings.SIGN_INS_AN_HOUR = 15
    codes = [guess(email=f"somebody{n}@example.org").status_code for n in range(16)]
    assert codes == [401] * 15 + [429]
    assert guess(email="somebody@example.org", address="192.0.2.9").status_code == 401


def test_who_guesses_from_everywhere_is_slowed_and_nobody_is_shut_out(alice, monkeypatch):
    monkeypatch.setattr(limits, "GUESSES_AT_ONE", limits.Allowed("guesses", 12, 86_400))
    for n in range(12):
        guess(address=f"198.51.{n}.1")
    codes = [guess(address="203.0.113.5").status_code for _ in range(3)]
    assert codes == [401, 401, 429]
    assert guess(RIGHT, address="203.0.113.6").status_code == 201


def test_after_a_while_an_allowance_is_whole_again(alice):
    for _ in range(11):
        guess()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_allowance SET whole_at = now()")
    assert guess(RIGHT).status_code == 201


def test_what_is_whole_again_is_forgotten(alice):
    guess()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE catalog_allowance SET whole_at = now()")
    accounts.sweep()
    assert Allowance.objects.count() == 0


def test_the_table_says_neither_who_nor_from_where(alice):
    guess()
    kept = [bytes(key) for key in Allowance.objects.values_list("key", flat=True)]
    assert len(kept) == 3
    assert not any(b"alice" in key or b"192.0" in key for key in kept)


def test_beyond_the_allowance_no_password_is_looked_at(db, looks):
    make_person("alice")
    before = looks()
    for _ in range(13):
        guess()
    assert looks() - before == 10


# --- all doors together -----------------------------------------------------------------------


def at_the_site(n):
    body = {"username": "alice@example.org", "password": f"wrong {n}"}
    return Client().post("/sign-in/", body, REMOTE_ADDR="192.0.2.1")


def at_the_admin(n):
    return Client().post(
        "/sign-in/?next=/operate/",
        {"username": "alice@example.org", "password": f"wrong {n}"},
        REMOTE_ADDR="192.0.2.1",
    )


def test_the_doors_share_one_allowance(alice):
    for n in range(4):
        assert guess(f"wrong {n}").status_code == 401
        assert at_the_site(n).status_code == 200
    assert at_the_admin(1).status_code == 200
    phone = client_of(alice)
    body = {"current": "wrong", "new": "quite another password"}
    changed = phone.post("/api/v1/auth/password/", body, format="json", REMOTE_ADDR="192.0.2.1")
    assert changed.status_code == 400
    assert guess().status_code == 429
    page = at_the_site(5)
    assert page.status_code == 429
    assert "Too many tries. Please wait a while." in page.content.decode()
    assert phone.post(
        "/api/v1/auth/password/", body, format="json", REMOTE_ADDR="192.0.2.1"
    ).status_code == 429  # fmt: skip


def test_the_admin_has_no_sign_in_of_its_own(alice, settings):
    answer = Client().post(
        f"/{settings.ADMIN_PATH}login/", {"username": "alice@example.org", "password": RIGHT}
    )
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/?next=")


def test_requests_for_a_new_password_are_limited_by_address_and_answered_alike(alice, settings):
    settings.SIGN_INS_AN_HOUR = 3
    for email in ("alice@example.org", "nobody@example.org"):
        codes = [
            APIClient()
            .post("/api/v1/auth/password/reset/", {"email": email}, format="json",
                  REMOTE_ADDR=f"192.0.2.{len(email)}")
            .status_code
            for _ in range(4)
        ]  # fmt: skip
        assert codes == [202, 202, 202, 429]


def test_it_holds_without_valkey(alice, settings):
    settings.CACHES = {"default": settings.CACHES["default"] | {"LOCATION": "redis://127.0.0.1:1"}}
    settings.API_CALLS_A_MINUTE = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 100
    from recsite import rates

    rates.counter.__dict__.pop("valkey", None)
    settings.RATES_URL = "redis://127.0.0.1:1/1"
    try:
        assert [guess().status_code for _ in range(11)] == [401] * 10 + [429]
    finally:
        rates.counter.__init__()
        rates.counter.__dict__.pop("valkey", None)


# --- where from -------------------------------------------------------------------------------


def request_from(address, forwarded=""):
    return RequestFactory().get("/", REMOTE_ADDR=address, HTTP_X_FORWARDED_FOR=forwarded)


@pytest.mark.parametrize(
    ("proxies", "forwarded", "found"),
    [
        (0, "203.0.113.1", "192.0.2.1"),  # whoever writes the header is not believed
        (1, "203.0.113.1", "203.0.113.1"),
        (1, "6.6.6.6, 203.0.113.1", "203.0.113.1"),
        (2, "6.6.6.6, 203.0.113.1, 10.0.0.1", "203.0.113.1"),
        (2, "203.0.113.1", "192.0.2.1"),  # it did not come through both
        (1, "nonsense", ""),
        (1, "", ""),
        (1, "::ffff:203.0.113.1", "203.0.113.1"),
        (1, "2001:db8::7", "2001:db8::/64"),
    ],
)
def test_an_address_is_believed_as_far_as_our_own_proxies_say_it(
    settings, proxies, forwarded, found
):
    settings.TRUSTED_PROXIES = proxies
    assert addresses.client_address(request_from("192.0.2.1", forwarded)) == found


def test_a_forged_header_gives_no_more_guesses(alice):
    codes = [guess(HTTP_X_FORWARDED_FOR=f"203.0.113.{n}").status_code for n in range(11)]
    assert codes[-1] == 429


def test_a_household_of_ipv6_is_one_address(alice):
    codes = [guess(address=f"2001:db8::{n:x}").status_code for n in range(11)]
    assert codes[-1] == 429


# --- at once ----------------------------------------------------------------------------------


def together(number: int, work) -> list:
    def one(n):
        try:
            return work(n)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(one, range(number)))


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "door", [lambda n: guess(f"wrong {n}"), at_the_site, at_the_admin], ids=["API", "site", "admin"]
)
def test_of_two_hundred_guesses_at_once_ten_are_looked_at(looks, door):
    make_person("alice")
    before = looks()
    codes = [answer.status_code for answer in together(200, door)]
    assert looks() - before <= 10
    assert codes.count(429) == 190


@pytest.mark.django_db(transaction=True)
def test_guesses_that_come_at_once_are_not_all_the_last_one_allowed():
    allowed = limits.Allowed("test", 10, 60)

    def spend(n):
        try:
            limits.spend((allowed, "somebody"))
        except limits.TooMany:
            return False
        return True

    assert sum(together(60, spend)) == 10


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_known_and_unknown_take_the_same_time(alice, settings):
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
    alice.set_password(RIGHT)
    alice.save()
    took = {"alice@example.org": [], "nobody@example.org": []}
    for n in range(100):
        for email, times in took.items():
            began = time.perf_counter()
            assert guess(email=email, address=f"198.51.{n}.1").status_code == 401
            times.append(time.perf_counter() - began)
    known, unknown = (statistics.median(times) for times in took.values())
    print(json.dumps({"known_ms": known * 1000, "unknown_ms": unknown * 1000}))
    assert abs(known - unknown) / unknown < 0.1
