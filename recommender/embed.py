"""Keep each item's vectors and words equal to its content, and what stands in for a new one.

A new space is filled beside the active one, by jobs that let new items pass; the one that was
active before is kept equal to the content too, so that going back costs one update.

Encoding is slow, so it holds no lock; writing locks the items and leaves out a text that has
changed since. Whoever changed it has left a job, which brings us back.
"""

import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
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
from recommender.models import EmbeddingSpace, ModelVersion
from recommender.store import Space

CHUNK = 512  # items encoded together, so that equal lengths meet
SAMPLE = 300  # items whose mean is subtracted
GIB = 2**30
FEW = 200  # below so many items, general sentences help out


class Unready(Exception):
    """A space may not be used that way now; the message says why, and what to do."""


class NoRoom(Unready, jobs.NotYet):
    """The disk is nearly full: what can wait does, until there is room again."""


def load_encoder(model: str = "", backend: str = "") -> Encoder:
    """The encoder of a model, or that which the settings name. In a worker or a command: this may
    load torch."""
    return encoder.load(
        model or settings.EMBEDDING_MODEL,
        models_folder=Path(settings.MODELS_FOLDER),
        backend=backend or settings.EMBEDDING_BACKEND,
        url=settings.ENCODER_URL,
        timeout_seconds=PATIENCE_SECONDS,
    )


def create_space(
    *,
    name: str = "",
    activate: bool = True,
    model: Encoder | None = None,
    called: str = "",
    backend: str = "",
    sample: Sequence[int] | None = None,
) -> EmbeddingSpace:
    """A space for a model, with means taken from items of now.

    model            that very model, if it is loaded already
    called, backend  how to load it again, if not as the settings say
    sample           the items to take the means from, else SAMPLE of all
    """
    called, backend = called or settings.EMBEDDING_MODEL, backend or settings.EMBEDDING_BACKEND
    model = model or load_encoder(called, backend)
    sample = store.sample_item_ids(SAMPLE) if sample is None else sample
    texts = [store.text_of(c) for c in store.contents(sample)]
    if len(texts) < FEW:
        texts += GENERIC_TEXTS
    means = {role: centring.mean(model.encode(texts, role=role)) for role in ("item", "query")}
    space = store.create_space(
        name=name or _name(called, model),
        backend=backend,
        model=called,
        settings=model.settings,
        digest=model.digest,
        dimension=model.dimension,
        mean_item=[float(x) for x in means["item"]],
        mean_query=[float(x) for x in means["query"]],
        probe=[float(x) for x in model.encode([encoder.PROBE], role="item")[0]],
    )
    if activate:
        activate_space(space)
    keep_loaded(space, model)
    return space


def activate_space(space: EmbeddingSpace, *, back: bool = False) -> ModelVersion | None:
    """Serve from this space at the next request. The one that was active is kept, to go back to.

    What was learned of texts was learned in one space and says nothing in another. A version that
    was learned in this one becomes active in the same transaction; where there is none, a training
    is asked for. So are vectors of wishes.

    back     of versions, only one that was served with the space before
    Returns  the version that is served with it, if one was learned in it
    """
    version = store.version_learned_in(space, served=back)
    with transaction.atomic():
        store.activate(space)
        jobs.request("wish", store.people_with_wishes_to_encode(space))
        if version:
            store.activate_version(version)
            jobs.request("relearn", [0])  # people are compared within one version
        elif store.active_version():
            jobs.request("train", [0])
    return version


def free_bytes() -> int | None:
    """Room on the disk of the database; None where it is another machine's, and cannot be seen."""
    return shutil.disk_usage(settings.DATA_FOLDER).free if settings.LOCAL else None


def look_for_room() -> None:
    """Raise NoRoom where less than DISK_FLOOR_GIB is free, which serving shall have for itself."""
    free = free_bytes()
    if free is not None and free < settings.DISK_FLOOR_GIB * GIB:
        raise NoRoom(
            f"only {free / GIB:.2f} GiB are free on the disk of the database: a space that is not"
            f" in use waits for {settings.DISK_FLOOR_GIB:g}; free some, or retire a space"
        )


def switch(space: EmbeddingSpace, *, force: bool = False) -> ModelVersion | None:
    """Activate a space that is full and whose index is whole; the index is built if it is missing.

    force    also if items have no vector in it: they are found by words alone until they do
    Returns  the version that is served with it, if one was learned in it
    Raises   Unready
    """
    if space.status == EmbeddingSpace.Status.RETIRED:
        raise Unready(f"{space.name} was retired: its vectors are gone; create a space anew")
    have, total = store.fill(space)
    if have < total and not force:
        raise Unready(
            f"{space.name} has vectors of {have} of {total} items: workers go on filling it, or"
            f" manage.py spaces fill {space.name} does it here"
        )
    state = store.index_state(space)
    if state == "building":
        raise Unready(f"the index of {space.name} is being built: activate it when that has ended")
    if state != "valid":
        look_for_room()
    store.build_index(space)
    return activate_space(space)


def go_back() -> EmbeddingSpace:
    """Activate the space that was active before. Raises Unready where none is kept."""
    former = store.former_space()
    if former is None:
        raise Unready("there is no space to go back to: none was active before, or it was retired")
    activate_space(former, back=True)
    return former


def retire(space: EmbeddingSpace) -> None:
    """Remove the vectors of a space that is not active. Raises Unready."""
    try:
        store.retire(space)
    except ValueError:
        raise Unready(f"{space.name} is active: activate another first") from None


def _name(called: str, model: Encoder) -> str:
    short = Path(called).name.lower().replace(".", "-")
    return f"{short}-{model.digest[:8]}"


def embed_items(space: EmbeddingSpace | None, item_ids: Sequence[int]) -> int:
    """Bring words and vectors of items up to date; how many vectors were written.

    space   None is the active one, and then other spaces that are kept get theirs by jobs
    Raises  EncoderError when the model is missing or another; words are up to date even then
    """
    store.index_words(item_ids)
    return _embed(
        space or store.active_space() or create_space(), item_ids, tell_others=space is None
    )


def refill_items(item_ids: Sequence[int]) -> int:
    """Bring the vectors of items up to date in each space that is kept, as embed_items does.

    Raises NoRoom, and then nothing was written
    """
    look_for_room()
    return sum(_embed(space, item_ids) for space in store.kept_spaces())


def _embed(space: EmbeddingSpace, item_ids: Sequence[int], *, tell_others: bool = False) -> int:
    found = {c.id: store.text_of(c) for c in store.contents(item_ids)}
    marks = {item: fingerprint(space.digest, text) for item, text in found.items()}
    known = store.fingerprints(space, list(found))
    stale = [item for item in found if known.get(item) != marks[item]]
    vectors = np.zeros((0, space.dimension), dtype=np.float32)
    if stale:
        raw = encoder_of(space).encode([found[item] for item in stale], role="item")
        vectors = centring.centre(raw, np.array(space.mean_item, dtype=np.float32))
    with transaction.atomic():
        # Another may have become active, or this one retired, while the model was at work.
        status = store.status_now(space)
        if status == EmbeddingSpace.Status.RETIRED:
            return 0
        is_active = status == EmbeddingSpace.Status.ACTIVE
        now = {c.id: store.text_of(c) for c in store.contents(list(found), lock=True)}
        same = [row for row, item in enumerate(stale) if now.get(item) == found[item]]
        kept = [stale[row] for row in same]
        store.put_embeddings(space, kept, vectors[same], [marks[item] for item in kept])
        done = [item for item in found if now.get(item) == found[item]]
        if is_active:
            jobs.settle("embed", done)
            jobs.request("understand", kept)
        if tell_others and any(other.pk != space.pk for other in store.kept_spaces()):
            jobs.request("refill", kept)
    if is_active:
        store.adopt(Space(space.id, space.dimension), kept)
    return len(same)


def embed_everything(progress: Callable[[int], None] = lambda done: None) -> int:
    """Embed all items that are new or have changed; how many vectors were written."""
    return fill(store.active_space() or create_space(), progress)


def fill(space: EmbeddingSpace, progress: Callable[[int], None] = lambda done: None) -> int:
    """The same of one space. Ended halfway, it goes on where it was when it is called again.

    Raises NoRoom where the space is not in use and the disk is nearly full
    """
    written = 0
    for chunk in store.item_id_chunks(CHUNK):
        if space.status != EmbeddingSpace.Status.ACTIVE:
            look_for_room()
        written += embed_items(space, chunk)
        progress(len(chunk))
    return written


def sweep() -> None:
    """Mend what was missed: stale items are asked for, the index is there and whole, and every item
    with a vector has what the version in use says of it."""
    request_stale()
    for space in store.kept_spaces():
        have, total = store.fill(space)
        if space.status == EmbeddingSpace.Status.ACTIVE:
            store.build_index(space)
        elif have == total:  # building once is cheaper than growing the index with each vector
            with suppress(NoRoom):
                look_for_room()
                store.build_index(space)
    if space := store.active_space():
        adopt_missed(space)


def adopt_missed(space: EmbeddingSpace) -> None:
    """Stand-ins for what came while another version was in use, or between vector and stand-ins."""
    at = Space(space.id, space.dimension)
    missed = store.items_to_adopt(at)
    for start in range(0, len(missed), CHUNK):
        store.adopt(at, missed[start : start + CHUNK])


def request_stale() -> int:
    """Ask for what no announcement told of: bulk changes, another text form. How many items."""
    asked = 0
    for space in store.kept_spaces():
        kind = "embed" if space.status == EmbeddingSpace.Status.ACTIVE else "refill"
        for chunk in store.item_id_chunks(2000):
            known = store.fingerprints(space, chunk)
            stale = [
                c.id
                for c in store.contents(chunk)
                if known.get(c.id) != fingerprint(space.digest, store.text_of(c))
            ]
            jobs.request(kind, stale)
            asked += len(stale)
    return asked
