"""A database for one run, beside the site's own: made, migrated, and dropped when the run ends."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection

PREFIX = "medley_scratch_"


@contextmanager
def scratch_database() -> Iterator[str]:
    """Inside, what this process connects to is a new database, whose name this gives.

    Not for use inside a transaction. At the end the database is dropped, whoever still uses it.
    What a killed run left is dropped by the next one: each holds a lock of its database's name.
    """
    name = f"{PREFIX}{secrets.token_hex(6)}"
    keeper = connection.copy()
    keeper.settings_dict["OPTIONS"].pop("pool", None)
    options = connection.settings_dict["OPTIONS"]
    site = {"NAME": connection.settings_dict["NAME"], "OPTIONS": options}
    try:
        with keeper.cursor() as cursor:
            _be_patient(cursor)
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            _drop_forgotten(cursor)
            cursor.execute(f"CREATE DATABASE {name}")
            # Nothing here has to outlive a crash.
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.close()  # now: receivers of the keeper's connecting may have opened it
        connection.settings_dict.update(NAME=name, OPTIONS=keeper.settings_dict["OPTIONS"])
        _check_where(name)
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        yield name
    finally:
        connection.close()
        connection.settings_dict.update(site)
        keeper.close()  # after hours of silence it may be gone
        with keeper.cursor() as cursor:
            _be_patient(cursor)
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        keeper.close()


def _be_patient(cursor) -> None:
    cursor.execute("SET statement_timeout = 0")
    cursor.execute("SET lock_timeout = 0")


def _check_where(name: str) -> None:
    """What follows must never go to the site's database."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        if cursor.fetchone()[0] != name:
            raise RuntimeError(f"the connection does not lead to {name}")


def _drop_forgotten(cursor) -> None:
    cursor.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [PREFIX])
    for (name,) in cursor.fetchall():
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s))", [name])
        if cursor.fetchone()[0]:
            cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            cursor.execute("SELECT pg_advisory_unlock(hashtext(%s))", [name])
