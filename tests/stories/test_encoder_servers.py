"""Servers that encode fail in every way: searches answer by words, and no work is given up."""

import time

import numpy as np
import pytest

from recommender import embed, encoders, jobs, store, tasks
from recommender.embeddings.http import HttpEncoder
from recommender.models import ItemEmbedding, Job
from tests.conftest import client_of
from tests.embeddings.test_http_servers import FAILING, gone, servers, tells
from tests.factories import make_item

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _own_clients(monkeypatch):
    monkeypatch.setitem(HttpEncoder.__init__.__kwdefaults__, "item_timeout_seconds", 0.5)
    encoders._clients.clear()
    gone.clear()
    yield
    encoders._clients.clear()
    gone.set()


def begin(settings, url):
    settings.EMBEDDING_BACKEND, settings.EMBEDDING_MODEL = "http", "somebody's"
    settings.ENCODER_URL = url
    make_item("a red kettle")
    embed.embed_everything()


def work_off():
    Job.objects.filter(done_at=None).update(due_at="2026-01-01T00:00Z")
    for kind, ids in jobs.take():
        if kind == "embed":
            tasks.embed(ids)


@pytest.mark.parametrize("failing", FAILING)
def test_a_worker_waits_without_an_attempt_and_stores_the_right_vector_at_last(failing, settings):
    with servers(tells) as (url, (server,)):
        begin(settings, url)
        item = make_item("a blue kettle")
        server.answer = FAILING[failing]
        encoders._loaded.clear()  # a worker that starts then
        encoders._clients.clear()
        work_off()
        waiting = Job.objects.get(kind="embed", key=item.pk)
        assert (waiting.attempts, waiting.parked_at, waiting.done_at) == (0, None, None)
        assert waiting.error
        assert not ItemEmbedding.objects.filter(item=item).exists()

        gone.set()
        server.answer = tells
        encoders._loaded.clear()  # or it would be left alone for some seconds more
        work_off()
    assert jobs.open_jobs("embed") == 0
    vector = np.array(ItemEmbedding.objects.get(item=item).embedding)
    [raw] = tells({"input": [store.text_of(*store.contents([item.pk]))]})["data"]
    mean = np.array(store.active_space().mean_item)
    expected = np.array(raw["embedding"]) - mean
    assert vector @ expected / np.linalg.norm(expected) > 0.999


@pytest.mark.parametrize("failing", FAILING)
def test_a_search_answers_by_words_in_time(failing, settings, alice):
    with servers(tells) as (url, (server,)):
        begin(settings, url)
        client = client_of(alice)
        server.answer = FAILING[failing]
        began = time.monotonic()
        answer = client.get("/api/v1/search/?q=kettle")
        took = time.monotonic() - began
    assert answer.status_code == 200
    assert [row["title"] for row in answer.json()["results"]] == ["a red kettle"]
    assert took < settings.ENCODER_TIMEOUT_SECONDS + 0.5
