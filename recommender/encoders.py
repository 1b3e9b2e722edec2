"""The encoder of a space: asked over HTTP while somebody waits, loaded where work is done.

A web process never loads a model; it asks the encoder process and gives up soon.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from django.conf import settings

from recommender.embeddings import encoder
from recommender.embeddings.encoder import Encoder
from recommender.embeddings.http import HttpEncoder
from recommender.models import EmbeddingSpace
from recommender.shared import Shared

PATIENCE_SECONDS = 60.0  # nobody waits for a worker as for a page

_loaded: dict[int, Encoder] = {}  # by space: a process loads a model once
# By space and patience; a client remembers that its server is down.
_clients: dict[tuple[int, float], HttpEncoder] = {}


def encoder_of(space: EmbeddingSpace) -> Encoder:
    """The encoder that made a space, or EncoderError: vectors of another would be noise in it.

    In a worker or a command: this may load torch.
    """
    if space.id not in _loaded:
        _loaded[space.id] = encoder.load(
            space.model,
            models_folder=Path(settings.MODELS_FOLDER),
            backend=space.backend,
            url=settings.ENCODER_URL,
            timeout_seconds=PATIENCE_SECONDS,
            dimension=space.dimension,
            digest=space.digest,
            probe=space.probe,
        )
    return _loaded[space.id]


def keep_loaded(space: EmbeddingSpace, model: Encoder) -> None:
    """Let `encoder_of` give this model, of which the space was made, and not load it again."""
    _loaded[space.id] = model


def encode_queries(
    space: EmbeddingSpace, texts: Sequence[str], *, timeout_seconds: float | None = None
) -> np.ndarray:
    """(n, d) raw vectors of queries, by the encoder process; EncoderError if it does not answer.

    timeout_seconds  None is what a search waits
    """
    if space.backend == "hashing":  # unit tests: no model, so no process either
        from recommender.embeddings.hashing import HashingEncoder

        return HashingEncoder(space.dimension).encode(texts, role="query")
    patience = timeout_seconds or settings.ENCODER_TIMEOUT_SECONDS
    if (space.id, patience) not in _clients:
        _clients[space.id, patience] = HttpEncoder(
            settings.ENCODER_URL,
            space.model,
            dimension=space.dimension,
            digest=space.digest,
            probe=space.probe,
            # Our own encoder process knows its model's prompts; a server elsewhere does not.
            prompts=space.settings.get("prompts") if space.backend == "http" else None,
            timeout_seconds=patience,
        )
    return _clients[space.id, patience].encode(texts, role="query")


# What one searches for others search for too, and an encoder takes 20 to 40 ms for it. Of 384
# dimensions 20,000 are 32 MB.
QUERIES = Shared("query", slots=20_000, kept_seconds=3600)


def query_vector(space: EmbeddingSpace, text: str, encode: Callable[[], np.ndarray]) -> np.ndarray:
    """(1, d) the raw vector of a query, as it was encoded lately or is now: bit by bit the same.

    encode  what it raises is raised
    """

    def load(kept: bytes) -> np.ndarray:
        vector = np.frombuffer(kept, dtype="<f4")  # ValueError for a part of one
        if vector.shape != (space.dimension,) or not np.isfinite(vector).all():
            raise ValueError("not a vector of this space")
        return vector[None, :]

    return QUERIES.get(
        [space.id, space.digest, "query", text],
        encode,
        fresh_seconds=QUERIES.kept_seconds,
        dump=lambda raw: raw.astype("<f4").tobytes(),
        load=load,
    )
