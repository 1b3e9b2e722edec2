"""Encoders behind HTTP: our own `manage.py encoder`, or any servers of OpenAI's /v1/embeddings.

A request of a person waits for them, so it waits briefly: a server that failed is left alone for
five seconds, then one call finds out whether it is back. Meanwhile the others are asked; where
there is none, the answer is EncoderUnavailable at once, and the caller goes on with words.

Servers of one setting must hold one model. Our own tells its digest; of others each is asked for
the vector of PROBE together with the first texts it is asked for, and again after each failure.
"""

import base64
import hashlib
import json
import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import numpy as np
import urllib3

from recommender.embeddings.encoder import (
    PROBE,
    EncoderError,
    EncoderUnavailable,
    Role,
    one_line,
    served_name,
    unit_rows,
)
from recommender.embeddings.text import well_formed

log = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0
REFUSED_SECONDS = 60.0  # of one that holds another model: somebody has to set it right
LONGEST_PAUSE_SECONDS = 300.0  # whatever a server asks for
ITEM_TIMEOUT_SECONDS = 60.0
# With PROBE 32, which every server takes; of the greatest length still below our server's 1 MB.
BATCH_TEXTS = 31
SAME_MODEL = 0.999  # cosine: float32 and bfloat16 of one model are nearer, two models are not


class HttpEncoder:
    """Safe for several threads; the connections are kept."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        dimension: int | None = None,
        digest: str | None = None,
        probe: Sequence[float] | None = None,
        prompts: Mapping[Role, str] | None = None,
        timeout_seconds: float = 0.2,
        item_timeout_seconds: float = ITEM_TIMEOUT_SECONDS,
        api_key: str | None = None,
    ):
        """
        url        up to and with "/v1"; several are separated by commas
        dimension  None asks a server, once and now
        digest     that of the space: an answer of our own server that bears another is an error.
                   None takes the server's if it was asked and tells one, else makes one of names
        probe      the vector of PROBE as an item, from when the space was made. None takes that of
                   the first of several servers to answer
        prompts    put before a text here. None leaves that to the server and tells it the role,
                   which our own understands and others may refuse
        timeout_seconds       of a call for queries, however many servers it asks
        item_timeout_seconds  the same for each 31 items of a call
        api_key    else the environment's EMBEDDING_API_KEY, else none
        Raises     EncoderError, EncoderUnavailable if the dimension had to be asked
        """
        self.name = f"http:{model}"
        self._model = model
        self._prompts = None if prompts is None else dict(prompts)
        self._seconds: dict[Role, float] = {
            "query": timeout_seconds,
            "item": item_timeout_seconds,
        }
        key = api_key or os.environ.get("EMBEDDING_API_KEY")
        self._servers = [Server(address, api_key=key) for address in addresses(url)]
        self._turns = count()
        self._digest = digest  # None until it is known
        self._probe = None if probe is None else np.array(probe, dtype=np.float32)
        self._must_probe = probe is not None or len(self._servers) > 1
        self.dimension = dimension or self._ask([PROBE], "item", None, self._until("item")).shape[1]
        self.settings = {
            "model": model,
            "prompts": self._prompts,
            "normalize": True,
            "dimension": self.dimension,
        }
        identity = {**self.settings, "model": served_name(model)}
        of_names = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.digest = self._digest or of_names

    def encode(self, texts: Sequence[str], *, role: Role) -> np.ndarray:
        parts, until = [np.empty((0, self.dimension), dtype=np.float32)], self._until(role)
        for start in range(0, len(texts), BATCH_TEXTS):
            if role == "item":  # nobody waits: each part has its time
                until = self._until(role)
            parts.append(self._ask(texts[start : start + BATCH_TEXTS], role, self.dimension, until))
        return np.concatenate(parts)

    def _until(self, role: Role) -> float:
        return time.monotonic() + self._seconds[role]

    def _ask(
        self, texts: Sequence[str], role: Role, dimension: int | None, until: float
    ) -> np.ndarray:
        """Of the servers that are not left alone, the next in turn, then the others."""
        first = next(self._turns) % len(self._servers)
        in_turn = self._servers[first:] + self._servers[:first]
        may_answer = [server for server in in_turn if not server.is_left_alone()]
        errors: list[EncoderError] = []
        for others, server in zip(range(len(may_answer) - 1, -1, -1), may_answer, strict=True):
            left = until - time.monotonic()
            if left <= 0 or not server.takes_turn():
                continue
            try:
                # One that hangs must leave time for the next.
                return self._rows(server, texts, role, dimension, left / 2 if others else left)
            except EncoderError as error:
                errors.append(error)
                if others:
                    log.warning("the next encoder is asked: %s", error)
        if not errors:
            there = ", ".join(server.url for server in self._servers)
            raise EncoderUnavailable(f"{there} failed a moment ago and is not asked")
        raise next((e for e in errors if isinstance(e, EncoderUnavailable)), errors[-1])

    def _rows(
        self, server: "Server", texts: Sequence[str], role: Role, dimension: int | None, left: float
    ) -> np.ndarray:
        probes = self._must_probe and not server.is_checked
        asked = [self._prompted(text, role) for text in texts]
        if probes:
            asked.insert(0, self._prompted(PROBE, "item"))
        question = {"model": self._model, "input": asked}
        if self._prompts is None:
            question["role"] = role
        rows, digest, named = server.ask(question, seconds=left)
        width = dimension or (rows.shape[1] if rows.ndim == 2 else 0)
        try:
            rows = unit_rows(rows, name=f"{self.name} at {server.url}", dimension=width)
        except EncoderError:
            server.fails(PAUSE_SECONDS)
            raise
        if fault := self._is_another(server, digest, named, rows[0] if probes else None):
            server.fails(REFUSED_SECONDS)
            raise EncoderError(fault)
        server.answers()
        return rows[1:] if probes else rows

    def _prompted(self, text: str, role: Role) -> str:
        return (self._prompts or {}).get(role, "") + well_formed(text)

    def _is_another(
        self, server: "Server", digest: str | None, named: str | None, probe: np.ndarray | None
    ) -> str:
        """Why a server does not hold the model of the space; empty if it does."""
        self._digest = self._digest or digest
        if digest not in (None, self._digest):
            return (
                f"{server.url} encodes with the digest {digest[:12]}, the space was made with "
                f"{self._digest[:12]}: start `python manage.py encoder` again with the "
                "EMBEDDING_MODEL of the active space"
            )
        if digest or probe is None:
            return ""
        if self._probe is None:
            self._probe = probe
        cosine = float(probe @ self._probe / np.linalg.norm(self._probe))
        if cosine >= SAME_MODEL:
            return ""
        return (
            f"{server.url} gives other vectors than the space was made with (cosine {cosine:.4f},"
            f" it calls its model {named!r}): serve {self._model} there, in the revision of the"
            " space and with its prompts"
        )


class Server:
    """One address, and what is known of it: whether it is left alone, and whether it was checked.

    Safe for several threads.
    """

    def __init__(self, url: str, *, api_key: str | None = None):
        self.url = f"{url.rstrip('/')}/embeddings"
        self.is_checked = False
        self._headers = {"Content-Type": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Bearer {api_key}"
        self._pool = urllib3.PoolManager(maxsize=8)
        # Resolving a name has no time-out, and that of a socket begins anew with each byte.
        self._threads = ThreadPoolExecutor(max_workers=8, thread_name_prefix="encoder")
        self._encoding_format = "base64"
        self._lock = threading.Lock()
        self._left_alone_until: float | None = None  # time.monotonic(); None while it answers

    def is_left_alone(self) -> bool:
        return self._left_alone_until is not None and time.monotonic() < self._left_alone_until

    def takes_turn(self) -> bool:
        """Whether this call may ask: of one that failed, one call finds out if it is back."""
        with self._lock:
            if self.is_left_alone():
                return False
            if self._left_alone_until is not None:
                self._left_alone_until = time.monotonic() + PAUSE_SECONDS
            return True

    def answers(self) -> None:
        with self._lock:
            self._left_alone_until, self.is_checked = None, True

    def fails(self, pause_seconds: float) -> None:
        """Leave it alone for a while; who knows with which model it comes back."""
        with self._lock:
            self._left_alone_until = time.monotonic() + pause_seconds
            self.is_checked = False

    def ask(self, question: dict, *, seconds: float) -> tuple[np.ndarray, str | None, str | None]:
        """(n, d) float32 rows as they came, and the digest and the name of the model, if told.

        Raises EncoderError, EncoderUnavailable
        """
        until = time.monotonic() + seconds
        question = question | {"encoding_format": self._encoding_format}
        status, body = self._post(question, seconds)
        if status in (400, 422) and self._encoding_format == "base64" and b"encoding" in body:
            self._encoding_format = question["encoding_format"] = "float"
            status, body = self._post(question, max(until - time.monotonic(), 0.001))
        if status != 200:
            raise EncoderError(f"{self.url} answered {status}: {_message(body)}")
        try:
            return _read(body, len(question["input"]))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            self.fails(PAUSE_SECONDS)
            raise EncoderError(
                f"{self.url} does not answer in the form of /v1/embeddings ({one_line(error)})"
            ) from error

    def _post(self, question: dict, seconds: float) -> tuple[int, bytes]:
        body = json.dumps(question, ensure_ascii=False).encode()
        try:
            response = self._threads.submit(self._send, body, seconds).result(timeout=seconds)
        except (urllib3.exceptions.HTTPError, TimeoutError) as error:
            self.fails(PAUSE_SECONDS)
            raise EncoderUnavailable(
                f"no answer from {self.url} within {seconds:.2g} s ({one_line(error)}): "
                "is `python manage.py encoder` running?"
            ) from error
        if response.status == 429 or response.status >= 500:
            self.fails(_pause_seconds(response.headers.get("Retry-After", "")))
            raise EncoderUnavailable(
                f"{self.url} answered {response.status}: {_message(response.data)}"
            )
        return response.status, response.data

    def _send(self, body: bytes, seconds: float) -> urllib3.BaseHTTPResponse:
        def send() -> urllib3.BaseHTTPResponse:
            return self._pool.request(
                "POST",
                self.url,
                body=body,
                headers=self._headers,
                timeout=urllib3.Timeout(total=seconds),
                retries=False,  # and no redirection is followed
            )

        try:
            return send()
        except urllib3.exceptions.ProtocolError:
            # The server closed a kept connection just then. That costs no time and says nothing
            # about the server, and encoding twice does no harm.
            return send()


def addresses(url: str) -> list[str]:
    """
    >>> addresses("http://a/v1, http://b/v1/")
    ['http://a/v1', 'http://b/v1/']
    """
    return [part.strip() for part in url.split(",") if part.strip()]


def _read(body: bytes, texts: int) -> tuple[np.ndarray, str | None, str | None]:
    answer = json.loads(body)
    found = sorted(answer["data"], key=lambda entry: entry["index"])
    if [entry["index"] for entry in found] != list(range(texts)):
        raise ValueError(f"{len(found)} vectors for {texts} texts")
    rows = np.array([_row(entry["embedding"]) for entry in found], dtype=np.float32)
    digest, named = answer.get("digest"), answer.get("model")
    if not isinstance(digest, str | None):
        raise TypeError("the digest is not a string")
    return rows, digest, named


def _row(embedding: str | list[float]) -> np.ndarray:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.array(embedding, dtype=np.float32)


def _pause_seconds(retry_after: str) -> float:
    """What a server asks for in seconds; a date, which few send, is not read."""
    asked = float(retry_after) if retry_after.isascii() and retry_after.isdecimal() else 0.0
    return min(max(asked, PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)


def _message(body: bytes) -> str:
    """What an error says in OpenAI's form, else how it begins."""
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace")
