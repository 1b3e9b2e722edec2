"""Months of served lists: partitions by ranges of the id, which begins with its moment.

A month that is too old is dropped as one, and no row of it is touched. What no month has is caught
by the default partition, from which the next month made takes what is its own.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from catalog.uuid7 import first_id, moment_of

TABLE = "recommender_served"
DEFAULT = f"{TABLE}_default"
AHEAD = 3  # months that are made before they come


@dataclass(frozen=True)
class Partition:
    """A part of the served lists."""

    name: str
    begins: datetime | None  # None: all that was before
    ends: datetime | None  # None: what no other part has
    lists: int  # as the last ANALYZE counted them
    bytes: int  # with indexes


def partitions() -> list[Partition]:
    """All there are, the oldest first and the default last; none of a table that is not parted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, pg_get_expr(c.relpartbound, c.oid),"
            " greatest(c.reltuples, 0)::bigint, pg_total_relation_size(c.oid)"
            " FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass",
            [TABLE],
        )
        found = [
            Partition(name, *_bounds(bound), lists, size)
            for name, bound, lists, size in cursor.fetchall()
        ]
    return sorted(found, key=lambda part: part.ends or datetime.max.replace(tzinfo=UTC))


def _bounds(text: str) -> tuple[datetime | None, datetime | None]:
    """From what Postgres says: FOR VALUES FROM ('…') TO ('…'), MINVALUE without a beginning."""
    ids = re.findall(r"'([0-9a-f-]{36})'", text)
    ends = moment_of(ids[-1]) if ids else None
    return (moment_of(ids[0]) if len(ids) == 2 else None), ends


def month_of(moment: datetime, later: int = 0) -> datetime:
    """When the month of a moment began, or so many months later.

    >>> month_of(datetime(2026, 11, 24, tzinfo=UTC), 2).isoformat()
    '2027-01-01T00:00:00+00:00'
    """
    number = moment.year * 12 + moment.month - 1 + later
    return datetime(number // 12, number % 12 + 1, 1, tzinfo=UTC)


def make_partitions(now: datetime | None = None) -> list[str]:
    """This month and the next AHEAD, where they are missing; names of those that were made."""
    now, made = now or datetime.now(UTC), []
    wanted = [month_of(now, later) for later in range(AHEAD + 1)]
    if not _missing(wanted):
        return made
    with transaction.atomic(), connection.cursor() as cursor:
        # One at a time; whoever reads or writes lists goes on.
        cursor.execute(f"LOCK TABLE {TABLE} IN SHARE UPDATE EXCLUSIVE MODE")
        for begins in _missing(wanted):
            ends, name = month_of(begins, 1), f"{TABLE}_{begins:%Y_%m}"
            low, high = first_id(begins), first_id(ends)
            cursor.execute(f"CREATE TABLE {name} (LIKE {TABLE} INCLUDING DEFAULTS)")
            cursor.execute(
                f"WITH moved AS (DELETE FROM {DEFAULT} WHERE id >= %s AND id < %s RETURNING *)"
                f" INSERT INTO {name} SELECT * FROM moved",
                [low, high],
            )
            cursor.execute(
                f"ALTER TABLE {TABLE} ATTACH PARTITION {name}"
                f" FOR VALUES FROM ('{low}') TO ('{high}')"
            )
            made.append(name)
    return made


def _missing(months: list[datetime]) -> list[datetime]:
    """Those of which no part has anything; none where there are no parts."""
    there = partitions()
    return [
        month
        for month in months
        if there
        and all(
            part.ends is None or part.ends <= month or (part.begins and part.begins > month)
            for part in there
        )
    ]


def older_than(days: float, now: datetime | None = None) -> list[Partition]:
    """Parts of which every list is older than so many days."""
    before = (now or datetime.now(UTC)) - timedelta(days=days)
    return [part for part in partitions() if part.ends and part.ends <= before]


def drop_partitions(parts: list[Partition]) -> None:
    """Forget these lists for good, and what was seen of them and not since."""
    for part in parts:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute(f"DROP TABLE {part.name}")
            cursor.execute(
                "DELETE FROM recommender_seenplaces WHERE list_id < %s", [first_id(part.ends)]
            )
            cursor.execute("DELETE FROM recommender_seenitem WHERE last_at < %s", [part.ends])


def keep_partitions(days: float | None) -> None:
    """What the sweep does: months ahead are there, and those too old are not; None keeps all."""
    make_partitions()
    if days is not None:
        drop_partitions(older_than(days))
