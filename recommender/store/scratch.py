"""A database for one run, beside the site's own: made, migrated, and dropped when the run ends."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection

PREFIX = "medley_scratch_"


@contextmanager
def scratch_database() -> Iterator[str]:
    """Inside, every query goes to a new database, whose name this gives; then it is gone.

    Not for a transaction, nor for several threads. What a killed run left is dropped by the next
    one: each holds a lock of its database's name while it runs.
    """
    site = connection.settings_dict
    keeper = connection.copy()
    options = {name: value for name, value in site["OPTIONS"].items() if name != "pool"}
    keeper.settings_dict["OPTIONS"] = options
    name = f"{PREFIX}{secrets.token_hex(6)}"
    try:
        with keeper.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute("SET lock_timeout = 0")
            cursor.execute("SELECT pg_advisory_lock(hashtext(%s))", [name])
            _drop_forgotten(cursor)
            cursor.execute(f"CREATE DATABASE {name}")
            # Nothing here has to outlive a crash.
            cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        connection.close()  # now: receivers of the keeper's connecting may have opened it
        connection.settings_dict = {**site, "NAME": name, "OPTIONS": options}
        _check_where(name)
        call_command("migrate", verbosity=0, interactive=False, skip_checks=True)
        yield name
    finally:
        connection.close()
        connection.settings_dict = site
        keeper.close()  # after hours of silence it may be gone
        with keeper.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            cursor.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        keeper.close()


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
