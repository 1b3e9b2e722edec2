"""Clients that are processes of their own, so that no two wait for one interpreter.

    python -m bench.scale.clients < work

A client reads its work as a line of JSON, says that it is ready, waits for a line, works and prints
its milliseconds: of asks over HTTP in their order, each [method, path, token, body], or of SQL
statements on one connection. It goes on for so many seconds, or so many times.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import psycopg
import urllib3

OK = (200, 201, 202, 204)


def vectors_of(rows: Sequence[tuple]) -> np.ndarray:
    """(n, d) float32 of the one column of a result that is in the wire form of halfvec."""
    column = next(n for n, value in enumerate(rows[0]) if isinstance(value, bytes))
    joined = b"".join(row[column] for row in rows)
    return np.frombuffer(joined, ">f2").reshape(len(rows), -1)[:, 2:].astype(np.float32)


def connected(url: str, settings: Mapping[str, str]) -> psycopg.Connection:
    """A connection that searches with the settings of a request."""
    link = psycopg.connect(url, autocommit=True)
    link.execute("SET statement_timeout = 0")
    for name, value in settings.items():
        link.execute("SELECT set_config(%s, %s, false)", [name, value])
    return link


def rows_of(link: psycopg.Connection, statement: str | Sequence) -> list[tuple]:
    """Of a statement, or of a text and its values, which is sent and planned as a request does."""
    text, values = (statement, None) if isinstance(statement, str) else statement
    return link.cursor().execute(text, values, binary=True).fetchall()


def searching(url: str, settings: Mapping[str, str], statements: Sequence) -> Callable:
    """One statement, its rows fetched and its vectors turned into an array."""
    link = connected(url, settings)
    return lambda turn: vectors_of(rows_of(link, statements[turn % len(statements)]))


def asking(pool: urllib3.HTTPConnectionPool, asks: Sequence[Sequence]) -> Callable:
    """One answer, read to its end, by a connection that is kept."""

    def ask(turn: int) -> None:
        method, path, token, body = asks[turn % len(asks)]
        headers = {"Content-Type": "application/json"} if body else {}
        if token:
            headers["Authorization"] = f"Token {token}"
        answer = pool.request(method, path, body=body, headers=headers)
        assert answer.status in OK, (path, answer.status, answer.data[:300])

    return ask


def together(
    works: Sequence[dict], *, seconds: float = 0, times: int = 0
) -> tuple[np.ndarray, float]:
    """Milliseconds of all that clients were answered, begun at once, and how many a second."""
    clients = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.scale.clients"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in works
    ]
    for client, work in zip(clients, works, strict=True):
        client.stdin.write(json.dumps(work | {"seconds": seconds, "times": times}) + "\n")
        client.stdin.flush()
    for client in clients:
        assert client.stdout.readline() == "ready\n", "a client did not start"
    begun = time.perf_counter()
    for client in clients:
        client.stdin.write("go\n")
        client.stdin.flush()
    took = [json.loads(client.communicate()[0]) for client in clients]
    spent = time.perf_counter() - begun
    everything = np.array([ms for one in took for ms in one])
    return everything, len(everything) / spent


def main() -> None:
    work = json.loads(sys.stdin.readline())
    if "asking" in work:
        port, asks = work["asking"]
        do = asking(urllib3.HTTPConnectionPool("127.0.0.1", port), asks)
    else:
        do = searching(*work["searching"])
    print("ready", flush=True)
    sys.stdin.readline()
    took: list[float] = []
    until = time.perf_counter() + work["seconds"]
    while len(took) < work["times"] or time.perf_counter() < until:
        begun = time.perf_counter()
        do(len(took))
        took.append((time.perf_counter() - begun) * 1000)
    print(json.dumps(took))


if __name__ == "__main__":
    main()
