"""What lists take of some catalogues, served at once and asked in turns."""

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import urllib3

from bench import site
from bench.scale import clients
from bench.scale.prepare import FILTERS, SCENARIOS, Prepared

LIST = "/api/v1/recommendations/?limit=20"
HOME = "/api/v1/home/?limit=10&scenarios=home"
CLIENTS = 8
WARM = 20  # turns that are not counted
BLOCKS = 3  # of load, in turns
SECONDS = {"one client": 4, "clients": 8, "candidates": 4, "plain": 4}  # of each block
PLAIN_EF_SEARCH = "200"


@dataclass
class Served:
    """A catalogue with its web processes, and what was measured of it so far."""

    prepared: Prepared
    url: str
    port: int
    pid: int
    took: dict[str, list[float]] = field(default_factory=dict)  # milliseconds
    rates: dict[str, list[float]] = field(default_factory=dict)  # a second
    recall: dict[str, float] = field(default_factory=dict)
    pool: int = 0  # candidates of a list
    missing: dict[str, int] = field(default_factory=dict)  # of filters, over all searches
    memory: dict[str, float] = field(default_factory=dict)

    @property
    def plain_settings(self) -> dict[str, str]:
        return self.prepared.settings | {"hnsw.ef_search": PLAIN_EF_SEARCH}


def gets(served: Served, path: str) -> list[list]:
    return [["GET", path, token, None] for token in served.prepared.tokens]


def one_by_one(sites: Sequence[Served], rounds: int, say: Callable[[str], None]) -> None:
    """One client alone: lists, their statement, filters, home screens, all in turns."""
    asks: list[tuple[Served, str, Callable]] = []
    for at in sites:
        about, pool = at.prepared, urllib3.HTTPConnectionPool("127.0.0.1", at.port)
        every = {
            "list": clients.asking(pool, gets(at, LIST)),
            "candidates": clients.searching(at.url, about.settings, about.candidates),
            "plain": clients.searching(at.url, at.plain_settings, about.plain),
            "one scenario": clients.asking(pool, gets(at, HOME)),
            "four scenarios": clients.asking(pool, gets(at, ",".join([HOME, *SCENARIOS]))),
        }
        for name, text in FILTERS.items():
            path = f"{LIST}&filter={text.replace(' ', '%20').replace('<', '%3C')}"
            every[f"list {name}"] = clients.asking(pool, gets(at, path))
        asks += [(at, name, do) for name, do in every.items()]
    for turn in range(-WARM, rounds):
        # There and back, so that nothing always finds what it needs just read by the one before.
        for at, name, do in asks if turn % 2 else reversed(asks):
            begun = time.perf_counter()
            do(turn)
            spent = (time.perf_counter() - begun) * 1000
            if turn >= 0:
                at.took.setdefault(name, []).append(spent)
        if turn % 25 == 0:
            say(f"one client: {turn} of {rounds} turns")
    for at in sites:
        at.memory["web"] = site.megabytes(at.pid)


def all_at_once(sites: Sequence[Served], say: Callable[[str], None]) -> None:
    """Eight clients, who share the cores with what they ask: lists, and statements alone."""
    for block, at in itertools.product(range(BLOCKS), sites):
        say(f"{CLIENTS} clients, {at.prepared.n_items:,} items: block {block + 1} of {BLOCKS}")
        about = at.prepared
        works = {
            "one client": [{"asking": [at.port, gets(at, LIST)]}],
            "clients": [
                {"asking": [at.port, gets(at, LIST)[number::CLIENTS]]} for number in range(CLIENTS)
            ],
            "candidates": [
                {"searching": [at.url, about.settings, about.candidates[number::CLIENTS]]}
                for number in range(CLIENTS)
            ],
            "plain": [
                {"searching": [at.url, at.plain_settings, about.plain[number::CLIENTS]]}
                for number in range(CLIENTS)
            ],
        }
        for name, work in works.items():
            took, rate = clients.together(work, seconds=SECONDS[name])
            at.took.setdefault(f"{name}, load", []).extend(took.tolist())
            at.rates.setdefault(name, []).append(rate)


def recall_of(at: Served, say: Callable[[str], None]) -> None:
    """Beside an exact scan: one plain search, the filtered ones, and the pools of requests.

    A pool has what several sources found; it is compared with the same statement without the index.
    """
    about = at.prepared
    say(f"{about.n_items:,} items: recall")
    # An exact scan of a million vectors takes seconds.
    n_queries, n_pools = (20, 20) if about.n_items <= 100_000 else (10, 8)
    searches = {"plain": (about.plain, about.plain_exact, at.plain_settings)}
    for name in FILTERS:
        searches[name] = about.found[name], about.found_exact[name], about.settings
    for name, (ours, exact, settings) in searches.items():
        with clients.connected(at.url, settings) as link:
            shares = []
            for search, true in zip(ours[:n_queries], exact[:n_queries], strict=True):
                near, among = (_ids(link, text) for text in (true, search))
                shares.append(len(near & among) / len(near))
                if name in FILTERS:
                    at.missing[name] = at.missing.get(name, 0) + len(near) - len(among)
            at.recall[name] = float(np.mean(shares))
    with (
        clients.connected(at.url, about.settings) as link,
        clients.connected(at.url, about.settings | {"enable_indexscan": "off"}) as exact,
    ):
        pairs = [(_ids(link, text), _ids(exact, text)) for text in about.candidates[:n_pools]]
        at.recall["pool"] = float(np.mean([len(near & true) / len(true) for near, true in pairs]))
        at.pool = len(pairs[0][1])


def _ids(link, statement: str | list) -> set[int]:
    return {row[0] for row in clients.rows_of(link, statement)}


# What a visit is made of; each is asked for by somebody else, about another item.
VISIT: tuple[tuple[str, str], ...] = (
    ("GET", "/health/ready"),
    ("GET", LIST),
    ("GET", "/api/v1/items/{item}/"),
    ("GET", "/api/v1/items/{item}/similar/"),
    ("POST", "/api/v1/feedback/"),
    ("GET", "/api/v1/items/{item}/"),
    ("GET", "/api/v1/items/?limit=20"),
    ("GET", "/api/v1/items/{item}/"),
    ("GET", "/api/v1/me/interests/"),
    ("GET", "/api/v1/scenarios/"),
)
FIRST = 1_000  # requests after which a process has what it needs


def memory_of(at: Served, requests: int, say: Callable[[str], None]) -> None:
    """Of all web processes, after FIRST requests of visits and after so many."""
    about = at.prepared
    visits = []
    for number in range(CLIENTS):
        asks = []
        for n, (method, path) in itertools.product(range(len(about.tokens)), VISIT):
            item = about.items[(n * CLIENTS + number) % len(about.items)]
            body = f'{{"item": "{item}", "kind": "view"}}' if method == "POST" else None
            token = about.tokens[(n * CLIENTS + number) % len(about.tokens)]
            asks.append([method, path.format(item=item), token, body])
        visits.append({"asking": [at.port, asks]})
    clients.together(visits, times=FIRST // CLIENTS)
    at.memory["first"], done = site.megabytes(at.pid), FIRST
    while done < requests:
        some = min(10_000, requests - done)
        clients.together(visits, times=some // CLIENTS)
        done += some
        at.memory["last"], at.memory["requests"] = site.megabytes(at.pid), done
        say(f"{done:,} requests: {at.memory['last']:.0f} MB (after {FIRST:,}: "
            f"{at.memory['first']:.0f})")  # fmt: skip
