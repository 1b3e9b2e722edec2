"""Read from each item what it is about, in its own words, and keep that equal to its text.

The phrases of a text are encoded, and those nearest to the item's vector that do not repeat each
other become its topics. They are read from the text of which the vector was made: when that is
not what the item says now, its embedding is on the way, and asks for us again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from django.db import transaction

from recommender import jobs, store
from recommender.diversity.mmr import mmr
from recommender.embeddings import centring
from recommender.embeddings.fingerprint import fingerprint
from recommender.encoders import encoder_of
from recommender.models import EmbeddingSpace
from recommender.store import Content, Space, TopicOfItem
from recommender.understanding import topics

CHUNK = 256  # items read together, so that equal phrases are encoded once and equal lengths meet
MOST = 6  # topics of an item
LEAST = 0.5  # how near a topic is at least, as a share of the nearest one
DIVERSITY = 0.3
REMEMBERED = 50_000  # phrases whose vectors are kept during a run: 40 MB of 384 dimensions


class PhraseVectors:
    """Centred vectors of phrases; each is encoded once as long as it is remembered."""

    def __init__(self, space: EmbeddingSpace, *, most: int = REMEMBERED) -> None:
        self.space = space
        self.encoded = 0
        self._mean = np.array(space.mean_query, dtype=np.float32)
        self._most = most
        self._known: dict[str, np.ndarray] = {}

    def of(self, phrases: Iterable[str]) -> dict[str, np.ndarray]:
        """Phrase → (d,) float16. Raises EncoderError."""
        asked = dict.fromkeys(phrases)
        found = {phrase: self._known[phrase] for phrase in asked if phrase in self._known}
        new = [phrase for phrase in asked if phrase not in found]
        if new:
            # Short as a query; of two texts of one role e5 rates the form and not the matter.
            raw = encoder_of(self.space).encode(new, role="query")
            rows = centring.centre(raw, self._mean).astype(np.float16)
            found |= dict(zip(new, rows, strict=True))
            self.encoded += len(new)
        for phrase in asked:  # what is asked for again is forgotten last
            self._known.pop(phrase, None)
            self._known[phrase] = found[phrase]
        for phrase in list(self._known)[: max(0, len(self._known) - self._most)]:
            del self._known[phrase]
        return found


def understand_items(item_ids: Sequence[int], vectors: PhraseVectors | None = None) -> int:
    """Bring the topics of items up to date; of how many they were read.

    vectors  of a run, else of this call alone
    Raises   EncoderError when the model is missing or another
    """
    space = vectors.space if vectors else store.active_space()
    if space is None:
        return 0  # the first embedding makes one, and asks for us
    embedded = store.embeddings_of(Space(space.id, space.dimension), item_ids)
    readings = store.readings(item_ids)
    marks = {item: mark for item, (mark, _) in embedded.items()}
    contents = [c for c in store.contents(list(marks)) if mark_of(space, c) == marks[c.id]]
    stale = [c for c in contents if readings.get(c.id) != (marks[c.id], topics.VERSION)]
    found: dict[int, list[TopicOfItem]] = {}
    if stale:
        phrases = {c.id: phrases_of(c) for c in stale}
        known = (vectors or PhraseVectors(space)).of(p for some in phrases.values() for p in some)
        found = {item: choose(some, known, embedded[item][1]) for item, some in phrases.items()}
    with transaction.atomic():
        now = {c.id: mark_of(space, c) for c in store.contents(list(marks), lock=True)}
        kept = {item: some for item, some in found.items() if now.get(item) == marks[item]}
        if kept:
            store.put_topics(kept, marks, version=topics.VERSION)
            store.index_words(list(kept))
        jobs.settle("understand", [c.id for c in contents if now.get(c.id) == marks[c.id]])
    store.share_topics(sorted({topic.slug for some in kept.values() for topic in some}))
    return len(kept)


def mark_of(space: EmbeddingSpace, content: Content) -> bytes:
    return fingerprint(space.digest, store.text_of(content))


def phrases_of(content: Content) -> dict[str, float]:
    return topics.phrases(
        content.title, content.description, known=[*content.categories, *content.creators]
    )


def choose(
    phrases: Mapping[str, float], vectors: Mapping[str, np.ndarray], item: np.ndarray
) -> list[TopicOfItem]:
    """Up to MOST topics of an item, in the order in which they say what it is about.

    phrases  as `topics.phrases` gives them
    vectors  of at least these phrases, centred
    item     (d,) its vector, centred
    """
    if not phrases:
        return []
    texts = list(phrases)
    rows = np.array([vectors[text] for text in texts], dtype=np.float32)
    near = (rows @ item) * np.array([phrases[text] for text in texts], dtype=np.float32)
    kept = topics.distinct(texts, near)
    kept = kept[(near[kept] > 0) & (near[kept] >= LEAST * near.max())]
    chosen = kept[mmr(rows[kept], near[kept], MOST, DIVERSITY)]
    return [
        TopicOfItem(
            topics.slug_of(texts[row]),
            texts[row],
            topics.language_of(texts[row]),
            round(min(1.0, float(near[row])), 3),
        )
        for row in chosen
    ]


def understand_everything(progress: Callable[[int], None] = lambda done: None) -> tuple[int, int]:
    """Read all items that are new or have changed; of how many, and how many phrases it took."""
    space = store.active_space()
    if space is None:
        return 0, 0
    vectors, read = PhraseVectors(space), 0
    for chunk in store.item_id_chunks(CHUNK):
        read += understand_items(chunk, vectors)
        progress(len(chunk))
    return read, vectors.encoded


def sweep() -> None:
    """Mend what was missed: another space or another way to read; a count that a crash cut off."""
    if space := store.active_space():
        at = Space(space.id, space.dimension)
        jobs.request("understand", store.items_to_read(at, version=topics.VERSION))
    store.share_topics()
    store.prune_topics()
