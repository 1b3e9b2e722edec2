"""Several encoder servers behind one setting: one model, and whoever works is asked in time."""

import base64
import json
import logging
import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import numpy as np
import pytest

from recommender.embeddings import http
from recommender.embeddings.encoder import PROBE, EncoderError, EncoderUnavailable
from recommender.embeddings.hashing import HashingEncoder
from recommender.embeddings.http import HttpEncoder
from recommender.embeddings.server import application
from tests.embeddings.test_http import Foreign, serving

MODEL = HashingEncoder(dimension=16)
VECTOR_OF_PROBE = MODEL.encode([PROBE], role="item")[0].tolist()


def tells(question, model=MODEL, **more):
    """What a server of a model answers, without a digest, as those of others."""
    rows = model.encode(question["input"], role="item")
    data = [{"index": n, "embedding": row.tolist()} for n, row in enumerate(rows)]
    return {"data": data, "model": "somebody's", **more}


class Another(HashingEncoder):
    """Of the same name and dimension, with other weights."""

    def encode(self, texts, *, role):
        return super().encode([f"another {text}" for text in texts], role=role)


def other_order(question):
    answer = tells(question)
    answer["data"].reverse()
    return answer


def in_base64(question):
    answer = tells(question)
    for entry in answer["data"]:
        row = np.array(entry["embedding"], dtype="<f4")
        entry["embedding"] = base64.b64encode(row.tobytes()).decode()
    return answer


def not_a_number(question):
    answer = tells(question)
    answer["data"][-1]["embedding"][0] = float("nan")
    return answer


def fewer(question):
    return {"data": tells(question)["data"][:-1]}


def after_30_seconds(question):
    gone.wait(30)
    return tells(question)


gone = threading.Event()
FAILING = {
    "answers after 30 s": after_30_seconds,
    "500": lambda question: ("500 Oh", {"error": {"message": "oh"}}),
    "429": lambda question: ("429 Slow down", {"error": {"message": "slow down"}}),
    "404": lambda question: ("404 Not here", {"error": {"message": "no such model"}}),
    "half JSON": lambda question: json.dumps(tells(question)).encode()[:-30],
    "no JSON": lambda question: b"<html>Welcome",
    "another dimension": lambda question: tells(question, HashingEncoder(dimension=12)),
    "not a number": not_a_number,
    "fewer rows": fewer,
    "another model": lambda question: tells(question, Another(dimension=16)),
}


@pytest.fixture(autouse=True)
def _end_of_waiting():
    gone.clear()
    yield
    gone.set()


@contextmanager
def servers(*answers):
    """(the value of the setting, the servers) of one server for each way to answer."""
    with ExitStack() as stack:
        there = [Foreign(answer) for answer in answers]
        yield ",".join(stack.enter_context(serving(server)) for server in there), there
        gone.set()


def client(url, **how):
    how = {"dimension": 16, "probe": VECTOR_OF_PROBE, "prompts": {}, "timeout_seconds": 2.0} | how
    return HttpEncoder(url, "hashing", **how)


def expected(*texts):
    return MODEL.encode(texts, role="item")


@pytest.mark.parametrize("failing", FAILING)
def test_each_answer_comes_from_the_server_that_works(failing):
    with servers(FAILING[failing], tells) as (url, (bad, good)):
        encoder = client(url)
        for n in range(4):
            assert np.allclose(
                encoder.encode([f"kettle {n}"], role="query"), expected(f"kettle {n}"), atol=1e-6
            )
    assert 1 <= len(bad.questions) <= 2  # 404 is a refusal, not a failure: asked each other time
    assert len(good.questions) == 4


@pytest.mark.parametrize("failing", FAILING)
def test_items_never_get_the_vectors_of_a_server_that_fails(failing):
    texts = [f"kettle {n}" for n in range(80)]
    with servers(FAILING[failing], tells) as (url, _):
        rows = client(url, item_timeout_seconds=4.0).encode(texts, role="item")
    assert np.allclose(rows, expected(*texts), atol=1e-6)


@pytest.mark.parametrize("failing", FAILING)
def test_without_a_server_that_works_there_is_no_vector_and_the_time_is_kept(failing):
    with servers(FAILING[failing], FAILING[failing]) as (url, _):
        encoder, began = client(url, timeout_seconds=0.4), time.monotonic()
        for _ in range(3):
            with pytest.raises(EncoderError):
                encoder.encode(["kettle"], role="query")
        assert time.monotonic() - began < 2 * 0.4


def test_a_server_that_is_not_there_costs_nobody_an_answer():
    with servers(tells) as (url, _):
        encoder = client(f"http://127.0.0.1:1/v1, {url}")
        for _ in range(3):
            assert np.allclose(encoder.encode(["kettle"], role="query"), expected("kettle"))


@pytest.mark.parametrize("answer", [tells, other_order, in_base64])
def test_rows_are_put_in_order_whatever_form_they_come_in(answer):
    with servers(answer) as (url, _):
        rows = client(url).encode(["red", "green", "blue"], role="item")
    assert np.allclose(rows, expected("red", "green", "blue"), atol=1e-6)


def test_requests_go_round():
    with servers(tells, tells, tells) as (url, there):
        encoder = client(url)
        for n in range(9):
            encoder.encode([f"kettle {n}"], role="query")
    assert [len(server.questions) for server in there] == [3, 3, 3]


def test_a_query_waits_no_longer_than_its_patience_even_for_an_answer_that_drips():
    """Each byte begins a socket's time-out anew."""

    def drip(listener):
        connection, _ = listener.accept()
        with connection:
            connection.recv(10_000)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            for _ in range(40):
                if gone.wait(0.1):
                    return
                connection.sendall(b" ")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=drip, args=(listener,), daemon=True).start()
        encoder = client(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout_seconds=0.3)
        began = time.monotonic()
        with pytest.raises(EncoderUnavailable, match=r"within 0\.3 s"):
            encoder.encode(["kettle"], role="query")
        assert time.monotonic() - began < 0.6
        gone.set()


def test_one_call_finds_out_whether_a_server_is_back_and_the_others_do_not_wait(monkeypatch):
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.3)
    with servers(FAILING["500"]) as (url, (server,)):
        encoder = client(url)
        with pytest.raises(EncoderUnavailable):
            encoder.encode(["kettle"], role="query")
        server.answer = after_30_seconds
        time.sleep(0.3)
        trying = threading.Thread(target=encoder.encode, args=(["a"],), kwargs={"role": "query"})
        trying.start()
        while len(server.questions) < 2:
            time.sleep(0.01)
        began = time.monotonic()
        with pytest.raises(EncoderUnavailable, match="a moment ago"):
            encoder.encode(["kettle"], role="query")
        assert time.monotonic() - began < 0.2
        gone.set()
        trying.join()


def test_a_server_is_left_alone_for_as_long_as_it_asks(monkeypatch):
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.05)

    def app(environ, start_response):
        asked.append(environ)
        start_response("429 Slow down", [("Retry-After", "2"), ("Content-Length", "0")])
        return [b""]

    asked = []
    with serving(app) as url:
        encoder = client(url)
        for _ in range(3):
            with pytest.raises(EncoderUnavailable):
                encoder.encode(["kettle"], role="query")
            time.sleep(0.1)
    assert len(asked) == 1


def test_the_model_is_asked_for_once_and_again_after_a_failure(monkeypatch):
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.0)
    with servers(tells) as (url, (server,)):
        encoder = client(url)
        encoder.encode(["a"], role="query")
        encoder.encode(["b"], role="query")
        server.answer = FAILING["500"]
        with pytest.raises(EncoderUnavailable):
            encoder.encode(["c"], role="query")
        server.answer = tells
        encoder.encode(["d"], role="query")
        # It came back with other weights under the same name.
        server.answer = FAILING["500"]
        with pytest.raises(EncoderUnavailable):
            encoder.encode(["e"], role="query")
        server.answer = FAILING["another model"]
        with pytest.raises(EncoderError, match="other vectors .* 0.977.*somebody's"):
            encoder.encode(["f"], role="query")
    assert [question["input"] for question in server.questions] == [
        [PROBE, "a"],
        ["b"],
        ["c"],
        [PROBE, "d"],
        ["e"],
        [PROBE, "f"],
    ]


def test_two_servers_without_a_word_from_the_space_must_agree_with_each_other():
    with servers(tells, FAILING["another model"]) as (url, _):
        encoder = client(url, probe=None)
        for n in range(4):
            assert np.allclose(
                encoder.encode([f"kettle {n}"], role="query"), expected(f"kettle {n}"), atol=1e-6
            )


def test_a_prompt_that_a_server_adds_by_itself_is_noticed():
    def adds(question):
        return tells({"input": [f"passage: {text}" for text in question["input"]]})

    with servers(adds) as (url, _), pytest.raises(EncoderError, match="with its prompts"):
        client(url).encode(["kettle"], role="query")


def test_our_own_servers_tell_the_digest_and_need_no_probe():
    ours, theirs = HashingEncoder(dimension=16), HashingEncoder(dimension=16)
    theirs.digest = "f" * 64
    with (
        serving(application(lambda: theirs)) as other,
        serving(application(lambda: ours)) as url,
    ):
        encoder = client(
            f"{other},{url}", probe=None, prompts=None, digest=ours.digest, timeout_seconds=5
        )
        for n in range(4):
            assert np.allclose(
                encoder.encode([f"kettle {n}"], role="query"), expected(f"kettle {n}"), atol=1e-6
            )


def test_the_key_is_in_no_log_and_no_error(caplog):
    with servers(*FAILING.values(), tells) as (url, there), caplog.at_level(logging.DEBUG):
        encoder = client(url, api_key="s3cret-of-ours", timeout_seconds=0.5)
        for _ in range(12):
            with suppress(EncoderError):
                encoder.encode(["kettle"], role="query")
    assert "the next encoder is asked" in caplog.text
    assert "s3cret" not in caplog.text
    assert there[-1].headers[0]["HTTP_AUTHORIZATION"] == "Bearer s3cret-of-ours"
