"""The client of an encoder behind HTTP waits briefly, then leaves a failing server alone."""

import json
import socket
import socketserver
import threading
import time
from contextlib import contextmanager
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import numpy as np
import pytest

from recommender.embeddings import http
from recommender.embeddings.encoder import EncoderError, EncoderUnavailable
from recommender.embeddings.hashing import HashingEncoder
from recommender.embeddings.http import HttpEncoder
from recommender.embeddings.server import application

ENCODER = HashingEncoder(dimension=8)
TEXTS = ["blue kettle", "推荐系统", "", "a\ud800b"]


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


class Threaded(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True


@contextmanager
def serving(app):
    """The URL of a server of this application on a free port."""
    with make_server("127.0.0.1", 0, app, server_class=Threaded, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


class Foreign:
    """A server of somebody else: answers what `answer` makes of a question, and remembers."""

    def __init__(self, answer):
        self.answer, self.questions, self.headers = answer, [], []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        self.questions.append(json.loads(body))
        self.headers.append(environ)
        answer = self.answer(self.questions[-1])
        status, answer = answer if isinstance(answer, tuple) else ("200 OK", answer)
        headers = [("Content-Type", "application/json"), ("Location", "/v1/elsewhere")]
        start_response(status, headers)
        return [answer if isinstance(answer, bytes) else json.dumps(answer).encode()]


def data(*embeddings):
    return {
        "data": [{"index": index, "embedding": row} for index, row in enumerate(embeddings)],
    }


def floats(question):
    return data(*([3.0, 4.0] for _ in question["input"]))


# --- our own server -----------------------------------------------------------------------------


@pytest.fixture
def url():
    with serving(application(lambda: ENCODER)) as url:
        yield url


def test_vectors_are_those_of_the_served_encoder(url):
    encoder = HttpEncoder(url, "hashing", dimension=8, timeout_seconds=5)
    for role in ("query", "item"):
        rows = encoder.encode(TEXTS, role=role)
        assert rows.dtype == np.float32
        assert np.allclose(rows, ENCODER.encode(TEXTS, role=role), atol=1e-7)


def test_many_texts_are_asked_in_several_requests(url):
    texts = [f"kettle {number}" for number in range(100)]
    rows = HttpEncoder(url, "hashing", dimension=8).encode(texts, role="item")
    assert np.allclose(rows, ENCODER.encode(texts, role="item"), atol=1e-7)


def test_texts_of_the_greatest_length_fit_into_requests_that_our_server_takes():
    class Quick(HashingEncoder):
        def encode(self, texts, *, role):
            assert {len(text) for text in texts} == {8192}
            return np.eye(8, dtype=np.float32)[[0] * len(texts)]

    quick = Quick(dimension=8)
    with serving(application(lambda: quick)) as url:
        rows = HttpEncoder(url, "hashing", dimension=8).encode(["科" * 9000] * 64, role="item")
    assert rows.shape == (64, 8)


def test_no_texts_ask_nobody():
    nobody = HttpEncoder("http://127.0.0.1:1/v1", "hashing", dimension=8)
    assert nobody.encode([], role="query").shape == (0, 8)


def test_the_role_reaches_our_server():
    listening = Foreign(floats)
    with serving(listening) as url:
        encoder = HttpEncoder(url, "e5", dimension=2)
        encoder.encode(["kettle"], role="item")
    assert listening.questions == [
        {"model": "e5", "input": ["kettle"], "encoding_format": "base64", "role": "item"}
    ]


def test_a_dimension_that_is_not_given_is_asked_and_so_is_the_digest(url):
    encoder = HttpEncoder(url, "hashing")
    assert (encoder.dimension, encoder.digest) == (8, ENCODER.digest)


def test_a_server_of_another_space_is_noticed(url):
    encoder = HttpEncoder(url, "hashing", dimension=8, digest="f" * 64, timeout_seconds=5)
    assert encoder.digest == "f" * 64
    with pytest.raises(EncoderError, match=r"the space was made with ffffffffffff: start .*again"):
        encoder.encode(["kettle"], role="query")


def test_a_server_of_another_model_is_noticed(url):
    encoder = HttpEncoder(url, "e5", dimension=8, timeout_seconds=5)
    with pytest.raises(EncoderError, match="answered 404: no model 'e5', only 'hashing'"):
        encoder.encode(["kettle"], role="query")


def test_another_dimension_is_noticed(url):
    encoder = HttpEncoder(url, "hashing", dimension=9, timeout_seconds=5)
    with pytest.raises(EncoderError, match=r"shape \(8,\), expected \(9,\)"):
        encoder.encode(["kettle"], role="query")


# --- slow or down -------------------------------------------------------------------------------


def test_a_slow_server_is_given_up_in_time():
    class Slow(HashingEncoder):
        def encode(self, texts, *, role):
            time.sleep(1.5)
            return super().encode(texts, role=role)

    slow = Slow(dimension=8)
    with serving(application(lambda: slow)) as url:
        encoder = HttpEncoder(url, "hashing", dimension=8)
        began = time.monotonic()
        with pytest.raises(EncoderUnavailable, match=r"within 0\.2 s"):
            encoder.encode(["kettle"], role="query")
        assert 0.19 < time.monotonic() - began < 1

        patient = HttpEncoder(url, "hashing", dimension=8)
        assert patient.encode(["kettle"], role="item").shape == (1, 8)


def test_a_server_that_is_down_says_how_to_start_it():
    with pytest.raises(EncoderUnavailable, match=r"is `python manage\.py encoder` running"):
        HttpEncoder("http://127.0.0.1:1/v1", "e5", dimension=2).encode(["kettle"], role="query")


@pytest.mark.parametrize("status", ["500 Oh", "503 Not yet", "429 Slow down"])
def test_after_a_failure_nobody_is_asked_for_a_while(status, monkeypatch):
    monkeypatch.setattr(http, "PAUSE_SECONDS", 0.3)
    failing = Foreign(lambda question: (status, {"error": {"message": "not now"}}))
    with serving(failing) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        with pytest.raises(EncoderUnavailable, match="not now"):
            encoder.encode(["kettle"], role="query")
        with pytest.raises(EncoderUnavailable, match="a moment ago"):
            encoder.encode(["kettle"], role="item")
        assert len(failing.questions) == 1

        failing.answer = floats
        time.sleep(0.3)
        assert encoder.encode(["kettle"], role="query").shape == (1, 2)


def test_a_refused_question_does_not_make_the_server_unavailable():
    refusing = Foreign(lambda question: ("400 Bad", {"error": {"message": "too long"}}))
    with serving(refusing) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        for _ in range(2):
            with pytest.raises(EncoderError, match="answered 400: too long") as caught:
                encoder.encode(["kettle"], role="query")
            assert not isinstance(caught.value, EncoderUnavailable)
    assert len(refusing.questions) == 2


def test_a_kept_connection_that_the_server_closes_is_opened_again():
    body = json.dumps(data([3.0, 4.0])).encode()
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
    read = []

    def serve(listener):
        # The first connection answers once and closes upon its second question; the next answers.
        for answers in (1, 1):
            connection, _ = listener.accept()
            with connection:
                for _ in range(answers):
                    read.append(connection.recv(10_000))
                    connection.sendall(answer)
                if len(read) == 1:
                    read.append(connection.recv(10_000))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        for _ in range(2):
            assert np.allclose(encoder.encode(["kettle"], role="query"), [[0.6, 0.8]])
        thread.join()
    assert len(read) == 3


# --- servers of others --------------------------------------------------------------------------


def test_prompts_are_put_before_the_text_for_servers_that_know_no_role():
    listening = Foreign(floats)
    with serving(listening) as url:
        prompts = {"query": "query: ", "item": "passage: "}
        encoder = HttpEncoder(url, "e5", dimension=2, prompts=prompts, timeout_seconds=5)
        encoder.encode(["kettle"], role="query")
        encoder.encode(["kettle"], role="item")
    assert [question["input"] for question in listening.questions] == [
        ["query: kettle"],
        ["passage: kettle"],
    ]
    assert all("role" not in question for question in listening.questions)


def test_vectors_that_are_not_unit_or_not_in_order_are_set_right():
    def answer(question):
        return {
            "data": [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 4.0]}]
        }

    with serving(Foreign(answer)) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        assert np.allclose(encoder.encode(["a", "b"], role="query"), [[0.6, 0.8], [0, 1]])


def test_a_server_without_base64_is_asked_for_numbers_from_then_on():
    def answer(question):
        if question["encoding_format"] == "base64":
            return "422 No", {"error": {"message": "encoding_format: only float"}}
        return floats(question)

    listening = Foreign(answer)
    with serving(listening) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        for _ in range(2):
            assert encoder.encode(["kettle"], role="query").shape == (1, 2)
    asked = [question["encoding_format"] for question in listening.questions]
    assert asked == ["base64", "float", "float"]


def test_the_key_of_the_environment_is_sent(monkeypatch):
    monkeypatch.setenv("EMBEDDING_API_KEY", "s3cret")
    listening = Foreign(floats)
    with serving(listening) as url:
        HttpEncoder(url, "e5", dimension=2, timeout_seconds=5).encode(["a"], role="query")
    assert listening.headers[0]["HTTP_AUTHORIZATION"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"<html>", "not answer in the form"),
        (b"[]", "not answer in the form"),
        ({"data": [{"index": 0}]}, "not answer in the form"),
        ({"data": [{"index": 0, "embedding": "%%%"}]}, "not answer in the form"),
        ({"data": [{"index": 0, "embedding": {"a": 1}}]}, "not answer in the form"),
        ({"data": []}, "0 vectors for 1 texts"),
        (data([1.0, 0.0], [1.0, 0.0]), "2 vectors for 1 texts"),
        (data([1.0, 0.0, 0.0]), r"shape \(3,\), expected \(2,\)"),
        (data([0.0, 0.0]), "zero or not a number"),
        (data([float("nan"), 0.0]), "zero or not a number"),
    ],
)
def test_an_answer_that_makes_no_sense_is_an_error(answer, message):
    with serving(Foreign(lambda question: answer)) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        with pytest.raises(EncoderError, match=message):
            encoder.encode(["kettle"], role="query")


def test_a_redirection_is_not_followed():
    moved = Foreign(lambda question: ("307 Moved", {}))
    with serving(moved) as url:
        encoder = HttpEncoder(url, "e5", dimension=2, timeout_seconds=5)
        with pytest.raises(EncoderError, match="answered 307"):
            encoder.encode(["kettle"], role="query")
    assert len(moved.questions) == 1


def test_without_a_digest_names_and_prompts_make_one():
    def digest(model="e5", **options):
        return HttpEncoder("http://127.0.0.1:1/v1", model, dimension=2, **options).digest

    assert digest() == digest(model="/models/e5")
    assert len({digest(), digest("bge"), digest(prompts={}), digest(prompts={"query": "q"})}) == 4
