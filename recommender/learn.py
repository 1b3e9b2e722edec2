"""Feedback → interests and candidates of a person, neighbours and popularity of items.

A request reads the newest feedback itself; what is learned here reaches further back, and is
what a page shows of a person's interests.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from django.conf import settings
from django.db import transaction

from recommender import jobs, store
from recommender.candidates.peers import PEER_HISTORY, PEERS, taken_up
from recommender.candidates.taste import read_affinities, read_taste
from recommender.encoders import encoder_of
from recommender.ranking.assemble import person_of, unit
from recommender.ranking.explore import records
from recommender.ranking.floor import next_prices
from recommender.store import Source
from recommender.training.learned import places, popularities, signals
from recommender.understanding.sentiment import AGAINST, FOR, both, lean, sentiment

DEEP_HISTORY = 1000  # feedback that candidates are refreshed from
CANDIDATES = 200
COMMENTS_TOGETHER = 256  # encoded at once
PEOPLE_TOGETHER = 500  # asked for at once, when all are learned anew


def refresh_person(user_id: int) -> None:
    """Learn interests with words for them, and candidates from the deep history."""
    side = store.person_side(user_id, history=DEEP_HISTORY)
    history = side.history
    taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
    model = store.model_served(side.version, side.space)
    touched = store.touched(side.space, side.version, taste.items)
    taste = side.silenced.left_out(taste, touched.known.vectors)
    person, voted = person_of(taste, touched.known, model)
    liked, vectors = taste.items[taste.liked], touched.known.vectors[taste.liked]
    if side.space:
        has_vector = vectors.any(axis=1)
        interests = person.interests
        facts = store.facts(liked[has_vector])
        liked = [facts[item] for item in liked[has_vector].tolist()]
        words = [
            store.describe(
                [fact for fact, of in zip(liked, interests.members, strict=True) if of == n]
            )
            for n in range(len(interests.weights))
        ]
        store.put_interests(
            side.space,
            user_id,
            interests.vectors,
            interests.weights,
            words,
            agreed=side.agrees,
        )
        nearest = [
            Source(weight=float(weight), vector=vector)
            for vector, weight in zip(interests.vectors, interests.weights, strict=True)
        ]
    else:
        nearest = []
    place = unit(person.factors)
    store.put_factors(side.version, [user_id], place[None])
    peers = store.peers(user_id, side.version, place, limit=PEERS, history=PEER_HISTORY)
    pool = store.find(
        side.space,
        [
            *nearest,
            Source(weight=1.0, item_ids=voted.best(2 * CANDIDATES)),
            Source(weight=1.0, item_ids=_taken_up_by(peers, side.weights)[:CANDIDATES]),
        ],
        seen=side.seen,
        limit=CANDIDATES,
        bare=True,
    )
    store.put_candidates(user_id, pool.ids.tolist(), agreed=side.agrees)
    if side.unread:
        jobs.request("comment", [user_id])


def _taken_up_by(peers: Sequence[store.Peer], weights: np.ndarray) -> np.ndarray:
    """Ids of what several of them took up of late, best first."""
    if not peers:
        return np.zeros(0, dtype=np.int64)
    said = [peer.history for peer in peers]
    owners, items, affinities = read_affinities(
        np.repeat(np.arange(len(said)), [len(history.item_ids) for history in said]),
        np.concatenate([history.item_ids for history in said]),
        [kind for history in said for kind in history.kinds],
        np.concatenate([history.values for history in said]),
        weights,
    )
    ends = np.searchsorted(owners, np.arange(1, len(said)))
    likeness = np.array([peer.likeness for peer in peers])
    return taken_up(likeness, np.split(items, ends), np.split(affinities, ends))


def read_comments(user_ids: Sequence[int]) -> None:
    """Have the encoder read comments, and learn anew from what they say. EncoderError: later, then.

    Until then, and without an active space, a comment says what its words say.
    """
    if (space := store.active_space()) is None:
        return
    encoder = encoder_of(space)
    praise, complaints = (encoder.encode(texts, role="query") for texts in (FOR, AGAINST))
    for user_id in user_ids:
        while comments := store.unread_comments(user_id, limit=COMMENTS_TOGETHER):
            ids, texts = zip(*comments, strict=True)
            leans = lean(encoder.encode(texts, role="query"), praise, complaints)
            words = np.array([sentiment(text) for text in texts])
            with transaction.atomic():
                if store.put_comment_signs(ids, both(words, leans)):
                    jobs.request("learn", [user_id])


def refresh_popularity() -> None:
    """How much people like each item of late; each person counts once an item."""
    events = store.events()
    if len(events.people):
        items = np.unique(events.items)
        store.replace_popularity(items, *popularities(events, items, store.weights_of_kinds()))


def refresh_exposure() -> None:
    """How many people each item was shown to, and how many of them took it up; and its price."""
    refresh_prices()
    events, showings = store.events(), store.showings()
    store.put_exposure(
        *records(
            events.items,
            events.people,
            signals(events, store.weights_of_kinds()),
            shown_items=showings.items,
            shown=showings.shown,
            answers=showings.answers,
        )
    )


def refresh_prices() -> None:
    """Once a day, so that it does not matter how often this is asked for."""
    if not settings.EXPOSURE_FLOOR:
        store.forget_prices()
    elif (day := store.day_of_lists()) is not None:
        prices = next_prices(day.prices, day.shown, settings.EXPOSURE_FLOOR)
        store.put_prices(day.items, prices)


def weigh_kinds(weights: Mapping[str, float | None]) -> None:
    """Change what kinds of feedback weigh, None for the default.

    The next request reads it; what is learned is asked for in the same transaction: of all
    together at once, of each person in turn, or with what they say next if that comes before.
    """
    with transaction.atomic():
        if store.put_kind_weights(weights):
            jobs.request("popularity", [0])
            jobs.request("train", [0])
            jobs.request("relearn", [0])


def place_everybody() -> None:
    """Keep where everybody stands by the version served, so that the first to be learned of find
    people of like taste too."""
    version = store.active_version()
    if version is None:
        return
    items, factors = store.factors_of_items(version.pk)
    if len(items):
        gram, weights = store.model_served(version.pk, None).gram, store.weights_of_kinds()
        found = places(store.events(), items, factors, gram, newest=DEEP_HISTORY, weights=weights)
        store.put_factors(version.pk, *found)


def relearn(after: int) -> None:
    """Ask for everybody of whom something is kept to be learned anew, a few people at a time.

    after   the person up to whom this was done; the rest is a job of its own
    Raises  jobs.NotYet while enough people wait, so that those who are here come first
    """
    if jobs.open_jobs("learn") >= PEOPLE_TOGETHER:
        raise jobs.NotYet("enough people wait to be learned anew")
    if after == 0:
        place_everybody()
    people = store.people_learned_of(after, limit=PEOPLE_TOGETHER)
    with transaction.atomic():
        jobs.request("learn", people)
        if len(people) == PEOPLE_TOGETHER:
            jobs.request("relearn", [people[-1]])
