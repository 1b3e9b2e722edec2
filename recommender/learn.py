"""Feedback → interests and candidates of a person, neighbours and popularity of items.

A request reads the newest feedback itself; what is learned here reaches further back, and is
what a page shows of a person's interests.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from django.db import transaction

from recommender import jobs, store
from recommender.candidates.crowd import item_neighbours, item_popularity
from recommender.candidates.interests import learn_interests
from recommender.candidates.neighbours import votes
from recommender.candidates.taste import read_taste
from recommender.store import Source

DEEP_HISTORY = 1000  # feedback that candidates are refreshed from
CANDIDATES = 200


def refresh_person(user_id: int) -> None:
    """Learn interests with words for them, and candidates from the deep history."""
    side = store.person_side(user_id, history=DEEP_HISTORY)
    history = side.history
    taste = read_taste(history.item_ids, history.kinds, history.values, side.weights)
    known = store.touched(side.space, taste.likes, voters=DEEP_HISTORY)
    if side.space:
        has_vector = known.vectors.any(axis=1)
        interests = learn_interests(known.vectors[has_vector], taste.weights[has_vector])
        facts = store.facts(taste.likes[has_vector])
        liked = [facts[item] for item in taste.likes[has_vector].tolist()]
        words = [
            describe([fact for fact, of in zip(liked, interests.members, strict=True) if of == n])
            for n in range(len(interests.weights))
        ]
        store.put_interests(side.space, user_id, interests.vectors, interests.weights, words)
        nearest = [
            Source(weight=float(weight), vector=vector)
            for vector, weight in zip(interests.vectors, interests.weights, strict=True)
        ]
    else:
        nearest = []
    found, strengths, _ = votes(known.neighbour_ids, known.neighbour_weights, taste.weights)
    voted = found[np.argsort(-strengths, kind="stable")]
    pool = store.find(
        side.space,
        [*nearest, Source(weight=1.0, item_ids=voted[: 2 * CANDIDATES])],
        seen=side.seen,
        limit=CANDIDATES,
    )
    store.put_candidates(user_id, pool.ids.tolist())


def describe(facts: Sequence[store.Facts]) -> dict:
    """Words for an interest: the commonest categories and creators of the items in it."""
    categories = Counter(category["slug"] for fact in facts for category in fact.categories)
    names = {c["slug"]: c["names"] for fact in facts for c in fact.categories}
    creators = Counter(creator for fact in facts for creator in fact.creators)
    return {
        "categories": [
            {"slug": slug, "names": names[slug]} for slug, _ in categories.most_common(3)
        ],
        "creators": [name for name, times in creators.most_common(2) if times > 1],
        "items": len(facts),
        "example": facts[0].title if facts else "",
    }


def refresh_popularity() -> None:
    """How much people like each item of late; each person counts once an item."""
    events = store.events()
    if len(events.people):
        store.replace_popularity(*item_popularity(events, store.weights_of_kinds()))


def refresh_neighbours() -> None:
    """Which items the same people like: a top-100 an item, so that a new like counts at once."""
    events = store.events()
    if len(events.people):
        item_ids, found = item_neighbours(events, store.weights_of_kinds())
        store.replace_neighbours(item_ids, found.ids, found.weights)


def weigh_kinds(weights: Mapping[str, float | None]) -> None:
    """Change what kinds of feedback weigh, None for the default.

    The next request reads it; what is learned of everybody is asked for in the same transaction.
    """
    with transaction.atomic():
        if store.put_kind_weights(weights):
            jobs.request("popularity", [0])
            jobs.request("neighbours", [0])
