"""Keep each item's vector and words equal to its content, and what stands in for a new one.

Encoding is slow, so it holds no lock; writing locks the items and leaves out a text that has
changed since. Whoever changed it has left a job, which brings us back.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from django.conf import settings
from django.db import transaction

from recommender import jobs, store
from recommender.embeddings import centring, encoder
from recommender.embeddings.encoder import Encoder
from recommender.embeddings.fingerprint import fingerprint
from recommender.embeddings.text import GENERIC_TEXTS
from recommender.encoders import PATIENCE_SECONDS, encoder_of, keep_loaded
from recommender.models import EmbeddingSpace
from recommender.store import Space

CHUNK = 512  # items encoded together, so that equal lengths meet
SAMPLE = 300  # items whose mean is subtracted
FEW = 200  # below so many items, general sentences help out


def load_encoder() -> Encoder:
    """The encoder that the settings name. In a worker or a command: this may load torch."""
    return encoder.load(
        settings.EMBEDDING_MODEL,
        models_folder=Path(settings.MODELS_FOLDER),
        backend=settings.EMBEDDING_BACKEND,
        url=settings.ENCODER_URL,
        timeout_seconds=PATIENCE_SECONDS,
    )


def create_space(
    *,
    name: str = "",
    activate: bool = True,
    model: Encoder | None = None,
    sample: Sequence[int] | None = None,
) -> EmbeddingSpace:
    """A space for the model that the settings name, with means taken from items of now.

    model   that very model, if it is loaded already
    sample  the items to take the means from, else SAMPLE of all
    """
    model = model or load_encoder()
    sample = store.sample_item_ids(SAMPLE) if sample is None else sample
    texts = [store.text_of(c) for c in store.contents(sample)]
    if len(texts) < FEW:
        texts += GENERIC_TEXTS
    means = {role: centring.mean(model.encode(texts, role=role)) for role in ("item", "query")}
    space = store.create_space(
        name=name or _name(model),
        backend=settings.EMBEDDING_BACKEND,
        model=settings.EMBEDDING_MODEL,
        settings=model.settings,
        digest=model.digest,
        dimension=model.dimension,
        mean_item=[float(x) for x in means["item"]],
        mean_query=[float(x) for x in means["query"]],
    )
    if activate:
        activate_space(space)
    keep_loaded(space, model)
    return space


def activate_space(space: EmbeddingSpace) -> None:
    """Serve from this space at the next request.

    What was learned of texts was learned in another and says nothing here, so a training is asked
    for in the same transaction.
    """
    with transaction.atomic():
        store.activate(space)
        if store.active_version():
            jobs.request("train", [0])


def _name(model: Encoder) -> str:
    short = Path(settings.EMBEDDING_MODEL).name.lower().replace(".", "-")
    return f"{short}-{model.digest[:8]}"


def embed_items(space: EmbeddingSpace | None, item_ids: Sequence[int]) -> int:
    """Bring words and vectors of items up to date; how many vectors were written.

    Raises EncoderError when the model is missing or another; words are up to date even then.
    """
    store.index_words(item_ids)
    space = space or store.active_space() or create_space()
    found = {c.id: store.text_of(c) for c in store.contents(item_ids)}
    marks = {item: fingerprint(space.digest, text) for item, text in found.items()}
    known = store.fingerprints(space, list(found))
    stale = [item for item in found if known.get(item) != marks[item]]
    vectors = np.zeros((0, space.dimension), dtype=np.float32)
    if stale:
        raw = encoder_of(space).encode([found[item] for item in stale], role="item")
        vectors = centring.centre(raw, np.array(space.mean_item, dtype=np.float32))
    with transaction.atomic():
        now = {c.id: store.text_of(c) for c in store.contents(list(found), lock=True)}
        same = [row for row, item in enumerate(stale) if now.get(item) == found[item]]
        kept = [stale[row] for row in same]
        store.put_embeddings(space, kept, vectors[same], [marks[item] for item in kept])
        jobs.settle("embed", [item for item in found if now.get(item) == found[item]])
        if space.status == EmbeddingSpace.Status.ACTIVE:
            jobs.request("understand", kept)
    if space.status == EmbeddingSpace.Status.ACTIVE:
        store.adopt(Space(space.id, space.dimension), kept)
    return len(same)


def embed_everything(progress: Callable[[int], None] = lambda done: None) -> int:
    """Embed all items that are new or have changed; how many vectors were written."""
    space = store.active_space() or create_space()
    written = 0
    for chunk in store.item_id_chunks(CHUNK):
        written += embed_items(space, chunk)
        progress(len(chunk))
    return written


def sweep() -> None:
    """Mend what was missed: stale items are asked for, the index is there and whole, and every item
    with a vector has what the version in use says of it."""
    request_stale()
    if space := store.active_space():
        store.build_index(space)
        adopt_missed(space)


def adopt_missed(space: EmbeddingSpace) -> None:
    """Stand-ins for what came while another version was in use, or between vector and stand-ins."""
    at = Space(space.id, space.dimension)
    missed = store.items_to_adopt(at)
    for start in range(0, len(missed), CHUNK):
        store.adopt(at, missed[start : start + CHUNK])


def request_stale() -> int:
    """Ask for what no announcement told of: bulk changes, another text form. How many items."""
    space = store.active_space()
    if space is None:
        return 0
    asked = 0
    for chunk in store.item_id_chunks(2000):
        known = store.fingerprints(space, chunk)
        stale = [
            c.id
            for c in store.contents(chunk)
            if known.get(c.id) != fingerprint(space.digest, store.text_of(c))
        ]
        jobs.request("embed", stale)
        asked += len(stale)
    return asked
