"""Versions are trained, activated, taken back, killed and retired while people use the site.

A real web server under clients that never stop: each list they get is wholly of one version, no
request fails, and what they say meanwhile is kept.
"""

import time
from datetime import UTC, datetime

import psycopg
import pytest

from recsite.local import services
from tests.faults.installation import Installation, kill, wait_until
from tests.faults.load import FEEDBACK, READERS, Client, Load, feedback, load, rows, stock

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


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
        stock(it, people=160)
        load(it, "feedback.csv", "user,item,kind,at", feedback(range(60, 160), 7, seed=2))
        it.start_web()
        it.start_relay()
        it.start_worker()
        yield it
    finally:
        it.close()


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

    load.judge(before, after, activating_at, active_at, going_back_at, back_at)
    assert set(load.posted) <= {str(kept) for (kept,) in rows(site, FEEDBACK)}
    kept_of = "SELECT DISTINCT v.name FROM recommender_learneditem JOIN recommender_modelversion v"
    assert rows(site, f"{kept_of} ON v.id = version_id") == [(first,)]
    wait_until(lambda: site.open_jobs() == 0, 120)
    site.manage("verify_invariants")
