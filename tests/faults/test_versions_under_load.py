"""Versions are trained, activated, taken back, killed and retired while people use the site.

A real web server under clients that never stop: each list they get is wholly of one version, no
request fails, and what they say meanwhile is kept.
"""

import json
import random
import re
import secrets
import threading
import time
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from itertools import cycle

import psycopg
import pytest
import urllib3

from recsite.local import services
from tests.faults.installation import Installation, kill, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
PLACES = ("api", "page")
FEEDBACK = "SELECT uuid FROM catalog_feedback"
KINDS = ["kettle", "boots", "tent", "lamp", "spade"]
ITEMS = 200
READERS = 4  # of whom the lists are known under each version, and who say nothing more
CARD = re.compile(r'<h\d><a href="/items/([0-9a-f-]{36})/">')


@dataclass(frozen=True)
class Answer:
    """One list: whose, from where, and when it was asked for and there."""

    reader: int
    place: str  # "api" or "page"
    asked_at: float
    answered_at: float
    items: list[str]


class Client:
    """Somebody with an account: a token for the API, a session for the pages."""

    def __init__(self, site: Installation, name: str) -> None:
        self.pool = urllib3.HTTPConnectionPool(
            "127.0.0.1", site.port, maxsize=2, block=True, retries=False
        )
        account = {"email": f"{name}@example.org", "password": secrets.token_urlsafe(12)}
        self.token, self.cookies = "", SimpleCookie()
        self.token = self.ask("POST", "auth/register/", account | {"consent": True})["token"]
        self.page("/sign-in/")
        self.page("/sign-in/", {"username": account["email"], "password": account["password"]})
        assert "sessionid" in self.cookies

    def ask(self, method: str, path: str, body: dict | None = None) -> dict:
        """What the API answers. A failure of the server and a dropped connection raise."""
        headers = {"Content-Type": "application/json"}
        if self.token:
            headers["Authorization"] = f"Token {self.token}"
        answer = self.pool.request(
            method, f"/api/v1/{path}", body=json.dumps(body), headers=headers, timeout=60
        )
        assert answer.status < 400, (method, path, answer.status, answer.data[:500])
        return json.loads(answer.data)

    def page(self, path: str, form: dict | None = None) -> str:
        """A page, or what becomes of a form. Raises as `ask` does."""
        headers = {"Cookie": "; ".join(f"{k}={v.value}" for k, v in self.cookies.items())}
        if form is not None:
            headers["X-CSRFToken"] = self.cookies["csrftoken"].value
        answer = self.pool.request(
            "GET" if form is None else "POST",
            path,
            fields=form,
            headers=headers,
            redirect=False,
            timeout=60,
        )
        assert answer.status < 400, (path, answer.status, answer.data[:500])
        for line in answer.headers.getlist("Set-Cookie"):
            self.cookies.load(line)
        return answer.data.decode()

    def list_from(self, place: str) -> list[str]:
        """The ids of a list in their order, from the API or read off the home page."""
        if place == "page":
            return CARD.findall(self.page("/?diversity=0.3"))
        found = self.ask("GET", "recommendations/?limit=20&diversity=0.3")
        return [row["item"]["id"] for row in found["results"]]

    def lists(self) -> dict[str, list[str]]:
        return {place: self.list_from(place) for place in PLACES}


class Load:
    """Readers who ask without a pause, in both places, and a writer who gives feedback."""

    def __init__(self, readers: list[Client], writer: Client, items: list[str]) -> None:
        self.answers: list[Answer] = []
        self.posted: list[str] = []
        self._ended = threading.Event()
        self._pool = ThreadPoolExecutor(len(PLACES) * len(readers) + 1)
        self._clients = [self._pool.submit(self._write, writer, items)]
        for number, reader in enumerate(readers):
            for place in PLACES:
                self._clients.append(self._pool.submit(self._read, number, reader, place))

    def _read(self, number: int, reader: Client, place: str) -> None:
        while not self._ended.is_set():
            asked_at = time.monotonic()
            items = reader.list_from(place)
            self.answers.append(Answer(number, place, asked_at, time.monotonic(), items))

    def _write(self, writer: Client, items: list[str]) -> None:
        for item in cycle(items):
            if self._ended.wait(0.1):
                return
            self.posted.append(str(uuid.uuid4()))
            writer.ask("POST", "feedback/", {"id": self.posted[-1], "item": item, "kind": "view"})

    def goes_on(self) -> None:
        """Return when each client got an answer to what it asked from now on, twice."""
        now = time.monotonic()
        posted = len(self.posted)

        def twice() -> bool:
            for client in self._clients:
                if client.done():
                    client.result()  # raises what ended it
            later = Counter((a.reader, a.place) for a in self.answers if a.asked_at > now)
            return (
                len(later) == len(self._clients) - 1
                and min(later.values()) > 1
                and len(self.posted) > posted + 1
            )

        wait_until(twice, 60)

    def end(self) -> None:
        """Raises what ended a client before its time."""
        self._ended.set()
        self._pool.shutdown()
        for client in self._clients:
            client.result()


def feedback(people: range, kinds: int, *, seed: int) -> list[str]:
    """Rows of people who each keep to one of so many kinds of items, oldest first."""
    rng, rows = random.Random(seed), []
    for person in people:
        own = [item for item in range(ITEMS) if item % kinds == person % kinds]
        for place, item in enumerate(rng.sample(own, 12)):
            rows.append(f"p{person},{item},like,2026-01-{place + 1:02}")
    return rows


def load(site: Installation, name: str, header: str, rows: list[str]) -> None:
    path = site.data.parent / name
    path.write_text("\n".join([header, *rows]))
    site.manage("load_catalog", str(path), "--format", "csv")


@pytest.fixture
def site(home):
    """A shop whose first version is served, and a crowd that has since found other ways."""
    it = Installation(
        home,
        EMBEDDING_BACKEND="hashing",
        EMBEDDING_MODEL="hashing",
        EXPLORATION_SHARE="0",
        ROTATION="0",
    )
    try:
        load(
            it,
            "items.csv",
            "id,title,categories",
            [f"{n},{KINDS[n % 5]} number {n},{KINDS[n % 5]}" for n in range(ITEMS)],
        )
        load(it, "people.csv", "id", [f"p{n}" for n in range(160)])
        load(it, "feedback.csv", "user,item,kind,at", feedback(range(60), 5, seed=1))
        it.manage("embed")
        it.manage("learn")
        load(it, "feedback.csv", "user,item,kind,at", feedback(range(60, 160), 7, seed=2))
        it.start_web()
        it.start_relay()
        it.start_worker()
        yield it
    finally:
        it.close()


def rows(site: Installation, statement: str) -> list[tuple]:
    address = services.addresses(site.data).database_url
    with psycopg.connect(address, autocommit=True) as link:
        cursor = link.execute(statement)
        return cursor.fetchall() if cursor.description else []


def versions(site: Installation) -> list[tuple[str, str]]:
    return rows(site, "SELECT name, status FROM recommender_modelversion ORDER BY id")


def digest_of(site: Installation, name: str) -> str:
    [(digest,)] = rows(site, f"SELECT digest FROM recommender_modelversion WHERE name = '{name}'")
    return digest


def kill_while_it_learns(site: Installation) -> None:
    training = site.start("manage.py", "train")
    wait_until(lambda: "%" in site.log_of(training).read_text(), 60)  # of a bar of progress
    assert training.poll() is None
    kill(training)


def kill_while_it_writes(site: Installation) -> None:
    """The row of the version is written, and those of its items wait for a lock that we hold."""
    writing = "FROM pg_stat_activity WHERE query LIKE 'INSERT INTO recommender_learneditem%'"
    with psycopg.connect(services.addresses(site.data).database_url) as link:
        link.execute("LOCK TABLE recommender_learneditem IN SHARE MODE")
        training = site.start("manage.py", "train")
        waiting = f"SELECT count(*) {writing} AND wait_event_type = 'Lock'"
        wait_until(lambda: site.count(waiting) == 1, 120)
        kill(training)
    wait_until(lambda: site.count(f"SELECT count(*) {writing}") == 0, 60)


def test_lists_are_of_one_version_while_versions_come_and_go(site):
    [(first, status)] = versions(site)
    assert status == "active"
    readers, writer = [Client(site, f"reader{n}") for n in range(READERS)], Client(site, "writer")
    items = [item["id"] for item in writer.ask("GET", "items/?limit=100")["results"]]
    for number, reader in enumerate(readers):
        for item in items[number::20]:
            reader.ask("POST", "feedback/", {"item": item, "kind": "like"})
    wait_until(lambda: site.open_jobs() == 0, 120)
    rows(site, "VACUUM ANALYZE")  # or autovacuum would change plans in the middle
    until = datetime.now(UTC).isoformat()

    # What the second version will show is known before, from a twin that learns from the same.
    before = [reader.lists() for reader in readers]
    site.manage("train", "--until", until)
    twin = versions(site)[-1][0]
    site.manage("models", "activate", twin, "--force")
    after = [reader.lists() for reader in readers]
    site.manage("models", "back")
    site.manage("models", "retire", twin)
    assert [reader.lists() for reader in readers] == before
    for old, new in zip(before, after, strict=True):
        assert old["api"] == old["page"] != new["api"] == new["page"]
        assert len(old["api"]) == len(new["api"]) == 20

    load = Load(readers, writer, items)
    try:
        load.goes_on()
        site.manage("train", "--until", until)
        second = versions(site)[-1][0]
        assert digest_of(site, second) == digest_of(site, twin)
        load.goes_on()
        activating_at = time.monotonic()
        site.manage("models", "activate", second, "--force")
        active_at = time.monotonic()
        load.goes_on()
        going_back_at = time.monotonic()
        site.manage("models", "back")
        back_at = time.monotonic()
        load.goes_on()
        kill_while_it_learns(site)
        kill_while_it_writes(site)
        there = [(first, "active"), (twin, "retired"), (second, "inactive")]
        assert versions(site) == there
        load.goes_on()
        site.manage("models", "retire", second)
        load.goes_on()
    finally:
        load.end()

    for answer in load.answers:
        old, new = (lists[answer.reader][answer.place] for lists in (before, after))
        if answer.answered_at < activating_at or answer.asked_at > back_at:
            assert answer.items == old
        elif active_at < answer.asked_at and answer.answered_at < going_back_at:
            assert answer.items == new
        else:
            assert answer.items in (old, new)
    assert set(load.posted) <= {str(kept) for (kept,) in rows(site, FEEDBACK)}
    kept_of = "SELECT DISTINCT v.name FROM recommender_learneditem JOIN recommender_modelversion v"
    assert rows(site, f"{kept_of} ON v.id = version_id") == [(first,)]
    wait_until(lambda: site.open_jobs() == 0, 120)
    site.manage("verify_invariants")
