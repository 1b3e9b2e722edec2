"""Fixtures of all tests: items that are embedded without a model, people, clients."""

from collections.abc import Iterator
from contextlib import suppress

import hypothesis
import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from redis import Redis, RedisError
from rest_framework.test import APIClient

from recommender import encoders
from recsite.wsgi import application
from tests.api import contract
from tests.factories import make_person

# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("medley", deadline=None)
hypothesis.settings.load_profile("medley")


@pytest.fixture(autouse=True)
def _in_english() -> Iterator[None]:
    """A request leaves its language to whatever comes after it in the same thread."""
    with translation.override("en"):
        yield


@pytest.fixture(autouse=True)
def _no_model(settings):
    """Tests use the hashing encoder unless they say otherwise: similar words, near vectors.

    And no place of a list is left to chance.
    """
    settings.EXPLORATION_SHARE = settings.ROTATION = 0.0
    settings.SHARED_LISTS_SECONDS = 0  # and no list is a moment old
    # All tests come from one address.
    settings.SIGN_INS_AN_HOUR = settings.NEW_ACCOUNTS_AN_HOUR = 100_000
    settings.API_CALLS_A_MINUTE = settings.API_CALLS_A_MINUTE_FROM_ONE_ADDRESS = 0
    settings.NEW_ACCOUNT_HOURS = 0  # people made here count at once
    settings.EMBEDDING_BACKEND = "hashing"
    settings.EMBEDDING_MODEL = "hashing"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.SECURE_SSL_REDIRECT = False
    encoders._loaded.clear()


@pytest.fixture(autouse=True, scope="session")
def _nothing_shared_from_before() -> None:
    """The database is new, and ids begin again."""
    with suppress(RedisError), Redis.from_url(settings.SHARED_URL) as valkey:
        for key in valkey.scan_iter("shared:*"):
            valkey.delete(key)


@pytest.fixture(autouse=True, scope="session")
def _answers_are_as_the_schema_says() -> Iterator[None]:
    """Whatever a test asks of the API, it fails for an answer that the schema does not have."""
    answered = Client.request

    def request(self, **environ):
        response = answered(self, **environ)
        method, address = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        fault = contract.faults_of(method, address, response)
        assert fault is None, f"{method} {address}: {fault}"
        return response

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Client, "request", request)
        # Read as the site reads it.
        patched.setattr("django.test.client.WSGIRequest", application.request_class)
        yield


def client_of(user) -> APIClient:
    from knox.models import get_token_model

    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {get_token_model().objects.create(user=user)[1]}")
    return client


@pytest.fixture
def alice(db):
    return make_person("alice")


@pytest.fixture
def bob(db):
    return make_person("bob")


@pytest.fixture
def as_alice(alice) -> APIClient:
    return client_of(alice)


@pytest.fixture
def as_bob(bob) -> APIClient:
    return client_of(bob)
