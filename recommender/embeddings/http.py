"""An encoder behind HTTP: our own `manage.py encoder`, or any server of OpenAI's /v1/embeddings.

A request of a person waits for it, so it waits briefly: after one failure the next five seconds
are answered EncoderUnavailable at once, and the caller goes on with words.
"""

import base64
import hashlib
import json
import os
import time
from collections.abc import Mapping, Sequence

import numpy as np
import urllib3

from recommender.embeddings.encoder import (
    EncoderError,
    EncoderUnavailable,
    Role,
    one_line,
    served_name,
    unit_rows,
)
from recommender.embeddings.text import well_formed

PAUSE_SECONDS = 5.0
ITEM_TIMEOUT_SECONDS = 60.0
BATCH_TEXTS = 32  # of the greatest length they are still below our server's 1 MB


class HttpEncoder:
    """Safe for several threads; the connections are kept."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        dimension: int | None = None,
        digest: str | None = None,
        prompts: Mapping[Role, str] | None = None,
        timeout_seconds: float = 0.2,
        item_timeout_seconds: float = ITEM_TIMEOUT_SECONDS,
        api_key: str | None = None,
    ):
        """
        url        up to and with "/v1"
        dimension  None asks the server, once and now
        digest     that of the space: an answer of our own server that bears another is an error.
                   None takes the server's if it was asked and tells one, else makes one of names
        prompts    put before a text here. None leaves that to the server and tells it the role,
                   which our own understands and others may refuse
        timeout_seconds, item_timeout_seconds  of one HTTP request of up to 32 texts, by role
        api_key    else the environment's EMBEDDING_API_KEY, else none
        Raises     EncoderError, EncoderUnavailable if the dimension had to be asked
        """
        self.name = f"http:{model}"
        self._url = f"{url.rstrip('/')}/embeddings"
        self._model = model
        self._prompts = None if prompts is None else dict(prompts)
        self._seconds: dict[Role, float] = {
            "query": timeout_seconds,
            "item": item_timeout_seconds,
        }
        self._headers = {"Content-Type": "application/json"}
        if key := api_key or os.environ.get("EMBEDDING_API_KEY"):
            self._headers["Authorization"] = f"Bearer {key}"
        self._pool = urllib3.PoolManager(maxsize=8)
        self._digest = digest  # None until it is known
        self._encoding_format = "base64"
        self._silent_until = 0.0  # time.monotonic()
        self.dimension = dimension or self._ask(["kettle"], "item", None).shape[1]
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
        parts = [np.empty((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(texts), BATCH_TEXTS):
            parts.append(self._ask(texts[start : start + BATCH_TEXTS], role, self.dimension))
        return np.concatenate(parts)

    def _ask(self, texts: Sequence[str], role: Role, dimension: int | None) -> np.ndarray:
        question = {
            "model": self._model,
            "input": [well_formed(text) for text in texts],
            "encoding_format": self._encoding_format,
        }
        if self._prompts is None:
            question["role"] = role
        else:
            prompt = self._prompts.get(role, "")
            question["input"] = [prompt + text for text in question["input"]]
        status, body = self._post(question, role)
        if status in (400, 422) and self._encoding_format == "base64" and b"encoding" in body:
            self._encoding_format = question["encoding_format"] = "float"
            status, body = self._post(question, role)
        if status != 200:
            raise EncoderError(f"{self._url} answered {status}: {_message(body)}")
        return self._rows(body, len(texts), dimension)

    def _post(self, question: dict, role: Role) -> tuple[int, bytes]:
        if time.monotonic() < self._silent_until:
            raise EncoderUnavailable(f"{self._url} failed a moment ago and is not asked")
        body = json.dumps(question, ensure_ascii=False).encode()
        try:
            response = self._send(body, self._seconds[role])
        except urllib3.exceptions.HTTPError as error:
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            raise EncoderUnavailable(
                f"no answer from {self._url} within {self._seconds[role]} s ({one_line(error)}): "
                "is `python manage.py encoder` running?"
            ) from error
        if response.status == 429 or response.status >= 500:
            self._silent_until = time.monotonic() + PAUSE_SECONDS
            raise EncoderUnavailable(
                f"{self._url} answered {response.status}: {_message(response.data)}"
            )
        return response.status, response.data

    def _send(self, body: bytes, seconds: float) -> urllib3.BaseHTTPResponse:
        def send() -> urllib3.BaseHTTPResponse:
            return self._pool.request(
                "POST",
                self._url,
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

    def _rows(self, body: bytes, texts: int, dimension: int | None) -> np.ndarray:
        try:
            answer = json.loads(body)
            found = sorted(answer["data"], key=lambda entry: entry["index"])
            indexes = [entry["index"] for entry in found]
            rows = np.array([_row(entry["embedding"]) for entry in found], dtype=np.float32)
            digest = answer.get("digest")
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise EncoderError(
                f"{self._url} does not answer in the form of /v1/embeddings ({one_line(error)})"
            ) from error
        if indexes != list(range(texts)):
            raise EncoderError(f"{self._url} answered {len(found)} vectors for {texts} texts")
        self._digest = self._digest or digest
        if digest not in (None, self._digest):
            raise EncoderError(
                f"{self._url} encodes with the digest {digest[:12]}, the space was made with "
                f"{self._digest[:12]}: start `python manage.py encoder` again with the "
                "EMBEDDING_MODEL of the active space"
            )
        width = dimension or (rows.shape[1] if rows.ndim == 2 else 0)
        return unit_rows(rows, name=self.name, dimension=width)


def _row(embedding: str | list[float]) -> np.ndarray:
    if isinstance(embedding, str):
        return np.frombuffer(base64.b64decode(embedding, validate=True), dtype="<f4")
    return np.array(embedding, dtype=np.float32)


def _message(body: bytes) -> str:
    """What an error says in OpenAI's form, else how it begins."""
    try:
        return json.loads(body)["error"]["message"]
    except (ValueError, TypeError, KeyError):
        return body[:200].decode(errors="replace")
