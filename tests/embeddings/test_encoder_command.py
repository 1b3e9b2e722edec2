"""`manage.py encoder` answers from the start, waits for a missing model, and ends when told."""

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import urllib3
from django.core.management import CommandError, call_command

from recommender.embeddings.encoder import EncoderError
from recommender.embeddings.http import HttpEncoder
from recommender.management.commands import encoder as command
from tests.tiny_models import tiny_bert

ROOT = Path(__file__).resolve().parents[2]


def until(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)
    return found


def test_it_loads_the_model_of_the_settings_and_says_so():
    said = []
    later = command.LoadedLater(said.append)
    with pytest.raises(EncoderError, match="being loaded"):
        later()
    later._load()
    assert later().name == "hashing"
    assert said == ["hashing (64 dimensions) ready in 0.0 s"]


def test_a_missing_model_is_said_once_and_taken_when_it_comes(settings, tmp_path, monkeypatch):
    settings.EMBEDDING_BACKEND, settings.EMBEDDING_MODEL = "transformers", "tiny"
    settings.MODELS_FOLDER = tmp_path
    monkeypatch.setattr(command, "LOOK_AGAIN_SECONDS", 0.01)
    said = []
    later = command.LoadedLater(said.append)
    later.start()
    until(lambda: said)
    time.sleep(0.1)
    with pytest.raises(EncoderError, match="run python manage.py install_model tiny"):
        later()

    tiny_bert(tmp_path / "aside").rename(tmp_path / "tiny")
    until(lambda: len(said) == 2)
    assert said[0].startswith("no encoder: no model tiny")
    assert said[1].startswith("transformers:tiny (32 dimensions) ready")
    assert later().dimension == 32


def test_an_unexpected_fault_is_logged_and_tried_again(settings, monkeypatch, caplog):
    monkeypatch.setattr(command, "LOOK_AGAIN_SECONDS", 0.01)
    real, faults = command.load, [RuntimeError("the disk is on fire")]

    def load(*arguments, **options):
        if faults:
            raise faults.pop()
        return real(*arguments, **options)

    monkeypatch.setattr(command, "load", load)
    said = []
    command.LoadedLater(said.append)._load()
    assert said[0] == "no encoder: the disk is on fire"
    assert "Traceback" in caplog.text


def test_with_a_server_of_somebody_else_there_is_nothing_to_serve(settings):
    settings.EMBEDDING_BACKEND = "http"
    with pytest.raises(CommandError, match="another server encodes"):
        call_command("encoder")


@pytest.mark.slow
def test_the_process_serves_503_then_vectors_and_ends_quickly(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    http = urllib3.PoolManager(retries=False, timeout=5)

    def status():
        try:
            return http.request("GET", f"http://127.0.0.1:{port}/health").status
        except urllib3.exceptions.HTTPError:
            return None

    env = {**os.environ, "EMBEDDING_MODEL": "tiny", "MODELS_FOLDER": str(tmp_path)}
    env["EMBEDDING_BACKEND"] = "transformers"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "encoder", "--port", str(port)],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        until(lambda: status() == 503)
        tiny_bert(tmp_path / "aside").rename(tmp_path / "tiny")
        until(lambda: status() == 200)

        url = f"http://127.0.0.1:{port}/v1"
        encoder = HttpEncoder(url, "tiny", timeout_seconds=5)
        rows = []
        threads = [
            threading.Thread(
                target=lambda n=n: rows.append(encoder.encode([f"sea {n}"] * 3, role="query"))
            )
            for n in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [row.shape for row in rows] == [(3, 32)] * 8
    finally:
        process.terminate()
        began = time.monotonic()
        output, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert time.monotonic() - began < 5
    assert output.count("no encoder: no model tiny") == 1
