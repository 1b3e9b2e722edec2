"""Clients of the pages, and a small catalogue to show on them."""

import pytest
from django.test import Client

from catalog.models import Item
from recommender import embed
from tests.factories import make_item

KINDS = ["crime", "comedy", "western", "romance", "horror"]


def make_films(number: int) -> list[Item]:
    """Films of five kinds, each with a director of its own, with vectors."""
    films = [
        make_item(
            f"{KINDS[n % 5].title()} at the {n}th mile",
            categories=[KINDS[n % 5]],
            creator=f"Director {n}",
        )
        for n in range(number)
    ]
    embed.embed_everything()
    return films


@pytest.fixture
def films(db) -> list[Item]:
    return make_films(30)


@pytest.fixture
def pair(db) -> list[Item]:
    """Two items where no list is looked at: much quicker than films."""
    return [make_item("One"), make_item("Two")]


@pytest.fixture
def visitor(db) -> Client:
    return Client()


@pytest.fixture
def web(alice) -> Client:
    """Alice, signed in."""
    client = Client()
    client.force_login(alice)
    return client


@pytest.fixture
def strict(alice) -> Client:
    """Alice, signed in, with the check of CSRF that a test client leaves out."""
    client = Client(enforce_csrf_checks=True)
    client.force_login(alice)
    return client
