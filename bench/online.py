"""From a like to the next list, and to candidates learned anew, under a stream of feedback.

    python -m bench.online ITEMS ROUNDS

Servers, web, relay and one worker of its own, all on this machine. RATE pieces of feedback a second
by many people over HTTP, for ROUNDS / 5 seconds (at least 20). Of one in ten the person's list is
asked for before and after: the item is one that was shown, and must be gone. A person counts as
refreshed when the job is closed that leaves nothing of theirs to learn, whatever came in between.
"""

import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

import psycopg
import urllib3

from bench.site import free_port, web

RATE, CLIENTS, WARM_SECONDS = 50, 12, 5
SPEAKERS = 1_000  # people who give feedback, at random
PEOPLE = 100_000  # in all; the others stand where speakers stand, and liked what they like
LIKES_OF_OTHERS = 5
RELEARNED = 200


@contextlib.contextmanager
def installation():
    """Servers in a folder of their own, so that no other worker takes what is asked for here."""
    from recsite.local import services

    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    # Root's servers run as a system user, who has to get in.
    with tempfile.TemporaryDirectory(prefix="medley-online-") as folder:
        os.chmod(folder, 0o711)
        os.environ["MEDLEY_DATA"] = f"{folder}/data"
        os.environ["EMBEDDING_BACKEND"] = "hashing"
        os.environ["OMP_NUM_THREADS"] = "1"  # as recsite.local.processes has it
        services.start(lambda line: None)
        try:
            yield
        finally:
            services.stop(lambda line: None)


def fill(n_items: int) -> None:
    from django.core.management import call_command
    from django.db import connection

    from bench import catalogue
    from recommender import learn, train

    call_command("migrate", verbosity=0)
    catalogue.fill(n_items, n_people=SPEAKERS)
    learn.refresh_popularity()
    train.activate(train.train(), force=True)
    learn.place_everybody()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(
            "INSERT INTO catalog_user (uuid, source, external_id, kind, password, name, is_staff,"
            " is_superuser, is_active, consent_epoch) SELECT gen_random_uuid(), 'others', n::text,"
            " 'imported', '', '', false, false, true, 0 FROM generate_series(1, %s) n",
            [PEOPLE - SPEAKERS],
        )
        cursor.execute(
            "CREATE TEMP TABLE alike AS SELECT o.id AS other, s.id AS speaker FROM"
            " (SELECT id, row_number() OVER (ORDER BY id) AS n FROM catalog_user"
            "  WHERE source = 'bench') s JOIN catalog_user o"
            f" ON o.source = 'others' AND 1 + o.external_id::bigint % {SPEAKERS} = s.n"
        )
        cursor.execute(
            "INSERT INTO recommender_personfactors (user_id, version_id, factors)"
            " SELECT a.other, f.version_id, f.factors"
            " FROM alike a JOIN recommender_personfactors f ON f.user_id = a.speaker"
        )
        cursor.execute(
            "INSERT INTO catalog_feedback (uuid, user_id, item_id, kind, occurred_at, text, digest)"
            " SELECT gen_random_uuid(), a.other, f.item_id, f.kind, f.occurred_at, '', ''"
            " FROM alike a CROSS JOIN LATERAL (SELECT * FROM catalog_feedback f WHERE"
            " f.user_id = a.speaker ORDER BY md5((f.id + a.other)::text)"
            f" LIMIT {LIKES_OF_OTHERS}) f"
        )
        cursor.execute("VACUUM ANALYZE")


def relearned_a_second(people: list[int]) -> float:
    from recommender import learn

    learn.refresh_person(people[0])
    begun = time.perf_counter()
    for person in people[:RELEARNED]:
        learn.refresh_person(person)
    return RELEARNED / (time.perf_counter() - begun)


class Stream:
    """Feedback at a steady rate, and what became of it."""

    def __init__(self, port: int, people: list[tuple[int, str]], uuids: list[str]) -> None:
        self.http = urllib3.HTTPConnectionPool("127.0.0.1", port, maxsize=CLIENTS, retries=False)
        self.people, self.uuids = people, uuids
        self.posted: list[tuple[int, str]] = []  # person, id of the feedback
        self.post_seconds: list[float] = []
        self.changed: list[bool] = []
        self.late = 0.0

    def ask(self, token: str, method: str, path: str, body: dict | None = None) -> dict:
        answer = self.http.request(
            method,
            f"/api/v1/{path}",
            body=json.dumps(body) if body else None,
            headers={"Authorization": f"Token {token}", "Content-Type": "application/json"},
        )
        assert answer.status in (200, 201), answer.data[:300]
        return json.loads(answer.data)

    def list_of(self, token: str) -> list[str]:
        asked = self.ask(token, "GET", "recommendations/?limit=20")
        return [row["item"]["id"] for row in asked["results"]]

    def one(self, number: int, at: float) -> None:
        chance = random.Random(number)
        person, token = chance.choice(self.people)
        looks = number % 10 == 0
        if looks:
            before = self.list_of(token)
            item = before[0]
        else:
            item = chance.choice(self.uuids)
            time.sleep(max(0.0, at - time.monotonic()))
            self.late = max(self.late, time.monotonic() - at)
        begun = time.perf_counter()
        kept = self.ask(token, "POST", "feedback/", {"item": item, "kind": "like"})
        self.post_seconds.append(time.perf_counter() - begun)
        self.posted.append((person, kept["id"]))
        if looks:
            after = self.list_of(token)
            self.changed.append(item not in after and after != before and len(after) == 20)

    def run(self, seconds: float, *, first: int = 0) -> None:
        begun = time.monotonic()
        with ThreadPoolExecutor(CLIENTS) as pool:
            done = []
            for number in range(int(seconds * RATE)):
                at = begun + number / RATE
                time.sleep(max(0.0, at - 0.1 - time.monotonic()))
                done.append(pool.submit(self.one, first + number, at))
            for future in done:
                future.result()


class Closed:
    """When jobs of learning were closed with nothing left to learn, by person."""

    def __init__(self) -> None:
        self.moments: dict[int, list[float]] = defaultdict(list)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def _watch(self) -> None:
        from recsite.local import services

        last = 0.0
        with psycopg.connect(services.addresses().database_url, autocommit=True) as link:
            while not self.ended.wait(0.05):
                rows = link.execute(
                    "SELECT key, extract(epoch FROM done_at)::float8 FROM recommender_job"
                    " WHERE kind = 'learn' AND done_at > to_timestamp(%s)",
                    [last - 0.5],
                ).fetchall()
                for person, moment in rows:
                    if moment not in self.moments[person][-3:]:
                        self.moments[person].append(moment)
                    last = max(last, moment)


def started(*command: str, log) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, *command], stdout=log, stderr=log)


def main(n_items: int, rounds: int) -> None:
    import django

    django.setup()
    from django.db import connection
    from knox.models import get_token_model

    from catalog.models import Feedback, User

    fill(n_items)
    speakers = list(User.objects.filter(source="bench").order_by("pk")[:SPEAKERS])
    people = [(one.pk, get_token_model().objects.create(user=one)[1]) for one in speakers]
    relearned = relearned_a_second([one.pk for one in speakers])
    with connection.cursor() as cursor:
        cursor.execute("SELECT uuid::text FROM catalog_item ORDER BY id LIMIT 10000")
        uuids = [uuid for (uuid,) in cursor.fetchall()]
    seconds, port = max(20, rounds / 5), free_port()
    with open(f"{os.environ['MEDLEY_DATA']}/processes.log", "w") as log, web(port):
        processes = [
            started("manage.py", "relay", log=log),
            started("-m", "celery", "-A", "recsite", "worker", "--concurrency", "1", log=log),
        ]
        try:
            Stream(port, people, uuids).run(WARM_SECONDS, first=10**6)
            closed, stream = Closed(), Stream(port, people, uuids)
            stream.run(seconds)
            time.sleep(8)
            closed.ended.set()
            closed.thread.join()
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)
    received = dict(Feedback.objects.values_list("uuid", "received_at").order_by("-id")[:20_000])
    received = {str(uuid): moment.timestamp() for uuid, moment in received.items()}
    waits = []
    for person, uuid in stream.posted:
        after = [at for at in closed.moments[person] if at >= received[uuid]]
        waits.append(min(after) - received[uuid] if after else float("inf"))
    connection.close()
    cuts = sorted(waits)
    print(
        f"| {n_items:,} | {PEOPLE:,} | {len(waits) / seconds:.0f} |"
        f" {sum(stream.changed)} of {len(stream.changed)} |"
        f" {statistics.median(waits):.2f} | {cuts[int(0.95 * len(cuts))]:.2f} | {cuts[-1]:.2f} |"
        f" {statistics.median(stream.post_seconds) * 1000:.0f} | {relearned:.0f} |"
    )


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recsite.settings")
    with installation():
        main(int(sys.argv[1]), int(sys.argv[2]))
