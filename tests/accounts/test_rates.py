"""How many calls of the API a minute, as Valkey counts them."""

import logging
import socket
import time

import pytest
from django.contrib.auth import get_user_model
from redis import Redis
from rest_framework.test import APIClient

from recsite import rates
from tests.api.test_errors import is_problem
from tests.conftest import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _counted(settings, monkeypatch):
    """From nothing, with a counter of one's own."""
    with Redis.from_url(settings.RATES_URL) as valkey:
        for key in valkey.scan_iter("rate:*"):
            valkey.delete(key)
    monkeypatch.setattr(rates, "counter", rates.Counter())
    settings.API_CALLS_A_MINUTE, settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 3, 100
    if time.time() % 60 > 55:
        time.sleep(61 - time.time() % 60)


def test_a_person_has_so_many_calls_by_all_tokens_together(alice, bob):
    phone, tablet = client_of(alice), client_of(alice)
    answers = [client.get("/api/v1/me/") for client in (phone, tablet, phone, tablet)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert is_problem(answers[3], 429)
    assert 0 < int(answers[3]["Retry-After"]) <= 60
    assert client_of(bob).get("/api/v1/me/").status_code == 200


def test_each_answer_says_what_is_left(as_alice):
    answer = as_alice.get("/api/v1/me/")
    assert answer["RateLimit-Policy"] == '"address";q=100;w=60, "person";q=3;w=60'
    address, person = answer["RateLimit"].split(", ")
    assert address.startswith('"address";r=99;t=')
    assert person.startswith('"person";r=2;t=')


def test_an_address_has_so_many_calls_whoever_makes_them(settings, django_assert_num_queries):
    settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 2
    nobody = APIClient()
    nobody.credentials(HTTP_AUTHORIZATION="Token rec_wrong")
    for _ in range(2):
        assert nobody.get("/api/v1/me/").status_code == 401
    # nothing is looked up for one call too many
    with django_assert_num_queries(0):
        answer = nobody.get("/api/v1/me/")
    assert is_problem(answer, 429)
    assert answer["RateLimit"].startswith('"address";r=0;t=')
    assert nobody.get("/api/v1/me/", REMOTE_ADDR="192.0.2.9").status_code == 401


def test_pages_and_health_are_not_counted(settings):
    settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 1
    for _ in range(3):
        answer = APIClient().get("/health/live")
        assert answer.status_code == 200
        assert "RateLimit" not in answer


def test_counting_makes_no_statement(as_alice, alice, django_assert_num_queries, settings):
    def statements(limit):
        settings.API_CALLS_A_MINUTE = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = limit
        from django.db import connection
        from django.test.utils import CaptureQueriesContext

        with CaptureQueriesContext(connection) as found:
            assert as_alice.get("/api/v1/me/").status_code == 200
        return len(found)

    assert statements(0) == statements(50)
    assert get_user_model().objects.count() == 1


def test_without_valkey_everybody_is_served_quickly_and_the_log_says_so(as_alice, settings, caplog):
    settings.API_CALLS_A_MINUTE = 1
    began = time.perf_counter()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,  # it takes a call and says nothing
        caplog.at_level(logging.WARNING, logger="recsite.rates"),
    ):
        settings.RATES_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/1"
        answers = [as_alice.get("/api/v1/me/") for _ in range(20)]
    assert {answer.status_code for answer in answers} == {200}
    assert "RateLimit" not in answers[0]
    # It is asked once, and then left alone for a while.
    assert [record.message[:21] for record in caplog.records] == ["calls are not counted"]
    assert time.perf_counter() - began < 10
