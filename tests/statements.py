"""Statements as they can be explained: with the values that go to the server beside them."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from psycopg import ClientCursor


@contextmanager
def noted(part: str) -> Iterator[list[str]]:
    """Those that have this part, in the order in which they were sent."""
    sent: list[str] = []

    def note(execute, sql, params, many, context):
        if part in sql:
            sent.append(ClientCursor(connection.connection).mogrify(sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        yield sent
