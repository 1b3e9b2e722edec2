"""The encoder's server speaks OpenAI's form, and refuses what it does not understand."""

import base64
import io
import json

import numpy as np
import pytest

from recommender.embeddings.encoder import EncoderError
from recommender.embeddings.hashing import HashingEncoder
from recommender.embeddings.server import MAX_BODY_BYTES, application

ENCODER = HashingEncoder(dimension=8)


class ByRole(HashingEncoder):
    """Tells roles apart, as models do."""

    def encode(self, texts, *, role):
        return super().encode([f"{role} {text}" for text in texts], role=role)


def request(method, path, body=b"", encoder=ENCODER, get_encoder=None, **environ):
    """(status, answer) of the WSGI application."""
    started = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **environ,
    }
    app = application(get_encoder or (lambda: encoder))
    written = b"".join(app(environ, lambda status, headers: started.append((status, headers))))
    ((status, headers),) = started
    assert dict(headers) == {
        "Content-Type": "application/json",
        "Content-Length": str(len(written)),
    }
    return int(status.split()[0]), json.loads(written)


def ask(question, **options):
    body = question if isinstance(question, bytes) else json.dumps(question).encode()
    return request("POST", "/v1/embeddings", body, **options)


def test_one_text_gives_one_vector():
    status, answer = ask({"model": "hashing", "input": "kettle"})
    expected = ENCODER.encode(["kettle"], role="query")[0].tolist()
    assert (status, answer) == (
        200,
        {
            "object": "list",
            "data": [{"object": "embedding", "index": 0, "embedding": expected}],
            "model": "hashing",
            "digest": ENCODER.digest,
        },
    )


def test_several_texts_give_their_vectors_in_order():
    _, answer = ask({"model": "hashing", "input": ["kettle", "boots"]})
    expected = ENCODER.encode(["kettle", "boots"], role="query").tolist()
    assert [entry["embedding"] for entry in answer["data"]] == expected
    assert [entry["index"] for entry in answer["data"]] == [0, 1]


def test_base64_is_little_endian_float32():
    _, answer = ask({"model": "hashing", "input": "kettle", "encoding_format": "base64"})
    raw = base64.b64decode(answer["data"][0]["embedding"])
    assert np.array_equal(
        np.frombuffer(raw, dtype="<f4"), ENCODER.encode(["kettle"], role="query")[0]
    )


@pytest.mark.parametrize(("asked", "used"), [({}, "query"), ({"role": "item"}, "item")])
def test_a_text_is_a_query_unless_it_is_called_an_item(asked, used):
    encoder = ByRole(dimension=8)
    _, answer = ask({"model": "hashing", "input": "kettle", **asked}, encoder=encoder)
    assert answer["data"][0]["embedding"] == encoder.encode(["kettle"], role=used)[0].tolist()


def test_health_says_what_is_served():
    assert request("GET", "/health") == (
        200,
        {"status": "ok", "model": "hashing", "dimension": 8, "digest": ENCODER.digest},
    )


@pytest.mark.parametrize(("method", "path"), [("GET", "/health"), ("POST", "/v1/embeddings")])
def test_without_an_encoder_it_says_why(method, path):
    def get_encoder():
        raise EncoderError("run manage.py install_model e5")

    status, answer = request(method, path, b"{}", get_encoder=get_encoder)
    assert status == 503
    assert answer["error"]["message"] == "run manage.py install_model e5"
    assert answer["error"]["type"] == "server_error"


def test_an_encoder_that_fails_is_the_servers_fault():
    class Failing(HashingEncoder):
        def encode(self, texts, *, role):
            raise EncoderError("a vector that is not a number")

    status, answer = ask({"model": "hashing", "input": "kettle"}, encoder=Failing())
    assert (status, answer["error"]["message"]) == (500, "a vector that is not a number")


@pytest.mark.parametrize(
    ("question", "status", "parameter"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff\xfe", 400, None),
        (b"[" * 100_000, 400, None),
        (b"[]", 400, None),
        (b'"kettle"', 400, None),
        ({"input": "kettle"}, 400, "model"),
        ({"model": 1, "input": "kettle"}, 400, "model"),
        ({"model": "another", "input": "kettle"}, 404, "model"),
        ({"model": "hashing"}, 400, "input"),
        ({"model": "hashing", "input": []}, 400, "input"),
        ({"model": "hashing", "input": None}, 400, "input"),
        ({"model": "hashing", "input": {"a": 1}}, 400, "input"),
        ({"model": "hashing", "input": [1, 2]}, 400, "input"),
        ({"model": "hashing", "input": [["kettle"]]}, 400, "input"),
        ({"model": "hashing", "input": ["kettle"] * 257}, 400, "input"),
        ({"model": "hashing", "input": "kettle", "dimensions": 4}, 400, "dimensions"),
        ({"model": "hashing", "input": "kettle", "encoding_format": "hex"}, 400, "encoding_format"),
        ({"model": "hashing", "input": "kettle", "encoding_format": []}, 400, "encoding_format"),
        ({"model": "hashing", "input": "kettle", "role": "user"}, 400, "role"),
    ],
)
def test_what_it_does_not_understand_is_refused_in_openais_form(question, status, parameter):
    answered, answer = ask(question)
    error = answer["error"]
    assert (answered, error["param"], error["code"]) == (status, parameter, status)
    assert error["type"] == "invalid_request_error"
    assert error["message"]


def test_what_openai_has_and_it_does_not_need_is_allowed():
    question = {"model": "hashing", "input": "kettle", "user": "alice", "dimensions": 8}
    assert ask(question)[0] == 200


def test_256_texts_are_allowed():
    status, answer = ask({"model": "hashing", "input": ["kettle"] * 256})
    assert (status, len(answer["data"])) == (200, 256)


def test_a_body_that_is_too_large_is_refused_unread():
    body = io.BytesIO(b"x")
    status, _ = ask(b"", CONTENT_LENGTH=str(MAX_BODY_BYTES + 1), **{"wsgi.input": body})
    assert (status, body.tell()) == (413, 0)


@pytest.mark.parametrize("length", ["", "-1", "x"])
def test_a_body_of_unknown_length_is_refused(length):
    assert ask(b"{}", CONTENT_LENGTH=length)[0] == 411


def test_long_texts_are_cut_and_odd_characters_replaced():
    seen = []

    class Listening(HashingEncoder):
        def encode(self, texts, *, role):
            seen.extend(texts)
            return super().encode(texts, role=role)

    body = json.dumps({"model": "hashing", "input": ["x" * 10_000, "a\ud800b"]}).encode()
    assert ask(body, encoder=Listening())[0] == 200
    assert seen == ["x" * 8192, "a?b"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("POST", "/v1/completions", 404),
        ("GET", "/v1/embeddings", 405),
        ("POST", "/health", 405),
    ],
)
def test_there_is_nothing_else(method, path, status):
    answered, answer = request(method, path, b"{}")
    assert (answered, answer["error"]["code"]) == (status, status)


@pytest.mark.parametrize("name", ["hashing", "/models/hashing", "owner/hashing@1f2e", "hashing/"])
def test_a_model_may_be_named_by_where_it_lies(name):
    assert ask({"model": name, "input": "kettle"})[0] == 200
