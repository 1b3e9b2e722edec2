"""Real servers of which one follows the other: behind, frozen, killed, and in the other's place."""

import json
import os
import signal
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from threading import Event

import psycopg
import pytest

from recsite.local import services
from recsite.local.memory import remembered
from recsite.local.servers import Postgres, processes_in
from tests.faults.installation import Installation, free_port, kill, wait_until
from tests.faults.load import Client, rows, stock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
SETTINGS = {
    "EMBEDDING_BACKEND": "hashing", "EMBEDDING_MODEL": "hashing", "EXPLORATION_SHARE": "0",
    "ROTATION": "0",
}  # fmt: skip
CALLS = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE"
FIND, PERSON = f"{CALLS} '%fused AS%'", f"{CALLS} '%recommender_preference p%'"
SCANS = "SELECT sum(idx_scan) FROM pg_stat_user_indexes WHERE indexrelname LIKE '%_hnsw'"


class Copy(Postgres):
    """A streaming replica of an installation's PostgreSQL."""

    name, label = "replica", "the replica"

    def __init__(self, site: Installation) -> None:
        kept = remembered(site.data)
        super().__init__(site.data.resolve(), free_port(), kept["postgres_password"])
        self.home = site.data.resolve() / "replica"
        self.cluster, self.log = self.home / "cluster", self.home / "server.log"
        self.home.mkdir(mode=0o700)
        if self.account.is_other:
            os.chown(self.home, self.account.uid, self.account.gid)
        source = f"host=127.0.0.1 port={kept['postgres_port']} application_name=copy"
        self._run(
            *("pg_basebackup", "-R", "-X", "stream", "-c", "fast", "-D", self.cluster),
            *("-d", f"{source} user=medley password={self.password}"),
        )
        self.launch(print)

    @property
    def url(self) -> str:
        return f"postgresql://medley:{self.password}@127.0.0.1:{self.port}/medley"

    def rows(self, statement: str) -> list[tuple]:
        with psycopg.connect(self.url, autocommit=True) as link:
            cursor = link.execute(statement)
            return cursor.fetchall() if cursor.description else []


def signal_all(cluster: Path, number: signal.Signals) -> None:
    for process in processes_in(cluster, "postgres"):
        with suppress(ProcessLookupError):
            os.kill(process, number)


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="medley-faults-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def site(home) -> Iterator[Installation]:
    installation = Installation(home, **SETTINGS)
    try:
        stock(installation, people=61)
        rows(installation, "CREATE EXTENSION pg_stat_statements")
        yield installation
    finally:
        installation.close()


@pytest.fixture(scope="module")
def copy(site) -> Iterator[Copy]:
    server = Copy(site)
    # So few items would be read one by one.
    for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
        server.rows(f"ALTER SYSTEM SET {setting} = off")
    server.rows("SELECT pg_reload_conf()")
    try:
        yield server
    finally:
        signal_all(server.cluster, signal.SIGCONT)
        server.stop()


def all_say(site: Installation, used: bool) -> None:
    """Wait until both web processes see the replica so."""
    log = site.log_of(site.running[-1])

    def how_many_use_it() -> int:
        text = log.read_text()
        return text.count("replica1 is used") - text.count("replica1 is left out")

    wait_until(lambda: how_many_use_it() == (2 if used else 0), 40)
    said = json.loads(site.http.request("GET", "/health/ready").data)
    assert said["status"] == "ok"
    assert [state["is_used"] for state in said["replicas"]] == [used]


@contextmanager
def web(site: Installation, copy: Copy, *, lag_seconds: float) -> Iterator[None]:
    site.env |= {
        "REPLICA_URLS": copy.url, "REPLICA_LAG_SECONDS": str(lag_seconds), "DATABASE_POOL": "True"
    }  # fmt: skip
    site.start_web()
    try:
        all_say(site, used=True)
        yield
    finally:
        print(site.log_of(site.running[-1]).read_text()[-20_000:])
        kill(site.running[-1])


def test_what_is_looked_for_is_looked_for_on_the_replica_by_its_index(site, copy):
    with web(site, copy, lag_seconds=5):
        reader = Client(site, "ann")
        item = reader.ask("GET", "items/?limit=1")["results"][0]["id"]
        reader.ask("POST", "feedback/", {"item": item, "kind": "like"})
        wait_until(lambda: copy.rows("SELECT count(*) FROM catalog_feedback")[0][0] > 0, 10)
        for server in (copy.rows, lambda statement: rows(site, statement)):
            server("SELECT pg_stat_statements_reset()")
        scans = copy.rows(SCANS)[0][0]
        for _ in range(10):
            assert len(reader.list_from("api")) == 20
        reader.ask("GET", "search/?q=kettle")
        assert (copy.rows(FIND)[0][0], rows(site, FIND)[0][0]) == (10, 0)
        assert (copy.rows(PERSON)[0][0], rows(site, PERSON)[0][0]) == (0, 10)
        wait_until(lambda: copy.rows(SCANS)[0][0] >= scans + 10, 10)


def test_behind_within_the_bound_what_a_person_says_counts_at_once(site, copy):
    with web(site, copy, lag_seconds=600):
        reader = Client(site, "bea")
        first = reader.list_from("api")
        copy.rows("SELECT pg_wal_replay_pause()")
        try:
            finds = copy.rows(FIND)[0][0]
            kettle, hidden = first[0], first[-1]
            new = rows(
                site,
                "INSERT INTO catalog_item (uuid, kind, title, description, url, image_url, source,"
                " is_available, created_at, updated_at, language, currency, attributes, picture)"
                " SELECT gen_random_uuid(), kind, 'brand new', '', '', '', source, true, now(),"
                " now(), language, currency, attributes, '' FROM catalog_item LIMIT 1"
                " RETURNING uuid",
            )[0][0]
            reader.ask("POST", "feedback/", {"item": kettle, "kind": "like"})
            after_like = reader.list_from("api")
            assert kettle not in after_like
            assert after_like != first
            rows(site, f"UPDATE catalog_item SET is_available = false WHERE uuid = '{hidden}'")
            assert hidden not in reader.list_from("api")
            assert copy.rows(FIND)[0][0] == finds + 2
            reader.ask("POST", "feedback/", {"item": str(new), "kind": "like"})
            assert len(reader.list_from("api")) == 20
            # The replica lacks an item that was liked, so the primary was asked.
            assert copy.rows(FIND)[0][0] == finds + 2
        finally:
            copy.rows("SELECT pg_wal_replay_resume()")
            rows(site, f"UPDATE catalog_item SET is_available = true WHERE uuid = '{hidden}'")


def test_further_behind_the_primary_serves_until_it_has_caught_up(site, copy):
    with web(site, copy, lag_seconds=1):
        reader = Client(site, "cat")
        copy.rows("SELECT pg_wal_replay_pause()")
        try:
            reader.list_from("api")  # writes what was served
            all_say(site, used=False)
            finds = copy.rows(FIND)[0][0]
            for _ in range(6):
                assert len(reader.list_from("api")) == 20
            assert copy.rows(FIND)[0][0] == finds
        finally:
            copy.rows("SELECT pg_wal_replay_resume()")
        all_say(site, used=True)
        reader.list_from("api")
        assert copy.rows(FIND)[0][0] > finds


def asks_all_the_while(reader: Client, ended: Event) -> list[float]:
    """How long each list took; Client raises for whatever is no answer."""
    took = []
    while not ended.is_set():
        begun = time.monotonic()
        assert len(reader.list_from("api")) == 20
        took.append(time.monotonic() - begun)
    return took


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_a_replica_that_does_not_answer_fails_no_request(site, copy, fault):
    with web(site, copy, lag_seconds=1), ThreadPoolExecutor(3) as pool:
        ended = Event()
        readers = [Client(site, f"{name}-{fault.name.lower()}") for name in ("dan", "eve", "fay")]
        asking = [pool.submit(asks_all_the_while, reader, ended) for reader in readers]
        try:
            time.sleep(1)
            signal_all(copy.cluster, fault)
            all_say(site, used=False)
            time.sleep(6)  # longer than anybody waits
            if fault is signal.SIGSTOP:
                signal_all(copy.cluster, signal.SIGCONT)
            else:
                copy.launch(print)
            all_say(site, used=True)
            finds = copy.rows(FIND)[0][0]
            wait_until(lambda: copy.rows(FIND)[0][0] > finds, 20)
        finally:
            ended.set()
            signal_all(copy.cluster, signal.SIGCONT)
        took = [seconds for answers in asking for seconds in answers.result()]
    print(f"{fault.name}: {len(took)} lists, the slowest {max(took):.1f} s")
    assert max(took) < 4  # the bound, and a moment to notice


# --- one server in the other's place --------------------------------------------------------------


class Person:
    """Posts or asks until it is told to end, and tries again what was refused for the moment."""

    def __init__(self, site: Installation, name: str) -> None:
        self.client = Client(site, name)
        self.statuses: Counter[int] = Counter()
        self.kept: list[tuple[str, float]] = []  # what was acknowledged, and when

    def asks(self, method: str, path: str, body: dict | None = None) -> int:
        answer = self.client.pool.request(
            method, f"/api/v1/{path}", body=json.dumps(body), timeout=60,
            headers={
                "Content-Type": "application/json", "Authorization": f"Token {self.client.token}"
            },
        )  # fmt: skip
        self.statuses[answer.status] += 1
        if answer.status == 503:
            assert answer.headers["Retry-After"]
            time.sleep(0.2)
        elif answer.status >= 400:
            print(answer.status, answer.data[:500])
        return answer.status

    def posts(self, items: list[str], ended: Event) -> None:
        for number in count():
            said = {"id": str(uuid.uuid4()), "item": items[number % len(items)], "kind": "view"}
            while (status := self.asks("POST", "feedback/", said)) == 503:
                if ended.is_set():
                    return
            assert status in (201, 200)  # 200: it was kept, and that could not be said
            self.kept.append((said["id"], time.monotonic()))
            if ended.is_set():
                return

    def reads(self, ended: Event) -> None:
        while not ended.is_set():
            self.asks("GET", "recommendations/")


def test_when_a_synchronous_standby_takes_over_nothing_acknowledged_is_lost():
    with tempfile.TemporaryDirectory(prefix="medley-faults-") as name:
        Path(name).chmod(0o755)
        site = Installation(Path(name), **SETTINGS)
        try:
            fails_over(site)
        finally:
            site.close()


def fails_over(site: Installation) -> None:
    stock(site, people=61)
    primary = site.data.resolve() / "postgres" / "cluster"
    copy, here = Copy(site), services.addresses(site.data).database_url
    try:
        rows(site, "ALTER SYSTEM SET synchronous_standby_names = 'copy'")
        rows(site, "SELECT pg_reload_conf()")
        state = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"
        wait_until(lambda: site.count(state) == 1, 20)
        servers, name = here.rsplit("/", 1)
        site.env["DATABASE_URL"] = f"{servers},127.0.0.1:{copy.port}/{name}"
        site.env |= {"DATABASE_POOL": "True", "REPLICA_URLS": copy.url}
        site.start_web()
        all_say(site, used=True)
        ended = Event()
        posting, reading = (
            [Person(site, f"{what}{number}") for number in range(n)]
            for what, n in (("posts", 4), ("reads", 2))
        )
        found = posting[0].client.ask("GET", "items/?limit=100")["results"]
        items = [item["id"] for item in found]
        with ThreadPoolExecutor(6) as pool:
            busy = [pool.submit(person.posts, items, ended) for person in posting]
            busy += [pool.submit(person.reads, ended) for person in reading]
            try:
                time.sleep(4)
                signal_all(primary, signal.SIGKILL)
                killed_at = time.monotonic()
                time.sleep(2)
                before = sum(len(person.kept) for person in posting)
                assert before > 20
                assert copy.rows("SELECT pg_promote()") == [(True,)]
                promoted_at = time.monotonic()

                def all_post_again() -> bool:
                    for one in busy:
                        if one.done():
                            one.result()  # raises what ended it
                    return all(person.kept[-1][1] > promoted_at for person in posting)

                wait_until(all_post_again, 60)
                again = [
                    next(at for _, at in person.kept if at > promoted_at) for person in posting
                ]
                time.sleep(4)
            finally:
                ended.set()
            for one in busy:
                one.result()
        all_say(site, used=False)  # it is no replica any more
        statuses = sum((person.statuses for person in [*posting, *reading]), Counter())
        acknowledged = [said for person in posting for said, _ in person.kept]
        print(
            f"{statuses}, {before} of {len(acknowledged)} acknowledged before, all post again"
            f" {max(again) - promoted_at:.1f} s after the promotion, {max(again) - killed_at:.1f} s"
            " after the kill"
        )
        assert set(statuses) == {200, 201, 503}
        assert len(acknowledged) > before + 20
        there = [str(row[0]) for row in copy.rows("SELECT uuid FROM catalog_feedback")]
        assert len(there) == len(set(there))
        assert set(acknowledged) <= set(there)
        assert max(again) - promoted_at < 15
        site.env["DATABASE_URL"] = copy.url
        site.manage("verify_invariants")
    finally:
        for process in site.running:
            kill(process)
        print(site.log_of(site.running[-1]).read_text()[-20_000:])
        copy.stop()
