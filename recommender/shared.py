"""What is the same for everybody and dear to make, kept for a while in Valkey.

Never whose it is, nor what a person typed: a key is an HMAC under the key of this site. Never the
right to be shown either: ids and ranks are kept, and the statement that shows them asks again.

Each kind has so many slots, since the broker lies in the same memory and must not be pushed out: a
value bears the whole digest of what it is of, and two of one slot take turns. What was kept longer
than it is fresh is served on while one reader makes it anew; where there is nothing yet, one makes
it and the others wait a little. Without Valkey each makes it for itself.
"""

import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

from django.conf import settings
from django.db import connection
from django.utils.crypto import salted_hmac
from redis import Redis, RedisError

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT_SECONDS = 0.2  # less would take a busy process for a silent Valkey
PAUSE_SECONDS = 5.0  # in which a Valkey that did not answer is left alone
LOCK_SECONDS = 5  # until the lock of one who died is free
WAIT_SECONDS = 0.2  # for another's first value
POLL_SECONDS = 0.01
TELL_SECONDS = 5.0  # between two additions to the common counts
COUNTS = "shared:counts"
# hit, stale, miss or without (Valkey) is counted for each reading; besides, computed and damaged.
OUTCOMES = ("hit", "stale", "miss", "without", "computed", "damaged")


class Away(Exception):
    """Valkey does not answer, or did not a moment ago."""


class Valkey:
    """Asked briefly, and after a failure not for a while: a silent one costs one wait, not many."""

    def __init__(self) -> None:
        self._asks_again_at = 0.0
        self._client: Redis | None = None

    def ask(self, question: Callable[[Redis], T]) -> T:
        """Raises Away."""
        if time.monotonic() < self._asks_again_at:
            raise Away
        try:
            if self._client is None:
                self._client = Redis.from_url(
                    settings.SHARED_URL,
                    socket_timeout=TIMEOUT_SECONDS,
                    socket_connect_timeout=TIMEOUT_SECONDS,
                )
            return question(self._client)
        except RedisError as error:
            self._asks_again_at = time.monotonic() + PAUSE_SECONDS
            log.warning("nothing is shared, Valkey does not answer: %s", error)
            raise Away from error


valkey = Valkey()


@dataclass(frozen=True)
class Shared:
    """One kind of values."""

    name: str
    slots: int  # how many are kept at most
    kept_seconds: float
    shape: int = 1  # another, where older code could not read what is kept: both may run at once

    def get(
        self,
        of: Sequence[str | int],
        compute: Callable[[], T],
        *,
        fresh_seconds: float,
        dump: Callable[[T], bytes],
        load: Callable[[bytes], T],
    ) -> T:
        """The value of something, as it was kept or made anew.

        of             all that it depends on
        compute        what it raises is raised, and nothing is kept
        fresh_seconds  after which one reader makes it anew; the others get the former meanwhile
        load           ValueError for what was not dumped so
        """
        digest = self._digest(of)
        key = f"shared:{self.name}:{self.shape}:{int.from_bytes(digest[:8]) % self.slots}"
        lock = f"shared:{self.name}:{self.shape}:lock:{digest.hex()}"
        fresh = 1000 * (self.kept_seconds - fresh_seconds)  # ms that are left of it, or more
        waits_until = time.monotonic() + WAIT_SECONDS
        outcome = "hit"
        try:
            while True:
                found, left = self._held(key, digest, load)
                if found and left > fresh:
                    self._count(outcome)
                    return found[0]
                if valkey.ask(lambda v: v.set(lock, 1, nx=True, ex=LOCK_SECONDS)):
                    # Another may have made it and freed the lock between the two.
                    found, left = self._held(key, digest, load)
                    if not found or left <= fresh:
                        break
                    self._let_go(lock)
                    self._count(outcome)
                    return found[0]
                if found:
                    self._count("stale")
                    return found[0]
                outcome = "miss"
                if time.monotonic() > waits_until:
                    self._count("miss", "computed")
                    return compute()
                time.sleep(POLL_SECONDS)
        except Away:
            self._count("without", "computed")
            return compute()
        self._count("miss", "computed")
        try:
            value = compute()
            kept = digest + dump(value)
        except BaseException:
            self._let_go(lock)
            raise
        # Had it taken longer than the lock lasts, that of another would be freed here, and somebody
        # might make the value once more, which does no harm.
        self._let_go(lock, key, kept)
        return value

    def _let_go(self, lock: str, key: str = "", kept: bytes | None = None) -> None:
        """Free the lock, and keep what was made under it."""
        with suppress(Away):  # then the lock frees itself
            valkey.ask(lambda v: _write(v, key, kept, self.kept_seconds, lock))

    def _held(
        self, key: str, digest: bytes, load: Callable[[bytes], T]
    ) -> tuple[tuple[T] | None, int]:
        """The value if it is there, of this and no other thing, and can be read; and for how many
        milliseconds more. Raises Away."""
        held, left = valkey.ask(lambda v: _read(v, key))
        if not isinstance(held, bytes) or not held.startswith(digest):
            return None, 0
        try:
            return (load(held[len(digest) :]),), left
        except ValueError:
            self._count("damaged")
            return None, 0

    def _digest(self, of: Sequence[str | int]) -> bytes:
        # With the name of the database: ids of another are other things.
        text = json.dumps([self.name, connection.settings_dict["NAME"], *of])
        return salted_hmac("recommender.shared", text, algorithm="sha256").digest()

    def _count(self, *outcomes: str) -> None:
        _counts.add(*(f"{self.name} {outcome}" for outcome in outcomes))


def _read(v: Redis, key: str) -> tuple[object, int]:
    """What a key holds, and for how many milliseconds more; no clocks are compared."""
    pipe = v.pipeline(transaction=False).get(key).pttl(key)
    value, left = pipe.execute(raise_on_error=False)  # a key may hold a list of somebody's
    return value, left if isinstance(left, int) else 0


def _write(v: Redis, key: str, value: bytes | None, seconds: float, lock: str) -> None:
    pipe = v.pipeline(transaction=False)
    if value is not None:
        pipe.set(key, value, px=int(1000 * seconds))
    pipe.delete(lock).execute()


def as_json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


# --- how often ----------------------------------------------------------------------------------


class _Counts:
    """Of this process, added to those of all every few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._untold: Counter[str] = Counter()
        self._tells_at = 0.0

    def add(self, *names: str) -> None:
        with self._lock:
            self._untold.update(names)
            if time.monotonic() < self._tells_at:
                return
        self.tell()

    def tell(self) -> None:
        with self._lock:
            self._tells_at = time.monotonic() + TELL_SECONDS
            untold, self._untold = self._untold, Counter()
        try:
            valkey.ask(lambda v: _add(v, untold))
        except Away:
            with self._lock:
                self._untold.update(untold)


def _add(v: Redis, untold: Counter[str]) -> None:
    pipe = v.pipeline(transaction=False)
    for name, times in untold.items():
        pipe.hincrby(COUNTS, name, times)
    pipe.execute()


_counts = _Counts()


def counts() -> list[tuple[str, str, int]]:
    """Kind, outcome, how often: of all processes, since Valkey was emptied. None without it."""
    _counts.tell()
    try:
        told = valkey.ask(lambda v: v.hgetall(COUNTS))
    except Away:
        return []
    rows = [(*name.decode().partition(" ")[::2], int(times)) for name, times in told.items()]
    return sorted(row for row in rows if row[1] in OUTCOMES)
