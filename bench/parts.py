"""Where the time of one list goes: each part of a request, in one process, request by request.

    python -m bench.parts ITEMS ROUNDS

The site is called as a web server calls it, without one; so reading and sending by HTTP are left
out. The parts are timed where they are called; none is within another.
"""

import contextlib
import io
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

from recsite.local.memory import data_folder

LIST = "/api/v1/recommendations/", "limit=20"
WARM = 30
REST = "Django and REST framework around it: middleware, routing, checks of parameters, commit"
# By part, what is called, as "module:name" where it is looked up.
PARTS = {
    "who asks: the token": ["catalog.accounts:token_of"],
    "the person's side": ["recommender.store:person_side"],
    "items touched": ["recommender.store:touched"],
    "candidates": ["recommender.store:find"],
    "interests, votes, features and scores": [
        f"recommender.recommend:{name}"
        for name in ("read_taste", "person_of", "pool_of", "with_mix", "hold_against", "weigh")
    ]
    + ["recommender.recommend:contract_of"],
    "variety": ["recommender.recommend:arrange"],
    "exploration and pins": ["recommender.recommend:explore", "recommender.recommend:put_pins"],
    "reasons, report and explanation": [
        f"recommender.recommend:{name}"
        for name in ("reason_codes", "report_of", "explanation_of", "similar_to")
    ],
    "facts to show": ["recommender.store:facts"],
    "the list that is kept": ["recommender.store:put_served"],
    "rendering": [
        "recommender.api.recommendations:recommendation_out",
        "rest_framework.renderers:JSONRenderer.render",
    ],
}


class Clock:
    """Milliseconds of each part of the request that is under way, and of its statements."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.waited: dict[str, float] = defaultdict(float)
        self._part = REST

    def timed(self, part: str, call: Callable) -> Callable:
        def measured(*args, **kwargs):
            outer, self._part = self._part, part
            begun = time.perf_counter()
            try:
                return call(*args, **kwargs)
            finally:
                self.spent[part] += (time.perf_counter() - begun) * 1000
                self._part = outer

        return measured

    def wait(self, execute, sql, params, many, context):
        begun = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.waited[self._part] += (time.perf_counter() - begun) * 1000


@contextlib.contextmanager
def clock_in() -> Iterator[Clock]:
    """A clock in each part."""
    from importlib import import_module
    from unittest.mock import patch

    clock = Clock()
    with contextlib.ExitStack() as stack:
        for part, calls in PARTS.items():
            for path in calls:
                module, _, names = path.partition(":")
                *owners, name = names.split(".")
                owner = import_module(module)
                for attribute in owners:
                    owner = getattr(owner, attribute)
                stack.enter_context(
                    patch.object(owner, name, clock.timed(part, getattr(owner, name)))
                )
        yield clock


def main(n_items: int, rounds: int) -> None:
    from bench.scale import run

    work = data_folder() / "scale"
    work.mkdir(parents=True, exist_ok=True)

    def say(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    with run.catalogue_of(n_items, work, say) as (environment, prepared):
        os.environ.update(environment | {"DATABASE_POOL": "True", "LOG_LEVEL": "WARNING"})
        os.environ.update(API_CALLS_A_MINUTE="0", API_CALLS_A_MINUTE_FROM_ONE_ADDRESS="0")
        from django.db import connection

        from recsite.wsgi import application

        took, spent, waited = [], defaultdict(list), defaultdict(list)
        with clock_in() as clock, connection.execute_wrapper(clock.wait):
            for turn in range(-WARM, rounds):
                clock.spent.clear()
                clock.waited.clear()
                begun = time.perf_counter()
                ask(application, prepared.tokens[turn % len(prepared.tokens)])
                whole = (time.perf_counter() - begun) * 1000
                if turn < 0:
                    continue
                took.append(whole)
                for part in (*PARTS, REST):
                    rest = whole - sum(clock.spent.values())
                    spent[part].append(clock.spent[part] if part != REST else rest)
                    waited[part].append(clock.waited[part])
    whole = statistics.median(took)
    waits = statistics.median(map(sum, zip(*waited.values(), strict=True)))
    print(f"| all of it | {whole:.1f} | {waits:.1f} | |")
    for part in sorted(spent, key=lambda part: -statistics.median(spent[part])):
        ms = statistics.median(spent[part])
        print(f"| {part} | {ms:.2f} | {statistics.median(waited[part]):.2f} | {ms / whole:.0%} |")


def ask(application: Callable, token: str) -> None:
    said: list[str] = []
    path, query = LIST
    answer = application(
        {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "HTTP_HOST": "127.0.0.1",
            "HTTP_AUTHORIZATION": f"Token {token}",
            "wsgi.input": io.BytesIO(b""),
            "wsgi.errors": sys.stderr,
            "wsgi.url_scheme": "http",
        },
        lambda status, headers, _=None: said.append(status),
    )
    body = b"".join(answer)
    answer.close()
    assert said == ["200 OK"], (said, body[:300])


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
