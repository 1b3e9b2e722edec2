"""One size of a catalogue: the whole request over HTTP beside its vector statement alone.

    python -m bench.request ITEMS ROUNDS

Makes a scratch database, fills it, serves it with one gunicorn worker, measures the two in turns
on the same machine at the same moments, and prints one row of the table.
"""

import contextlib
import os
import socket
import statistics
import subprocess
import sys
import time
from urllib.parse import urlsplit, urlunsplit

import numpy as np
import psycopg
import urllib3


@contextlib.contextmanager
def scratch_database():
    """A database of its own beside the one of the site, dropped in the end.

    Before Django is loaded, whose settings take the address from the environment once.
    """
    from recsite.local import services

    admin = os.environ.get("DATABASE_URL") or services.addresses().database_url
    name = f"medley_bench_{os.getpid()}"
    with psycopg.connect(admin, autocommit=True) as link:
        link.execute(f"CREATE DATABASE {name}")
    parts = urlsplit(admin)
    os.environ["DATABASE_URL"] = urlunsplit(parts._replace(path=f"/{name}"))
    try:
        yield os.environ["DATABASE_URL"]
    finally:
        with psycopg.connect(admin, autocommit=True) as link:
            link.execute(f"DROP DATABASE {name} WITH (FORCE)")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def web(port: int, *, workers: int = 1):
    """Gunicorn with the site."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", "recsite.wsgi", "--bind", f"127.0.0.1:{port}",
         "--worker-class", "gthread", "--threads", "4", "--workers", str(workers),
         "--log-level", "warning", "--no-control-socket"],
        env=os.environ
        | {
            "DATABASE_POOL": "True",
            "API_CALLS_A_MINUTE": "0",
            "API_CALLS_A_MINUTE_FROM_ONE_ADDRESS": "0",
        },
    )  # fmt: skip
    try:
        pool = urllib3.HTTPConnectionPool(
            "127.0.0.1", port, retries=urllib3.Retry(20, backoff_factor=0.2)
        )
        while pool.request("GET", "/health/ready").status != 200:
            time.sleep(0.2)
        yield process
    finally:
        process.terminate()
        process.wait(20)


def worker_megabytes(parent: int) -> float:
    """Resident memory of the worker below the master."""
    [child] = [
        int(pid)
        for pid in os.listdir("/proc")
        if pid.isdigit() and _status(pid).get("PPid") == str(parent)
    ]
    return int(_status(str(child))["VmRSS"].split()[0]) / 1024


def loads_torch(parent: int) -> bool:
    for pid in os.listdir("/proc"):
        if pid.isdigit() and _status(pid).get("PPid") == str(parent):
            with open(f"/proc/{pid}/maps") as maps:
                return "libtorch" in maps.read()
    raise RuntimeError("the worker is gone")


def _status(pid: str) -> dict[str, str]:
    try:
        with open(f"/proc/{pid}/status") as lines:
            return {line.split(":")[0]: line.split(":", 1)[1].strip() for line in lines}
    except OSError:
        return {}


def main(n_items: int, rounds: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from knox.models import get_token_model

    from bench import catalogue
    from catalog.models import User
    from recommender import learn, store, train

    call_command("migrate", verbosity=0)
    space = catalogue.fill(n_items)
    learn.refresh_popularity()
    train.activate(train.train(), force=True)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    people = list(User.objects.order_by("pk")[:50])
    tokens = [get_token_model().objects.create(user=person)[1] for person in people]
    at = store.Space(space.id, space.dimension)

    statements = []

    def record(execute, sql, params, many, context):
        if "found (item_id" in sql:
            statements.append(connection.connection.cursor().mogrify(sql, params))
        return execute(sql, params, many, context)

    from recommender.recommend import recommend

    with connection.execute_wrapper(record):
        for person in people:
            recommend(person.pk)

    port = free_port()
    link = psycopg.connect(os.environ["DATABASE_URL"])
    link.execute("SET hnsw.iterative_scan = 'relaxed_order'")
    link.execute(f"SET hnsw.ef_search = {store.EF_SEARCH}")
    link.execute("SET jit = off")
    one = (
        f"SELECT e.item_id, halfvec_send(e.embedding) FROM recommender_itemembedding e"
        f" WHERE e.space_id = {at.id} ORDER BY {at.column} <=> '%s'::halfvec({at.dimension})"
        " LIMIT 200"
    )
    query_rows = catalogue.vectors(n_items + len(people))[n_items:]  # what is like the items
    times: dict[str, list[float]] = {"get": [], "own": [], "one": []}
    with web(port) as process:
        pool = urllib3.HTTPConnectionPool("127.0.0.1", port)
        for turn in range(-30, rounds):
            number = turn % len(people)
            begun = time.perf_counter()
            response = pool.request(
                "GET",
                "/api/v1/recommendations/?limit=20",
                headers={"Authorization": f"Token {tokens[number]}"},
            )
            got = time.perf_counter()
            assert response.status == 200, response.data[:300]
            assert b'"rank":20,' in response.data, response.data[:300]
            ready = time.perf_counter()
            rows = link.execute(statements[number]).fetchall()
            store.from_binary([row[2] for row in rows], at.dimension)
            own = time.perf_counter()
            link.execute("SET hnsw.ef_search = 200")
            before_one = time.perf_counter()
            link.execute(one % store.as_text(query_rows[number])).fetchall()
            after_one = time.perf_counter()
            link.execute(f"SET hnsw.ef_search = {store.EF_SEARCH}")
            link.commit()
            if turn >= 0:
                times["get"].append(got - begun)
                times["own"].append(own - ready)
                times["one"].append(after_one - before_one)
        megabytes, torch = worker_megabytes(process.pid), loads_torch(process.pid)
    recall = measured_recall(link, at, query_rows)
    link.close()
    connection.close()
    p50 = {name: statistics.median(values) * 1000 for name, values in times.items()}
    p95 = float(np.quantile(times["get"], 0.95)) * 1000
    print(
        f"| {n_items:,} | {p50['get']:.1f} | {p95:.1f} | {p50['own']:.1f} |"
        f" {p50['get'] / p50['own']:.2f} | {p50['one']:.1f} | {p50['get'] / p50['one']:.2f} |"
        f" {recall:.3f} | {megabytes:.0f} | {'loaded' if torch else 'not loaded'} |"
    )


def measured_recall(link, at, query_rows: np.ndarray) -> float:
    """recall@200 of the index at ef_search 200 against an exact scan."""
    found = 0
    for row in query_rows:
        search = (
            f"SELECT e.item_id FROM recommender_itemembedding e WHERE e.space_id = {at.id}"
            f" ORDER BY {at.column} <=> %s::halfvec({at.dimension}) LIMIT 200"
        )
        from recommender import store

        text = store.as_text(row)
        link.execute("SET hnsw.ef_search = 200")
        near = {item for (item,) in link.execute(search, [text], prepare=False).fetchall()}
        link.execute("SET enable_indexscan = off")
        # A prepared statement would keep its plan, and be measured against itself.
        exact = {item for (item,) in link.execute(search, [text], prepare=False).fetchall()}
        link.execute("RESET enable_indexscan")
        link.commit()
        found += len(near & exact)
    return found / (200 * len(query_rows))


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with scratch_database():
        main(int(sys.argv[1]), int(sys.argv[2]))
