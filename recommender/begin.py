"""Begin with somebody new: a sentence becomes wishes they can see, picks become likes.

A request waits briefly for the encoder. Without an answer the items that have the words stand in,
and a worker encodes the text as soon as it can.
"""

import logging
import unicodedata
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import numpy as np
from django.db import transaction
from django.utils.translation import gettext as _

from catalog import queries
from catalog.models import User
from catalog.services import Given, Refused, no_consent, record_feedback, set_consent
from catalog.text import clean
from recommender import jobs, store
from recommender.diversity.features import joint_features
from recommender.diversity.mmr import mmr
from recommender.embeddings import centring
from recommender.embeddings.encoder import EncoderError
from recommender.encoders import encode_queries, encoder_of
from recommender.models import EmbeddingSpace, Wish
from recommender.ranking.assemble import membership
from recommender.store import Facts, Source, Space
from recommender.understanding.wishes import Part, named_kinds, read_wishes, says_something
from recommender.understanding.words import query_literal, query_terms

log = logging.getLogger(__name__)
LONGEST = 300  # characters of a sentence
MOST_WISHES = 20  # of one person
WAIT_SECONDS = 2.0  # for the encoder: a sentence is said once and shapes many lists
UNDO_WITHIN = timedelta(hours=1)
FORGET_AFTER = timedelta(days=1)
STANDING_IN = 20  # items with the words, whose mean stands in for a text that is not encoded yet
SUGGESTED_FROM = 300  # most popular items; the same for each page, so that none comes twice
VARIETY = 0.7  # of the items to pick from: enough to meet most tastes, popular enough to be known


# --- in words -----------------------------------------------------------------------------------


def say(user_id: int, text: str, *, sign: str | None = None) -> list[Wish]:
    """Keep what a person said, part by part, and answer what came of it.

    sign    takes the text for one thing, wanted or not; None reads it as a sentence
    Raises  Refused for a text that cannot be read or says nothing, for more than MOST_WISHES, and
            without consent
    """
    parts = _read(text, sign)
    if not store.agrees(user_id):
        raise no_consent()
    space = store.active_space()
    understood = _understand([part.text for part in parts])
    vectors, is_encoded = _encode(space, [query for query, _kinds in understood])
    said = [
        Wish(
            user_id=user_id,
            text=part.text,
            sign=Wish.Sign.WANTED if part.wanted else Wish.Sign.UNWANTED,
            category_ids=kinds,
            embedding=vector if vector.any() else None,
            space=space if vector.any() else None,
            is_provisional=not is_encoded,
        )
        for part, (_query, kinds), vector in zip(parts, understood, vectors, strict=True)
    ]
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise Refused("no_account", _("This account is closed."))
        wishes = store.put_wishes(user_id, said)
        if len(store.wishes_of(user_id)) > MOST_WISHES:
            raise too_many()
        if not is_encoded:
            jobs.request("wish", [user_id])
    return wishes


def _read(text: str, sign: str | None) -> list[Part]:
    if len(text) > LONGEST:
        raise Refused(
            "text", _("Use at most %(longest)d characters.") % {"longest": LONGEST}, "text"
        )
    if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\r\n" for c in text):
        raise Refused("text", _("There is a character in it that is no text."), "text")
    said = clean(text)
    if sign is None:
        parts = read_wishes(said)
    else:
        parts = [Part(said, sign == Wish.Sign.WANTED)] if says_something(said) else []
    if not parts:
        raise Refused(
            "text", _("Say what you would like, for example: quiet films about the sea."), "text"
        )
    return parts


def too_many() -> Refused:
    return Refused(
        "too_many_wishes",
        _("At most %(most)d wishes are kept. Remove some, then say more.") % {"most": MOST_WISHES},
        "text",
    )


def _understand(texts: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Of each text: what is encoded, and the kinds that it names, which is a fact of its own.

    The kinds are added as the items name them: a small model makes little of 科幻片, and enough
    of “Science Fiction”.
    """
    kinds = {category.pk: category for category in queries.categories()}
    names = {pk: list(category.names.values()) for pk, category in kinds.items()}
    understood = []
    for text in texts:
        named = named_kinds(text, names)
        called = ", ".join(kinds[pk].name_in("en") for pk in named)
        understood.append((f"{text}. {called}" if called else text, named))
    return understood


def _encode(space: EmbeddingSpace | None, texts: Sequence[str]) -> tuple[np.ndarray, bool]:
    """(n, d) vectors of texts, and whether they are the encoder's; else those that stand in."""
    if space is None:
        return np.zeros((len(texts), 1), dtype=np.float32), False
    try:
        raw = encode_queries(space, texts, timeout_seconds=WAIT_SECONDS)
    except EncoderError as error:
        log.warning("wishes are looked for by their words at first: %s", error)
        at = Space(space.id, space.dimension)
        return np.array([_standing_in(at, text) for text in texts]), False
    return _centred(space, raw), True


def _centred(space: EmbeddingSpace, raw: np.ndarray) -> np.ndarray:
    return centring.centre(raw, np.array(space.mean_query, dtype=np.float32))


def _standing_in(space: Space, text: str) -> np.ndarray:
    """(d,) mean of items that have all the words, else some; zeros if none has any."""
    terms = [[term] for term in query_terms(text)]
    found: list[int] = []
    for all_of in (True, False):
        found = found or store.items_with_words(
            query_literal(terms, all_of=all_of), limit=STANDING_IN
        )
    mean = store.touched(space, None, found).known.vectors.sum(axis=0)
    length = np.linalg.norm(mean)
    return (mean / length if length > 0 else mean).astype(np.float32)


def encode_wishes(user_ids: Sequence[int]) -> None:
    """Give wishes the vector of their text. EncoderError: later, then."""
    if (space := store.active_space()) is None:
        return
    for user_id in user_ids:
        wishes = store.wishes_to_encode(user_id, space)
        if wishes:
            understood = _understand([wish.text for wish in wishes])
            raw = encoder_of(space).encode([query for query, _kinds in understood], role="query")
            for wish, vector, (_query, kinds) in zip(
                wishes, _centred(space, raw), understood, strict=True
            ):
                wish.embedding, wish.space, wish.is_provisional = vector, space, False
                wish.category_ids = kinds
            store.put_what_wishes_mean(wishes)


def sweep() -> None:
    """Ask for what was missed, as after a new encoder, and forget for good what was removed."""
    jobs.request("wish", store.people_with_wishes_to_encode(store.active_space()))
    store.purge_removed_wishes(FORGET_AFTER)


def said_by(user_id: int) -> list[Wish]:
    """What a person's pages list: wishes in force, and those removed within the time of undo."""
    return store.wishes_of(user_id, removed_within=UNDO_WITHIN)


def bring_back(user_id: int, uuid: UUID) -> bool:
    """Undo the removal of a wish; False if there is none."""
    with transaction.atomic():
        if not store.lock_person(user_id) or not store.restore_wish(user_id, uuid):
            return False
        if len(store.wishes_of(user_id)) > MOST_WISHES:
            raise too_many()
        jobs.request("wish", [user_id])
    return True


def begin_with(user: User, text: str, likes: Sequence[Given], *, agrees: bool) -> list[Wish]:
    """Keep a sentence, likes, or both, all or nothing. `agrees` gives the consent they need."""
    with transaction.atomic():
        if agrees:
            set_consent(user, True)
        wishes = say(user.pk, text) if text else []
        for like in likes:
            try:
                record_feedback(user, like)
            except Refused as refusal:
                if refusal.code != "unknown_item":  # it left the catalogue meanwhile
                    raise
    return wishes


# --- by picks -----------------------------------------------------------------------------------


def suggestions(user_id: int, *, limit: int, page: int = 1) -> list[Facts]:
    """Popular and varied items to pick from, without those that were judged; a page of them."""
    side = store.person_side(user_id, history=1)
    wanted = page * limit
    found = store.find(
        side.space,
        [
            Source(weight=1.0, order="popular", limit=SUGGESTED_FROM),
            Source(weight=0.1, order="new", limit=SUGGESTED_FROM),
        ],
        seen=side.seen,
        limit=SUGGESTED_FROM,
    )
    order = mmr(
        joint_features(found.vectors, membership(found.category_ids)),
        found.popularity,
        wanted,
        VARIETY,
    )[wanted - limit :]
    facts = store.facts(found.ids[order], shown=True)
    return [facts[int(item)] for item in found.ids[order] if int(item) in facts]
