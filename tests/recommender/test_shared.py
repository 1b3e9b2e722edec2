"""What is shared in Valkey: made once for many readers, and never in anybody's way."""

import json
import logging
import os
import pickle
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from django.db import connection
from redis import Redis

from recommender import shared
from recommender.shared import Shared, as_json

FOREVER = 60  # as long as a value is kept


@pytest.fixture
def valkey(settings, monkeypatch):
    """The real one, whose breaker no other test has opened, nor a busy machine opens."""
    monkeypatch.setattr(shared, "valkey", shared.Valkey())
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 5.0)
    with Redis.from_url(settings.SHARED_URL) as link:
        yield link


@pytest.fixture
def kind(valkey):
    """A kind of values that nothing is known of."""
    name = f"test-{uuid4().hex}"
    yield Shared(name, slots=1000, kept_seconds=60)
    for key in valkey.scan_iter(f"shared:{name}:*"):
        valkey.delete(key)
    valkey.hdel(shared.COUNTS, *(f"{name} {outcome}" for outcome in shared.OUTCOMES))


class Made:
    """Counts how often a value is made, which takes a while."""

    def __init__(self, *, seconds: float = 0.0) -> None:
        self.times, self.seconds, self._lock = 0, seconds, threading.Lock()

    def __call__(self) -> list[int]:
        with self._lock:
            self.times += 1
            number = self.times
        time.sleep(self.seconds)
        return [number]


def get(kind: Shared, made, of=("a",), fresh_seconds: float = FOREVER):
    return kind.get(of, made, fresh_seconds=fresh_seconds, dump=as_json, load=json.loads)


def keys_of(valkey: Redis, kind: Shared) -> list[bytes]:
    return list(valkey.scan_iter(f"shared:{kind.name}:*"))


def told(kind: Shared) -> dict[str, int]:
    return {outcome: times for name, outcome, times in shared.counts() if name == kind.name}


def at_once(n: int, read):
    with ThreadPoolExecutor(n) as threads:
        return [answer.result() for answer in [threads.submit(read) for _ in range(n)]]


def test_a_value_is_made_once_and_then_read(kind):
    made = Made()
    assert [get(kind, made) for _ in range(3)] == [[1], [1], [1]]
    assert made.times == 1


def test_what_depends_on_something_else_is_another_value(kind):
    made = Made()
    assert (get(kind, made, ["a", 1]), get(kind, made, ["a", 2])) == ([1], [2])


def test_64_readers_of_what_is_not_there_yet_make_it_once(kind, monkeypatch):
    monkeypatch.setattr(shared, "WAIT_SECONDS", 30.0)
    made = Made(seconds=0.05)
    assert at_once(64, lambda: get(kind, made)) == [[1]] * 64
    assert made.times == 1


def test_64_readers_of_what_is_no_longer_fresh_make_it_once_and_none_waits(kind):
    get(kind, Made())
    made, answered = Made(), threading.Semaphore(0)

    def anew():
        for _ in range(63):  # it takes until all the others have their answer
            assert answered.acquire(timeout=30)
        return [*made(), "new"]

    def read():
        answer = get(kind, anew, fresh_seconds=0)
        answered.release()
        return answer

    answers = at_once(64, read)
    assert made.times == 1
    assert sorted(answers, key=len) == [[1]] * 63 + [[1, "new"]]
    assert get(kind, made) == [1, "new"]


def test_one_who_dies_at_it_holds_the_others_up_for_a_moment_alone(kind, valkey, monkeypatch):
    monkeypatch.setattr(shared, "LOCK_SECONDS", 1)
    get(kind, Made())
    child = os.fork()
    if child == 0:  # with a connection of its own: it takes the lock, and is gone
        shared.valkey = shared.Valkey()
        get(kind, lambda: os._exit(0), fresh_seconds=0)
    os.waitpid(child, 0)
    made = Made()
    assert get(kind, made, fresh_seconds=0) == [1]  # the former one
    assert made.times == 0
    time.sleep(1.1)
    get(kind, made, fresh_seconds=0)
    assert made.times == 1


def test_where_one_fails_nothing_is_kept_and_the_next_may_try_at_once(kind):
    def fail():
        raise LookupError("the encoder is away")

    with pytest.raises(LookupError):
        get(kind, fail)
    begun = time.perf_counter()
    assert get(kind, Made()) == [1]
    assert time.perf_counter() - begun < shared.WAIT_SECONDS / 2


def test_whoever_has_waited_long_enough_makes_it_themselves(kind):
    slow, made = Made(seconds=1.0), Made()
    with ThreadPoolExecutor(1) as threads:
        owner = threads.submit(get, kind, slow)
        time.sleep(0.1)
        begun = time.perf_counter()
        assert get(kind, made) == [1]
        assert made.times == 1
        assert time.perf_counter() - begun < 3 * shared.WAIT_SECONDS
        owner.result()


@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_without_valkey_each_makes_it_and_pays_for_one_attempt_alone(
    kind, settings, monkeypatch, caplog, how
):
    made = Made()
    monkeypatch.setattr(shared, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        settings.SHARED_URL = f"redis://127.0.0.1:{server.getsockname()[1]}/1"
        if how == "stopped":
            server.close()
        monkeypatch.setattr(shared, "valkey", shared.Valkey())
        begun = time.perf_counter()
        with caplog.at_level(logging.WARNING, logger="recommender.shared"):
            assert [get(kind, made) for _ in range(100)] == [[n] for n in range(1, 101)]
        assert time.perf_counter() - begun < 2  # 100 times 0.2 are 20
    assert len(caplog.records) == 1
    assert "Valkey does not answer" in caplog.records[0].message


def test_valkey_is_asked_again_after_a_pause(kind, settings, monkeypatch):
    monkeypatch.setattr(shared, "PAUSE_SECONDS", 0.2)
    right, made = settings.SHARED_URL, Made()
    settings.SHARED_URL = "redis://127.0.0.1:1/1"
    monkeypatch.setattr(shared, "valkey", shared.Valkey())
    assert get(kind, made) == [1]
    shared.valkey._client, settings.SHARED_URL = None, right
    time.sleep(0.25)
    assert [get(kind, made) for _ in range(3)] == [[2], [2], [2]]


@pytest.mark.parametrize(
    "damage",
    [
        lambda held: b"",
        lambda held: held[:33],
        lambda held: held[:32] + b"\xff{",
        lambda held: b"another value of the same slot, of something else",
        lambda held: pickle.dumps([1]),
    ],
    ids=["empty", "cut off", "no JSON", "of another", "a pickle"],
)
def test_what_is_damaged_or_of_somebody_else_is_made_anew(kind, valkey, damage):
    made = Made()
    get(kind, made)
    (key,) = keys_of(valkey, kind)
    valkey.set(key, damage(valkey.get(key)), ex=60)
    assert [get(kind, made) for _ in range(2)] == [[2], [2]]


def test_a_key_that_holds_no_text_at_all_is_overwritten(kind, valkey):
    made = Made()
    get(kind, made)
    (key,) = keys_of(valkey, kind)
    valkey.delete(key)
    valkey.rpush(key, "a list")
    assert [get(kind, made) for _ in range(2)] == [[2], [2]]


def test_a_value_that_never_goes_away_is_made_anew(kind, valkey):
    made = Made()
    get(kind, made)
    (key,) = keys_of(valkey, kind)
    valkey.persist(key)
    assert get(kind, made) == [2]
    assert valkey.ttl(key) > 0


def test_code_that_keeps_another_shape_does_not_read_it(kind):
    made = Made()
    get(kind, made)
    newer = Shared(kind.name, kind.slots, kind.kept_seconds, shape=2)
    assert (get(newer, made), get(kind, made)) == ([2], [1])


def test_no_more_are_kept_than_there_are_slots(kind, valkey):
    few = Shared(kind.name, slots=3, kept_seconds=60)
    for n in range(50):
        assert get(few, lambda n=n: [n], [n]) == [n]
    assert len(keys_of(valkey, few)) <= 3


def test_nothing_that_it_depends_on_can_be_read_from_valkey(kind, valkey, settings):
    get(kind, Made(), ["kettles for a rainy day"])
    (key,) = keys_of(valkey, kind)
    held = key + valkey.dump(key)
    assert b"kettle" not in held
    settings.SECRET_KEY = "another" * 10  # nor be found by trying words, without the key
    made = Made()
    get(kind, made, ["kettles for a rainy day"])
    assert made.times == 1


def test_another_database_has_values_of_its_own(kind, monkeypatch):
    made = Made()
    get(kind, made)
    monkeypatch.setitem(connection.settings_dict, "NAME", "another")
    assert get(kind, made) == [2]


def test_what_became_of_each_reading_is_counted_for_all_processes(kind, valkey):
    made = Made()
    get(kind, made)
    get(kind, made)
    get(kind, made, fresh_seconds=0)
    (key,) = keys_of(valkey, kind)
    valkey.set(key, valkey.get(key)[:32] + b"{", ex=60)
    get(kind, made)
    # The damaged one is looked at once more under the lock.
    assert told(kind) == {"hit": 1, "miss": 3, "computed": 3, "damaged": 2}
