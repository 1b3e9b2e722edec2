"""Which server answers the item side of a request: a replica that is fresh, else the primary.

All of a person is read and written on the primary, so that their last word counts in their next
list whichever process answers; and what a replica found is shown once the primary said that it
still may be. Only what looks through the catalogue is marked `item_side`.

How fresh a replica is, threads of each process ask beside the requests: one of them where the
primary's log ends, and one for each replica how much of it was replayed. A replica that has what
the primary had written at a moment is fresh as of it. So no clock but our own is needed, and one
that is paused, cut off or frozen ages while nothing is heard of it.
"""

import functools
import logging
import os
import random
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

import psycopg
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, OperationalError, connections
from psycopg.pq import ExecStatus

from recommender.store.sql import EF_SEARCH, SCAN_TUPLES

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)
LEFT_OUT_SECONDS = 10.0  # a replica of which a statement failed
SAMPLES = 600  # of the primary's log that are kept
TIMED_OUT = "57014"
CONFLICT = "40001"  # a replica that has to replay takes rows from under a long statement
# Of the vector search, as people.person_side() sets them in its transaction on the primary.
SCAN = (
    f" -c hnsw.iterative_scan=relaxed_order -c hnsw.ef_search={EF_SEARCH}"
    f" -c hnsw.max_scan_tuples={SCAN_TUPLES}"
)
WRITTEN = "SELECT pg_current_wal_lsn() - '0/0'"
# A pooler that drops the options of a connection would search with others: no replica for us. Nor
# is one that was promoted, which may go on where the primary did not.
REPLAYED = (
    "SELECT CASE WHEN pg_is_in_recovery()"
    " AND current_setting('hnsw.iterative_scan', true) = 'relaxed_order'"
    " THEN pg_last_wal_replay_lsn() - '0/0' END"
)


def prepare() -> None:
    """Give connections to replicas the settings of the vector search, before there are any."""
    for alias in settings.REPLICAS:
        connections.settings[alias]["OPTIONS"]["options"] += SCAN


# --- where a request reads ------------------------------------------------------------------------


@dataclass
class _Turn:
    """One request: the server that it chose at its first reading."""

    alias: str | None = None


_turn: ContextVar[_Turn | None] = ContextVar("turn", default=None)


@contextmanager
def may_be_used() -> Iterator[None]:
    """What is of the item side inside may be read on a replica; elsewhere nothing is."""
    token = _turn.set(_Turn())
    try:
        yield
    finally:
        _turn.reset(token)


def reader():
    """The connection for a statement of the item side."""
    turn = _turn.get()
    if turn is None or not settings.REPLICAS:
        return connections[DEFAULT_DB_ALIAS]
    if turn.alias is None:
        turn.alias = watch().choose() or DEFAULT_DB_ALIAS
    return connections[turn.alias]


def item_side(read: Callable[P, T]) -> Callable[P, T]:
    """Mark a function whose statements, on `reader()`, ask about items alone.

    What fails on a replica is asked of the primary, by which the request stays from then on.
    """

    @functools.wraps(read)
    def where_it_can_be_read(*args: P.args, **kwargs: P.kwargs) -> T:
        while (link := reader()).alias != DEFAULT_DB_ALIAS:
            was_open = link.connection is not None
            try:
                with watch().in_use(link):
                    return read(*args, **kwargs)
            except (DatabaseError, InterfaceError) as error:
                if getattr(error.__cause__, "sqlstate", None) == TIMED_OUT:
                    raise
                _give_up(link, error, was_open)
        return read(*args, **kwargs)

    return where_it_can_be_read


def _give_up(link, error: Exception, was_open: bool) -> None:
    """Close a connection that failed, and go to the primary, unless it was merely left from before
    the server was started again: then another is made."""
    link.close()
    state = getattr(error.__cause__, "sqlstate", None)
    is_lost = isinstance(error, OperationalError | InterfaceError) and state != CONFLICT
    if is_lost and was_open and watch().is_fresh(link.alias):
        return
    log.warning("%s did not answer, the primary does: %s", link.alias, error)
    if is_lost:
        watch().leave_out(link.alias)
    stay_on_primary()


def on_primary() -> bool:
    return reader().alias == DEFAULT_DB_ALIAS


def stay_on_primary() -> None:
    """Read the rest of this request there: what is asked about is newer than the replica."""
    _turn.get().alias = DEFAULT_DB_ALIAS


# --- how fresh replicas are -----------------------------------------------------------------------


class Freshness:
    """As of when each replica has all that the primary had written, by one clock of seconds.

    >>> known = Freshness(["replica1"], lag_seconds=5)
    >>> known.wrote(100.0, position=7_000)
    >>> known.wrote(101.0, position=8_000)
    >>> known.replayed("replica1", position=7_500)  # what was written at 100 s, and not all of 101
    >>> known.behind("replica1", now=103.0), known.fresh(now=103.0), known.fresh(now=106.0)
    (3.0, ['replica1'], [])
    """

    def __init__(self, aliases: list[str], lag_seconds: float) -> None:
        self.lag_seconds = lag_seconds
        self._written: deque[tuple[float, int]] = deque(maxlen=SAMPLES)
        self._as_of = dict.fromkeys(aliases, float("-inf"))
        self._left_out_until = dict.fromkeys(aliases, float("-inf"))

    def wrote(self, moment: float, position: int) -> None:
        """The primary's log ended there; call in the order of time."""
        self._written.append((moment, position))

    def replayed(self, alias: str, position: int) -> None:
        moments = [moment for moment, end in [*self._written] if end <= position]
        self._as_of[alias] = max(moments, default=self._as_of[alias])

    def leave_out(self, alias: str, until: float) -> None:
        self._left_out_until[alias] = until

    def behind(self, alias: str, now: float) -> float:
        """Seconds, infinite where nothing is known yet."""
        return now - self._as_of[alias]

    def is_fresh(self, alias: str, now: float) -> bool:
        return self.behind(alias, now) <= self.lag_seconds and now >= self._left_out_until[alias]

    def fresh(self, now: float) -> list[str]:
        return [alias for alias in self._as_of if self.is_fresh(alias, now)]


@dataclass(frozen=True)
class State:
    """One replica as this process sees it."""

    name: str
    is_used: bool
    behind_seconds: float | None  # None where nothing is known


class Watch:
    """Asks about replicas, a thread a server, in the process in which it is first asked."""

    def __init__(self, aliases: list[str], lag_seconds: float) -> None:
        self.known = Freshness(aliases, lag_seconds)
        self.every_seconds = min(1.0, lag_seconds / 4)
        self._aliases = aliases
        self._in_use: dict[str, set] = {alias: set() for alias in aliases}
        self._lock = threading.Lock()
        self._process: int | None = None

    def choose(self) -> str | None:
        """One of the fresh replicas."""
        self.begin()
        fresh = self.known.fresh(time.monotonic())
        return random.choice(fresh) if fresh else None

    def is_fresh(self, alias: str) -> bool:
        return self.known.is_fresh(alias, time.monotonic())

    def states(self) -> list[State]:
        self.begin()
        now = time.monotonic()
        behind = {alias: self.known.behind(alias, now) for alias in self._aliases}
        return [
            State(
                alias,
                self.known.is_fresh(alias, now),
                None if seconds == float("inf") else round(seconds, 1),
            )
            for alias, seconds in behind.items()
        ]

    def leave_out(self, alias: str) -> None:
        self.known.leave_out(alias, time.monotonic() + LEFT_OUT_SECONDS)

    @contextmanager
    def in_use(self, link) -> Iterator[None]:
        """A request waits for this connection, which is cut if the replica falls silent."""
        with self._lock:
            self._in_use[link.alias].add(link)
        try:
            yield
        finally:
            with self._lock:
                self._in_use[link.alias].discard(link)

    def begin(self) -> None:
        if self._process == os.getpid():
            return
        with self._lock:
            if self._process != os.getpid():  # threads do not follow into a child
                self._process = os.getpid()
                for alias in (DEFAULT_DB_ALIAS, *self._aliases):
                    threading.Thread(target=self._ask_for_ever, args=[alias], daemon=True).start()

    def _ask_for_ever(self, alias: str) -> None:
        wire, was_used = Wire(alias), False
        while True:
            begun = time.monotonic()
            try:
                self._ask(alias, wire, begun)
            except Exception as error:  # of any kind: a watch that ended would use no replica again
                wire.close()
                log.debug("%s cannot be asked: %s", alias, error)
            if alias != DEFAULT_DB_ALIAS:
                now = time.monotonic()
                if (is_used := self.known.is_fresh(alias, now)) != was_used:
                    log.warning("%s is %s", alias, "used" if is_used else "left out")
                    was_used = is_used
                if not is_used:
                    self._cut(alias)
            time.sleep(max(0.0, self.every_seconds - (time.monotonic() - begun)))

    def _ask(self, alias: str, wire: "Wire", now: float) -> None:
        if alias == DEFAULT_DB_ALIAS:
            if (position := wire.number(WRITTEN, self.every_seconds)) is not None:
                self.known.wrote(now, position)
        elif (position := wire.number(REPLAYED, self.every_seconds)) is not None:
            self.known.replayed(alias, position)

    def _cut(self, alias: str) -> None:
        """End the waiting of requests for a server that does not say a word, as no time-out of its
        own would. They go on with the primary."""
        if self.known.behind(alias, time.monotonic()) == float("inf"):
            return
        with self._lock:
            for link in self._in_use[alias]:
                with (
                    suppress(OSError, psycopg.Error, AttributeError),  # it has ended, or not begun
                    socket.socket(fileno=os.dup(link.connection.fileno())) as plug,
                ):
                    plug.shutdown(socket.SHUT_RDWR)


class Wire:
    """A connection of the watch's own, that waits no longer than it is told."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._link: psycopg.Connection | None = None

    def number(self, statement: str, seconds: float) -> int | None:
        """A row of one number. Raises psycopg.Error, TimeoutError."""
        if self._link is None:
            wrapper = connections.create_connection(self._alias)
            self._link = psycopg.connect(**wrapper.get_connection_params(), autocommit=True)
        wire = self._link.pgconn
        wire.send_query(statement.encode())
        wire.flush()
        heard = select.poll()
        heard.register(wire.socket, select.POLLIN)
        until = time.monotonic() + seconds
        while wire.is_busy():
            if not heard.poll(1000 * max(0.0, until - time.monotonic())):
                raise TimeoutError(f"no answer in {seconds} s")
            wire.consume_input()
        result = wire.get_result()
        while wire.get_result():
            pass
        if result.status != ExecStatus.TUPLES_OK:
            raise psycopg.OperationalError(result.error_message.decode(errors="replace"))
        value = result.get_value(0, 0)
        return None if value is None else int(value)

    def close(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None


@functools.cache
def watch() -> Watch:
    return Watch(settings.REPLICAS, settings.REPLICA_LAG_SECONDS)


def states() -> list[State]:
    """Of each replica; none where none is set."""
    return watch().states() if settings.REPLICAS else []
