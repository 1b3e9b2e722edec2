"""People who use a site without a pause: what they get is kept, to be judged afterwards."""

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
from http.cookies import SimpleCookie
from itertools import cycle

import psycopg
import urllib3

from recsite.local import services
from tests.faults.installation import Installation, wait_until

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

    def judge(
        self,
        before: list[dict[str, list[str]]],
        after: list[dict[str, list[str]]],
        activating_at: float,
        active_at: float,
        going_back_at: float,
        back_at: float,
    ) -> None:
        """Each answer is wholly the list of before or that of after, and the right one where the
        moment says which; a list a reader and place."""
        for answer in self.answers:
            old, new = (lists[answer.reader][answer.place] for lists in (before, after))
            if answer.answered_at < activating_at or answer.asked_at > back_at:
                assert answer.items == old
            elif active_at < answer.asked_at and answer.answered_at < going_back_at:
                assert answer.items == new
            else:
                assert answer.items in (old, new)


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


def stock(site: Installation, *, people: int) -> None:
    """Items of five kinds and people, of whom sixty keep to one kind each: embedded and learned."""
    titles = [f"{n},{KINDS[n % 5]} number {n},{KINDS[n % 5]}" for n in range(ITEMS)]
    load(site, "items.csv", "id,title,categories", titles)
    load(site, "people.csv", "id", [f"p{n}" for n in range(people)])
    load(site, "feedback.csv", "user,item,kind,at", feedback(range(60), 5, seed=1))
    site.manage("embed")
    site.manage("learn")


def rows(site: Installation, statement: str) -> list[tuple]:
    address = services.addresses(site.data).database_url
    with psycopg.connect(address, autocommit=True) as link:
        cursor = link.execute(statement)
        return cursor.fetchall() if cursor.description else []
