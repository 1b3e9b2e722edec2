"""What keeps a space from being filled, and what becomes of the work, the vectors and the lists."""

import logging
import shutil
from collections import namedtuple

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from recommender import embed, encoders, jobs, store, tasks
from recommender.embeddings.transformers import TransformersEncoder
from recommender.models import ItemEmbedding, Job
from recommender.recommend import recommend
from tests.factories import embed_and_learn, make_item
from tests.tiny_models import tiny_bert

pytestmark = pytest.mark.django_db(transaction=True)
Usage = namedtuple("Usage", "total used free")


def work_off():
    Job.objects.filter(done_at=None).update(due_at="2026-01-01T00:00Z")
    for kind, ids in jobs.take():
        if kind in ("embed", "refill"):
            getattr(tasks, kind)(ids)


@pytest.fixture
def refilling():
    """A shop with a space in use, and another that is to be filled."""
    for n in range(8):
        make_item(f"kettle {n}")
    embed_and_learn()
    active = store.active_space()
    # The same model once more, which is what a space of other settings looks like.
    fields = {
        name: getattr(active, name)
        for name in ("backend", "model", "digest", "dimension", "mean_item", "mean_query")
    }
    space = store.create_space(name="new", **fields)
    embed.request_stale()
    return space


@pytest.fixture
def disk(monkeypatch):
    """The room that there is, in bytes; to be changed."""
    room = {"free": 10**12}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: Usage(10**12, 0, room["free"]))
    return room


def assert_waits(space, why):
    waiting = Job.objects.filter(kind="refill")
    assert {(job.attempts, job.parked_at, job.done_at) for job in waiting} == {(0, None, None)}
    assert all(why in job.error for job in waiting)
    assert store.fill(space) == (0, 8)


def test_a_disk_that_is_nearly_full_stops_the_filling_until_there_is_room(refilling, disk, alice):
    disk["free"] = 10**8
    for _ in range(5):  # more often than a job is attempted
        work_off()
    assert_waits(refilling, "only 0.09 GiB are free")
    with pytest.raises(CommandError, match="a space that is not in use waits for 1"):
        call_command("spaces", "fill", "new")
    item = make_item("a kettle that is new")  # what is served is not held up
    work_off()
    assert ItemEmbedding.objects.get(item=item).space == store.active_space()
    assert len(recommend(alice.pk, limit=5).results) == 5

    disk["free"] = 10**12
    work_off()
    assert store.fill(refilling) == (9, 9)
    assert jobs.open_jobs("refill") == 0


def test_the_index_of_a_space_that_is_not_in_use_waits_for_room_too(refilling, disk):
    embed.fill(refilling)
    disk["free"] = 10**8
    embed.sweep()
    assert store.index_state(refilling) == "missing"
    with pytest.raises(CommandError, match="are free on the disk"):
        call_command("spaces", "activate", "new")
    disk["free"] = 10**12
    embed.sweep()
    assert store.index_state(refilling) == "valid"


def test_a_database_without_room_costs_no_job_an_attempt(refilling, alice):
    """Raised by Postgres itself with its own code, where the first vector is written."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
            " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$"
        )
        cursor.execute(
            "CREATE TRIGGER no_room BEFORE INSERT ON recommender_itemembedding"
            " FOR EACH ROW EXECUTE FUNCTION no_room()"
        )
    try:
        for _ in range(5):
            work_off()
        assert_waits(refilling, "the disk of the database is full")
        assert len(recommend(alice.pk, limit=5).results) == 5
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP FUNCTION no_room CASCADE")
    work_off()
    assert store.fill(refilling) == (8, 8)


def test_the_disk_of_a_database_elsewhere_cannot_be_seen_and_that_is_said(
    refilling, settings, capsys
):
    settings.LOCAL = None
    call_command("spaces", "list")
    assert "whose disk cannot be seen from here" in capsys.readouterr().out
    work_off()
    assert store.fill(refilling) == (8, 8)


def test_a_worker_with_another_revision_of_the_model_writes_nothing(tmp_path, settings, caplog):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    tiny_bert(right / "tiny")
    tiny_bert(wrong / "tiny", pooling="cls")  # of the same name and dimension
    settings.EMBEDDING_BACKEND, settings.EMBEDDING_MODEL = "transformers", "tiny"
    settings.MODELS_FOLDER = right
    first = make_item("the blue kettle")
    embed.embed_everything()
    space = store.active_space()
    second = make_item("running shoes")

    settings.MODELS_FOLDER = wrong
    encoders._loaded.clear()  # a worker of its own
    with caplog.at_level(logging.ERROR):
        for _ in range(5):
            work_off()
    assert "is not what the space was made with" in caplog.text
    waiting = Job.objects.get(kind="embed", key=second.pk)
    assert (waiting.attempts, waiting.parked_at) == (0, None)
    assert "is not what the space was made with" in waiting.error
    assert not ItemEmbedding.objects.filter(item=second).exists()

    settings.MODELS_FOLDER = right
    encoders._loaded.clear()
    work_off()
    assert jobs.open_jobs("embed") == 0
    model = TransformersEncoder(right / "tiny")
    for item in (first, second):
        [content] = store.contents([item.pk])
        raw = model.encode([store.text_of(content)], role="item")
        expected = embed.centring.centre(raw, np.array(space.mean_item, dtype=np.float32))[0]
        assert np.array(ItemEmbedding.objects.get(item=item).embedding) @ expected > 0.999
