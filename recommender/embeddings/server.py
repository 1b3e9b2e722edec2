"""An encoder behind POST /v1/embeddings in OpenAI's form, as a plain WSGI application.

Beyond that form a question may name its role (query or item), and the answer bears the encoder's
digest, so that a client of another space notices. Vectors are raw: their space centres them.
"""

import base64
import json
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from http import HTTPStatus
from types import MappingProxyType

import numpy as np

from recommender.embeddings.encoder import Encoder, EncoderError, served_name
from recommender.embeddings.text import well_formed

logger = logging.getLogger(__name__)

MAX_TEXTS = 256
MAX_BODY_BYTES = 1_000_000


class Refused(Exception):
    """A question that is answered with a 4xx or 503 and this message."""

    def __init__(self, status: HTTPStatus, message: str, parameter: str | None = None):
        super().__init__(message)
        self.status, self.parameter = status, parameter


def application(
    get_encoder: Callable[[], Encoder], others: Mapping[str, Encoder] = MappingProxyType({})
) -> Callable[..., Iterable[bytes]]:
    """The WSGI callable.

    get_encoder  called for each request; an EncoderError says why there is none (yet), which is
                 answered with 503. Its encoder is used by one thread at a time
    others       further encoders by the name they are asked for; looked up for each request
    """
    lock = threading.Lock()
    routes = {("GET", "/health"), ("POST", "/v1/embeddings")}

    def respond(environ: dict) -> tuple[HTTPStatus, dict]:
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        if path not in {known for _, known in routes}:
            raise Refused(HTTPStatus.NOT_FOUND, "only /v1/embeddings and /health are here")
        if (method, path) not in routes:
            raise Refused(HTTPStatus.METHOD_NOT_ALLOWED, f"{path} does not take {method}")
        question = read(environ) if method == "POST" else {}
        encoder = others.get(served_name(str(question.get("model"))))
        try:
            encoder = encoder or get_encoder()
        except EncoderError as error:
            raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        about = {"model": served_name(encoder.name), "digest": encoder.digest}
        if path == "/health":
            return HTTPStatus.OK, {"status": "ok", "dimension": encoder.dimension, **about}
        texts, role, as_base64 = understand(question, encoder)
        with lock:
            vectors = encoder.encode(texts, role=role)
        data = [
            {"object": "embedding", "index": index, "embedding": written(vector, as_base64)}
            for index, vector in enumerate(vectors)
        ]
        return HTTPStatus.OK, {"object": "list", "data": data, **about}

    def serve(environ: dict, start_response: Callable) -> Iterable[bytes]:
        try:
            status, answer = respond(environ)
        except Refused as refused:
            status = refused.status
            answer = error_form(str(refused), status, refused.parameter)
        except EncoderError as error:
            logger.error("%s", error)
            status = HTTPStatus.INTERNAL_SERVER_ERROR
            answer = error_form(str(error), status)
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return serve


def read(environ: dict) -> dict:
    """The JSON object in the body."""
    length = environ.get("CONTENT_LENGTH") or ""
    if not length.isdecimal():
        raise Refused(HTTPStatus.LENGTH_REQUIRED, "send a Content-Length")
    if int(length) > MAX_BODY_BYTES:
        raise Refused(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MAX_BODY_BYTES} bytes a request"
        )
    body = environ["wsgi.input"].read(int(length))
    try:
        question = json.loads(body)
    except (ValueError, RecursionError):
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not JSON") from None
    if not isinstance(question, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "the body is not a JSON object")
    return question


def understand(question: dict, encoder: Encoder) -> tuple[list[str], str, bool]:
    """(texts, role, whether vectors are written in base64)."""
    model = question.get("model")
    if not isinstance(model, str):
        raise Refused(HTTPStatus.BAD_REQUEST, "model must be a string", "model")
    if served_name(model) != (here := served_name(encoder.name)):
        raise Refused(HTTPStatus.NOT_FOUND, f"no model {model!r}, only {here!r}", "model")
    texts = question.get("input")
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise Refused(
            HTTPStatus.BAD_REQUEST, "input must be a string or a list of strings", "input"
        )
    if not 1 <= len(texts) <= MAX_TEXTS:
        raise Refused(HTTPStatus.BAD_REQUEST, f"input takes 1 to {MAX_TEXTS} texts", "input")
    if question.get("dimensions") not in (None, encoder.dimension):
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"dimensions can only be {encoder.dimension}", "dimensions"
        )
    encoding_format = choice(question, "encoding_format", ("float", "base64"))
    role = choice(question, "role", ("query", "item"))
    return [well_formed(text) for text in texts], role, encoding_format == "base64"


def choice(question: dict, parameter: str, choices: tuple[str, ...]) -> str:
    """The first of the choices if nothing is chosen."""
    value = question.get(parameter, choices[0])
    if value not in choices:
        raise Refused(
            HTTPStatus.BAD_REQUEST, f"{parameter} must be {' or '.join(choices)}", parameter
        )
    return value


def written(vector: np.ndarray, as_base64: bool) -> str | list[float]:
    if as_base64:
        return base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return vector.tolist()


def error_form(message: str, status: HTTPStatus, parameter: str | None = None) -> dict:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": parameter, "code": status.value}}
