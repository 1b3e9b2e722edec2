"""A scratch database takes every query, and is gone afterwards, whatever happened."""

import pytest
from django.db import connection, connections

from catalog.models import User
from recommender.store import scratch
from recommender.store.scratch import scratch_database

pytestmark = pytest.mark.django_db(transaction=True)


def databases() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT datname FROM pg_database")
        return {name for (name,) in cursor.fetchall() if name.startswith(scratch.PREFIX)}


def test_what_is_written_inside_is_gone_even_after_an_interruption():
    site, names = connection.settings_dict["NAME"], []

    def write_and_be_interrupted():
        with scratch_database() as name:
            User.objects.create(name="somebody", source="x", external_id="1")
            names.append(name)
            assert name in databases()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_and_be_interrupted()
    assert not databases() & set(names)
    assert connection.settings_dict["NAME"] == site
    assert not User.objects.exists()


def test_a_connection_that_leads_elsewhere_is_noticed(monkeypatch):
    """A receiver that connects at the wrong moment would let everything go to the site."""
    connection.ensure_connection()
    monkeypatch.setattr(connections["default"], "close", lambda: None)
    with pytest.raises(RuntimeError, match="does not lead to"), scratch_database():
        pass  # not reached


def test_one_that_a_killed_run_left_is_dropped_and_one_at_work_is_not():
    keeper = connection.copy()
    names = {f"{scratch.PREFIX}{what}" for what in ("forgotten", "at_work")}
    try:
        with keeper.cursor() as cursor:
            for name in names:
                cursor.execute(f"CREATE DATABASE {name}")
            at_work = f"{scratch.PREFIX}at_work"
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [at_work])
            with scratch_database() as mine:
                assert databases() & {*names, mine} == {at_work, mine}
    finally:
        with keeper.cursor() as cursor:
            for name in names:
                cursor.execute(f"DROP DATABASE IF EXISTS {name}")
        keeper.close()
