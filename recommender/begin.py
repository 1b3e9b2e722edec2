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
from catalog.services import Given, Refused, record_feedback, set_consent
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
UNDO_WITHIN = timedelta(hours=1)
FORGET_AFTER = timedelta(days=1)
STANDING_IN = 20  # items with the words, whose mean stands in for a text that is not encoded yet
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
        raise Refused(
            "no_consent",
            _("Agree first that what you say is used for your lists: consent in /api/v1/me/."),
        )
    space = store.active_space()
    vectors, is_encoded = _encode(space, [part.text for part in parts])
    said = [(part.text, Wish.Sign.WANTED if part.wanted else Wish.Sign.UNWANTED) for part in parts]
    with transaction.atomic():
        if not store.lock_person(user_id):
            raise Refused("no_account", _("This account is closed."))
        wishes = store.put_wishes(user_id, said, vectors, space, is_provisional=not is_encoded)
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


def _encode(space: EmbeddingSpace | None, texts: Sequence[str]) -> tuple[np.ndarray, bool]:
    """(n, d) vectors of texts, and whether they are the encoder's; else those that stand in."""
    if space is None:
        return np.zeros((len(texts), 1), dtype=np.float32), False
    queries_ = [_as_query(text) for text in texts]
    try:
        raw = encode_queries(space, queries_)
    except EncoderError as error:
        log.warning("wishes are looked for by their words at first: %s", error)
        at = Space(space.id, space.dimension)
        return np.array([_standing_in(at, query) for query in queries_]), False
    return _centred(space, raw), True


def _centred(space: EmbeddingSpace, raw: np.ndarray) -> np.ndarray:
    return centring.centre(raw, np.array(space.mean_query, dtype=np.float32))


def _as_query(text: str) -> str:
    """The text, and the kinds that it names as the items name them: 科幻片 is “Science Fiction”."""
    names = {
        category.names.get("en") or category.slug: list(category.names.values())
        for category in queries.categories()
    }
    return ". ".join([text, ", ".join(named_kinds(text, names))]).rstrip(". ")


def _standing_in(space: Space, query: str) -> np.ndarray:
    """(d,) mean of items that have all the words, else some; zeros if none has any."""
    terms = [[term] for term in query_terms(query)]
    found: list[int] = []
    for all_of in (True, False):
        found = found or store.items_with_words(
            query_literal(terms, all_of=all_of), limit=STANDING_IN
        )
    mean = store.touched(space, found, voters=0).vectors.sum(axis=0)
    length = np.linalg.norm(mean)
    return (mean / length if length > 0 else mean).astype(np.float32)


def encode_wishes(user_ids: Sequence[int]) -> None:
    """Give wishes the vector of their text. EncoderError: later, then."""
    if (space := store.active_space()) is None:
        return
    for user_id in user_ids:
        wishes = store.wishes_to_encode(user_id, space)
        if wishes:
            texts = [_as_query(wish.text) for wish in wishes]
            raw = encoder_of(space).encode(texts, role="query")
            ids = [wish.pk for wish in wishes]
            store.put_wish_vectors(space, ids, _centred(space, raw))


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
            Source(weight=1.0, order="popular", limit=10 * wanted),
            Source(weight=0.1, order="new", limit=wanted),
        ],
        seen=side.seen,
        limit=10 * wanted,
    )
    order = mmr(
        joint_features(found.vectors, membership(found.category_ids)),
        found.popularity,
        wanted,
        VARIETY,
    )[wanted - limit :]
    facts = store.facts(found.ids[order])
    return [facts[int(item)] for item in found.ids[order]]
