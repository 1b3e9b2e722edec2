"""Nothing that lies in a folder, a cache, a queue or a table is run: no pickle, and no module.

A canary is a pickle that makes a folder when it is read, put wherever something is read from.
"""

import base64
import hashlib
import json
import os
import pickle
import shutil
import socket
from contextlib import suppress
from uuid import uuid4

import pytest
from django.conf import settings
from django.core.cache import cache
from django.test import Client
from kombu import Connection, Queue
from kombu.exceptions import ContentDisallowed

from catalog.models import Session
from recommender.embeddings.encoder import EncoderError
from recommender.embeddings.transformers import TransformersEncoder
from recommender.store.versions import Damaged, unpack
from recsite.celery import app
from tests.tiny_models import tiny_bert


class Canary:
    def __init__(self, path) -> None:
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.fixture
def sung(tmp_path):
    """Where the canary makes its folder."""
    return tmp_path / "sung"


@pytest.fixture
def canary(sung) -> bytes:
    return pickle.dumps(Canary(sung))


def test_the_canary_sings_when_it_is_read(canary, sung):
    pickle.loads(canary)
    assert sung.exists()


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_bert(tmp_path_factory.mktemp("models") / "tiny", dense=[(32, 16, "Tanh")])


def test_no_file_of_a_model_is_read_as_a_pickle(model, tmp_path, canary, sung):
    files = [path.relative_to(model) for path in model.rglob("*") if path.is_file()]
    assert len(files) > 5
    for number, name in enumerate(files):
        folder = shutil.copytree(model, tmp_path / f"model-{number}")
        (folder / name).write_bytes(canary)
        with pytest.raises(Exception, match=r"."):
            TransformersEncoder(folder)
    for name in ("pytorch_model.bin", "model.pt", "model.ckpt", "tokenizer.pkl", "2_Dense.bin"):
        folder = shutil.copytree(model, tmp_path / f"beside-{name}")
        (folder / name).write_bytes(canary)
        TransformersEncoder(folder)
        for weights in folder.rglob("*.safetensors"):
            weights.unlink()
        with pytest.raises(EncoderError):
            TransformersEncoder(folder)
    assert not sung.exists()


@pytest.mark.parametrize("where", ["modules", "config", "tokenizer"])
def test_no_code_of_a_model_is_run_and_nothing_is_asked_of_a_network(
    model, tmp_path, sung, monkeypatch, where
):
    folder = shutil.copytree(model, tmp_path / "model")
    (folder / "canary.py").write_text(f"import os; os.mkdir({str(sung)!r})\nModule = object\n")
    monkeypatch.syspath_prepend(folder)
    if where == "modules":
        modules = json.loads((folder / "modules.json").read_text())
        modules[-1]["type"] = "canary.Module"
        (folder / "modules.json").write_text(json.dumps(modules))
    else:
        name = "config.json" if where == "config" else "tokenizer_config.json"
        config = json.loads((folder / name).read_text())
        config |= {
            "auto_map": {"AutoModel": "canary.Module", "AutoTokenizer": ["canary.Module"] * 2}
        }
        config["model_type" if where == "config" else "tokenizer_class"] = "CanaryModule"
        (folder / name).write_text(json.dumps(config))
    asked = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: asked.append(address))
    # A tokenizer is data in tokenizer.json, which is read in the place of the class.
    with suppress(EncoderError) if where == "tokenizer" else pytest.raises(EncoderError):
        TransformersEncoder(folder)
    assert (asked, sung.exists()) == ([], False)


def test_weights_in_the_database_are_tensors_and_never_a_pickle(canary, sung):
    with pytest.raises(Damaged, match="cannot be read"):
        unpack(canary, hashlib.sha256(canary).hexdigest())
    assert not sung.exists()


def test_the_cache_reads_json_alone(canary, sung):
    key = f"canary-{uuid4()}"
    client = cache.client.get_client(write=True)
    client.set(cache.make_key(key), canary, ex=60)
    try:
        with pytest.raises(ValueError, match="."):
            cache.get(key)
    finally:
        client.delete(cache.make_key(key))
    assert not sung.exists()


@pytest.mark.django_db
def test_a_session_is_no_pickle(alice, canary, sung):
    client = Client()
    client.force_login(alice)
    for data in (canary, base64.b64encode(canary)):
        Session.objects.update(session_data=data.decode("latin-1").replace("\0", "0"))
        assert client.get("/account/").status_code == 302  # to sign in: it is no session
    assert not sung.exists()


def test_a_worker_takes_no_message_that_is_a_pickle(canary, sung):
    refused = []

    def receive(body, message) -> None:  # pragma: no cover, it must not be reached
        pytest.fail("a pickle was taken")

    def decode_error(message, error) -> None:
        refused.append(error)
        message.ack()

    with Connection(settings.CELERY_BROKER_URL) as connection:
        queue = Queue(f"canary-{uuid4()}", durable=False, auto_delete=True)
        producer = connection.Producer()
        producer.publish(
            canary,
            content_type="application/x-python-serialize",
            content_encoding="binary",
            routing_key=queue.name,
            declare=[queue(connection.default_channel)],
        )
        with connection.Consumer(
            queue,
            callbacks=[receive],
            accept=app.conf.accept_content,
            on_decode_error=decode_error,
        ):
            connection.drain_events(timeout=5)
        queue(connection.default_channel).delete()
    assert [type(error) for error in refused] == [ContentDisallowed]
    assert not sung.exists()
