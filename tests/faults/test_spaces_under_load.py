"""A space of another model is filled, switched to, gone back from and retired while people use the
site: no request fails, no list mixes two spaces, and a worker that is killed loses no item."""

import shutil
import time

import pytest

from tests.faults.installation import Installation, kill, wait_until
from tests.faults.load import FEEDBACK, ITEMS, READERS, Client, Load, rows, stock
from tests.tiny_models import tiny_bert

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
WORKERS = 4
FILLED = (
    "SELECT count(*) FROM recommender_itemembedding e JOIN recommender_embeddingspace s"
    " ON s.id = e.space_id WHERE s.name = 'new'"
)
REFILLS = "SELECT count(*) FROM recommender_job WHERE kind = 'refill' AND done_at IS NULL"


@pytest.fixture
def site(home):
    """A shop whose texts a hashing model reads, and a real model in the folder of models."""
    it = Installation(
        home,
        EMBEDDING_BACKEND="hashing",
        EMBEDDING_MODEL="hashing",
        EXPLORATION_SHARE="0",
        ROTATION="0",
        MODELS_FOLDER=str(home / "models"),
    )
    try:
        shutil.move(tiny_bert(home / "aside"), home / "models" / "tiny")
        stock(it, people=60)
        it.start_web()
        it.start_relay()
        yield it
    finally:
        it.close()


def test_lists_are_of_one_space_while_spaces_come_and_go_and_a_worker_is_killed(site):
    readers, writer = [Client(site, f"reader{n}") for n in range(READERS)], Client(site, "writer")
    items = [item["id"] for item in writer.ask("GET", "items/?limit=100")["results"]]
    for number, reader in enumerate(readers):
        for item in items[number::20]:
            reader.ask("POST", "feedback/", {"item": item, "kind": "like"})
    workers = [site.start_worker() for _ in range(WORKERS)]
    wait_until(lambda: site.open_jobs() == 0, 180)
    rows(site, "VACUUM ANALYZE")  # or autovacuum would change plans in the middle
    before = [reader.lists() for reader in readers]

    filling = Load(readers, writer, items)
    try:
        filling.goes_on()
        site.manage("spaces", "create", "new", "--model", "tiny", "--backend", "transformers")
        wait_until(lambda: site.count(FILLED) > 0 or workers[0].poll() is not None, 180)
        kill(workers[0])
        wait_until(lambda: site.count(REFILLS) == 0, 240)
        filling.goes_on()
    finally:
        filling.end()
    assert site.count(FILLED) == ITEMS
    assert {tuple(answer.items) for answer in filling.answers} == {
        tuple(lists[place]) for lists in before for place in lists
    }

    # What the new space will show is known before.
    site.manage("spaces", "activate", "new")
    after = [reader.lists() for reader in readers]
    site.manage("spaces", "back")
    assert [reader.lists() for reader in readers] == before
    assert all(old["api"] != new["api"] for old, new in zip(before, after, strict=True))
    assert all(len(new["api"]) == 20 for new in after)

    switching = Load(readers, writer, items)
    try:
        switching.goes_on()
        activating_at = time.monotonic()
        site.manage("spaces", "activate", "new")
        active_at = time.monotonic()
        switching.goes_on()
        going_back_at = time.monotonic()
        site.manage("spaces", "back")
        back_at = time.monotonic()
        switching.goes_on()
        site.manage("spaces", "retire", "new")
        switching.goes_on()
    finally:
        switching.end()
    switching.judge(before, after, activating_at, active_at, going_back_at, back_at)
    assert site.count(FILLED) == 0
    posted = set(filling.posted + switching.posted)
    assert posted <= {str(kept) for (kept,) in rows(site, FEEDBACK)}
    wait_until(lambda: site.open_jobs() == 0, 180)
    site.manage("verify_invariants")
