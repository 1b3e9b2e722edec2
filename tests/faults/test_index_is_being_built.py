"""While the index of a space is built, or is not there, lists are as long and somewhat slower."""

import threading
import time

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection

from bench import catalogue
from catalog.models import User
from recommender import embed, store
from tests.conftest import client_of

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

SECONDS = 5  # that a list may take: the first of a process, on a machine at work


@pytest.fixture
def space():
    """3,000 items whose index is not there."""
    space = catalogue.fill(3_000, n_people=3)
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX {store.Space(space.id, space.dimension).index}")
    return space


def length_of_a_list() -> int:
    client = client_of(User.objects.filter(kind="imported").first())
    begun = time.monotonic()
    response = client.get("/api/v1/recommendations/?limit=20")
    assert response.status_code == 200, response.content
    assert time.monotonic() - begun < SECONDS
    return len(response.json()["results"])


def test_a_build_in_progress_is_told_and_shortens_no_list_and_is_done_again_when_cancelled(
    space, capsys
):
    assert store.index_state(space) == "missing"
    assert length_of_a_list() == 20

    ended: list[BaseException] = []

    def build():
        try:
            # So much work for each vector that the list below comes in the middle of it.
            store.build_index(space, ef_construction=1_000)
        except OperationalError as cancelled:
            ended.append(cancelled)
        finally:
            connection.close()

    building = threading.Thread(target=build)
    building.start()
    with connection.cursor() as cursor:
        pid = None
        while building.is_alive() and pid is None:
            cursor.execute("SELECT pid FROM pg_stat_progress_create_index WHERE tuples_done > 0")
            pid = (cursor.fetchone() or [None])[0]
        assert store.index_state(space) == "building"
        call_command("spaces", "list")
        with pytest.raises(embed.Unready, match="is being built"):
            embed.switch(space)
        store.build_index(space)  # leaves it to the other
        assert "index building" in capsys.readouterr().out
        assert length_of_a_list() == 20
        assert building.is_alive(), "the list came while it was built"
        cursor.execute("SELECT pg_cancel_backend(%s)", [pid])
    building.join(30)
    assert "canceling statement due to user request" in str(ended[0])

    assert store.index_state(space) == "invalid"
    assert length_of_a_list() == 20
    store.build_index(space)
    assert store.index_state(space) == "valid"
