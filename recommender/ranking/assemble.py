"""From what was read to what is ranked: the person, the sources of candidates, the pool.

A live request reads arrays from the database and an evaluation makes them from a replayed
history; from here on both are the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from recommender.candidates.factors import fold_in
from recommender.candidates.interests import learn_interests
from recommender.candidates.taste import Taste
from recommender.diversity.aspects import shares
from recommender.diversity.duplicates import twins_of
from recommender.ranking.asked import Wishes, share_of
from recommender.ranking.model import LISTS, PARTS, Model, untrained
from recommender.ranking.pipeline import Person, Pool

# Newest feedback that a request learns from. Of MovieLens-100k 6 % of people have more; with 100 in
# its place NDCG@10 of events held out at random is 7 % less, of the next event the same.
HISTORY = 300

# A vote counts half after so many newer items: for what comes next the last few say most, for
# what somebody likes at all the whole history. None: it never fades.
VOTES = (("order", "order", 2.0), ("past_order", "order", 6.0), ("next", "next", 6.0))
VOTES += (("taste", "taste", None),)
ORDERLY = 30  # newest items whose lists of order are read; further back they would count nothing
WIDEST_TABLE = 4_000_000  # ids from first to last, beyond which sorting them is faster
TEXT_HALF_LIFE, MAP_HALF_LIFE, FACTORS_HALF_LIFE = 3.0, 50.0, 20.0

# The say of each source in the fusion by reciprocal rank, of which the pool is the best part.
VOTED, MAPPED, GIVEN, POPULAR, NEW = 1.0, 0.3, 0.3, 0.2, 0.1
# Whatever the other sources find, the pool has some items to explore: those with this say.
TRIED = 10.0
N_TRIED = 20
FEWEST_NEAREST = 30  # of the least interest
FILLER = 60  # of what is liked and what is new: where fewer are found, that is all there is
SPARE = 1.5  # interests share so many times the pool, since their lists overlap
NEWEST_WISHES = 6  # that candidates are looked for by
_SAY = dict(zip(PARTS, untrained().weights[-1], strict=True))


@dataclass(frozen=True)
class Known:
    """What is known of the items of a history, in the order of Taste.items."""

    vectors: np.ndarray  # (n, d) float32 unit rows, zeros where there is none
    related_ids: np.ndarray  # (n, 3, k) int64 in the order of LISTS, -1 where there is none
    related_weights: np.ndarray  # (n, 3, k) float32
    factors: np.ndarray  # (n, f) float32, zeros where there is none
    text_factors: np.ndarray  # (n, r) float32, zeros where there is none
    category_ids: Sequence[Sequence[int]] = ()  # (n,) of each; none: unknown of all
    topic_ids: Sequence[Sequence[int]] = ()


@dataclass(frozen=True)
class Votes:
    """Items that the history speaks for."""

    ids: np.ndarray  # (v,) int64 ascending
    strengths: np.ndarray  # (v, 4) float32 in the order of VOTES

    def best(self, limit: int) -> np.ndarray:
        """Ids, the strongest first: all kinds of votes together, each against its best."""
        if len(self.ids) == 0:
            return self.ids
        against = np.maximum(self.strengths.max(axis=0), np.finfo(np.float32).tiny)
        say = np.array([_SAY[part] for part, _, _ in VOTES], dtype=np.float32)
        together = (np.maximum(self.strengths, 0.0) / against) @ say
        best = np.argsort(-together, kind="stable")[:limit]
        return self.ids[best[together[best] > 0]]


def fading(n: int, half_life: float | None) -> np.ndarray:
    """(n,) float32: 1 for the newest of n, half of it for every half_life newer ones."""
    if half_life is None:
        return np.ones(n, dtype=np.float32)
    return np.exp2(-np.arange(n, dtype=np.float32) / half_life)


def person_of(
    taste: Taste, known: Known, model: Model, *, touched: int = 0
) -> tuple[Person, Votes]:
    """What a history says of its person, and of other items.

    touched  items that the person gave feedback on in all, where taste is of the newest alone
    """
    liked, disliked = taste.liked, taste.disliked
    likes, dislikes = known.vectors[liked], known.vectors[disliked]
    has_vector = likes.any(axis=1)
    n = len(taste.items)
    text = (taste.affinity * fading(n, TEXT_HALF_LIFE)) @ known.vectors
    given = _given(taste, known)
    person = Person(
        interests=learn_interests(likes[has_vector], taste.weights[has_vector]),
        like_ids=taste.items[liked],
        like_vectors=likes,
        dislike_vectors=dislikes[dislikes.any(axis=1)],
        history_length=max(n, touched) if n else 0,
        text=unit(text),
        mapped=unit(_carried(taste, known, model)),
        factors=factors_of(taste, known.factors, model.gram),
        related_ids=known.related_ids[liked],
        given=np.stack([given[:, number][liked] for number in range(len(VOTES))], axis=1),
    )
    return person, _votes(known.related_ids, given)


def with_mix(
    person: Person,
    taste: Taste,
    known: Known,
    category_ids: Sequence[Sequence[int]],
    topic_ids: Sequence[Sequence[int]],
) -> Person:
    """A person, and how much they like of each category and topic of a pool: (n,) ids of each."""
    return replace(
        person,
        mix=mix_of(taste, known.category_ids, category_ids),
        topic_mix=mix_of(taste, known.topic_ids, topic_ids),
    )


def mix_of(
    taste: Taste, known_ids: Sequence[Sequence[int]], pool_ids: Sequence[Sequence[int]]
) -> np.ndarray | None:
    """(c,) float32 that add up to 1: how much of what was liked is of each kind that a pool has, in
    the order of membership(); None where nothing is.

    known_ids, pool_ids  kinds of each item of the history, and of each of the pool
    A liked item counts what it was liked, shared among its kinds. It does not fade: calibration is
    to all that somebody likes, and order has its own part in relevance. Source: Steck 2018,
    doi:10.1145/3240323.3240372.
    """
    if not len(known_ids):
        return None
    rows = np.flatnonzero(taste.liked)
    says = np.minimum(taste.liking[rows], 1.2)
    # One table for both, so that a kind has one column.
    both = membership([*pool_ids, *(known_ids[row] for row in rows)])
    of_pool, of_likes = both[: len(pool_ids)], both[len(pool_ids) :]
    mix = (says @ shares(of_likes.astype(np.float32)))[of_pool.any(axis=0)]
    total = mix.sum()
    return (mix / total).astype(np.float32) if total > 0 else None


def factors_of(taste: Taste, factors: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """(f,) float32 of the person: zeros where the version has others than (n, f) of the items."""
    if gram.shape[0] != factors.shape[1]:
        return np.zeros(factors.shape[1], dtype=np.float32)
    return fold_in(factors, taste.affinity * fading(len(taste.items), FACTORS_HALF_LIFE), gram)


def _carried(taste: Taste, known: Known, model: Model) -> np.ndarray:
    """(d,) the text to look for, by behaviour; see candidates.textmap."""
    d, says = known.vectors.shape[1], taste.affinity * fading(len(taste.items), MAP_HALF_LIFE)
    carried = np.zeros(d, dtype=np.float32)
    if model.text_map.shape == (d, d):
        carried += (says @ known.vectors) @ model.text_map
    if model.text_basis.shape == (known.text_factors.shape[1], d):
        carried += (says @ known.text_factors) @ model.text_basis
    return carried


def _given(taste: Taste, known: Known) -> np.ndarray:
    """(n, 4, k) float32: what each item of the history gives to its related items."""
    n, _, k = known.related_ids.shape
    given = np.empty((n, len(VOTES), k), dtype=np.float32)
    for number, (_, of, half_life) in enumerate(VOTES):
        say = taste.affinity if of == "taste" else (taste.affinity > 0).astype(np.float32)
        say = say * fading(n, half_life)
        if of != "taste":
            say[ORDERLY:] = 0.0
        given[:, number] = known.related_weights[:, LISTS.index(of)] * say[:, None]
    return given


def _votes(related_ids: np.ndarray, given: np.ndarray) -> Votes:
    ids, where = numbered(related_ids)
    strengths = np.stack(
        [
            np.bincount(
                where[:, LISTS.index(of)].ravel(), given[:, number].ravel(), minlength=len(ids)
            )
            for number, (_, of, _) in enumerate(VOTES)
        ],
        axis=1,
    ).astype(np.float32)
    there = ids >= 0
    return Votes(ids[there].astype(np.int64), strengths[there])


def numbered(ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different ones of some ids, ascending, and the number among them of each; as np.unique.

    Ids that lie close together are marked in a table, which takes a tenth of the time of sorting.

    >>> [part.tolist() for part in numbered(np.array([[7, 5], [7, -1]]))]
    [[-1, 5, 7], [[2, 1], [2, 0]]]
    """
    low, high = (int(ids.min()), int(ids.max())) if ids.size else (0, 0)
    if high - low > WIDEST_TABLE:
        found, where = np.unique(ids, return_inverse=True)
        return found, where.reshape(ids.shape)
    at = ids - low
    there = np.zeros(high - low + 1, dtype=bool)
    there[at] = True
    found = np.flatnonzero(there)
    number = np.empty(len(there), dtype=np.int32)
    number[found] = np.arange(len(found), dtype=np.int32)
    return found + low, number[at]


def unit(vector: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vector)
    return (vector / length if length > 1e-6 else np.zeros_like(vector)).astype(np.float32)


@dataclass(frozen=True)
class Ask:
    """One list of candidates to fetch: the nearest of a vector, given ids, or an order."""

    name: str
    weight: float
    limit: int
    vector: np.ndarray | None = None
    ids: np.ndarray | None = None
    order: str | None = None  # "popular", "trending", "new" or "little_known"


def asks(person: Person, voted: Votes, given: Sequence[int], *, pool_size: int) -> list[Ask]:
    """Which lists of candidates to fetch, each with its say, so that together they fill a pool."""
    weights = person.interests.weights
    plan = [
        Ask(
            "interest",
            weight=float(weight / weights.max()),
            limit=max(FEWEST_NEAREST, int(np.ceil(SPARE * pool_size * weight))),
            vector=vector,
        )
        for weight, vector in zip(weights, person.interests.vectors, strict=True)
    ]
    if person.mapped.any():
        plan.append(Ask("map", weight=MAPPED, limit=pool_size // 2, vector=person.mapped))
    best = voted.best(pool_size)
    if len(best):
        plan.append(Ask("voted", weight=VOTED, limit=pool_size, ids=best))
    if len(given):
        plan.append(
            Ask("given", weight=GIVEN, limit=len(given), ids=np.asarray(given, dtype=np.int64))
        )
    # An interest alone can fill the pool; without one, what is liked and what is new must.
    filler = FILLER if len(weights) else pool_size
    plan.append(Ask("popular", weight=POPULAR, limit=filler, order="popular"))
    plan.append(Ask("new", weight=NEW, limit=filler, order="new"))
    return plan


def asks_for_wishes(wishes: Wishes, *, n_likes: int, pool_size: int) -> list[Ask]:
    """Which lists of candidates to fetch for the newest wanted wishes."""
    newest = np.flatnonzero(wishes.wanted)[-NEWEST_WISHES:]
    share = share_of(wishes, n_likes)
    limit = int(np.ceil(share * pool_size / max(len(newest), 1)))
    return [Ask("wish", weight=share, limit=limit, vector=wishes.vectors[n]) for n in newest]


def ask_to_explore() -> Ask:
    """The list of candidates to fetch besides, when a list is to have little known items."""
    return Ask("little_known", weight=TRIED, limit=N_TRIED, order="little_known")


def pool_of(
    voted: Votes,
    *,
    ids: np.ndarray,
    vectors: np.ndarray,
    category_ids: Sequence[Sequence[int]],
    creators: np.ndarray,
    popularity: np.ndarray,
    trend: np.ndarray,
    age_days: np.ndarray,
    factors: np.ndarray,
    stand_in_ids: np.ndarray,
    stand_in_weights: np.ndarray,
    topic_ids: Sequence[Sequence[int]] | None = None,
    titles: Sequence[str] | None = None,
) -> Pool:
    """The pool of candidates with the votes for each.

    titles  (n,) to tell by what is the same thing twice; without them nothing is

    stand_in_ids, stand_in_weights  (n, s) for an item nobody has touched: the votes for these are
                                    its own, as far as they weigh; -1 where there is none
    """
    votes = _votes_for(voted, ids)
    new = (stand_in_ids >= 0).any(axis=1)
    if new.any():
        theirs = _votes_for(voted, stand_in_ids[new].ravel())
        theirs = theirs.reshape(int(new.sum()), stand_in_ids.shape[1], len(VOTES))
        votes[new] = np.einsum("ms,msv->mv", stand_in_weights[new], theirs)
    return Pool(
        ids=ids,
        vectors=vectors,
        categories=membership(category_ids),
        creators=creators,
        popularity=popularity,
        trend=trend,
        age_days=age_days,
        votes=votes,
        factors=factors,
        touched=~new & ((popularity > 0) | votes.any(axis=1)),
        topics=None if topic_ids is None else membership(topic_ids),
        twins=None if titles is None else twins_of(vectors, titles),
    )


def _votes_for(voted: Votes, ids: np.ndarray) -> np.ndarray:
    """(n, 4) float32: zeros where nothing votes."""
    votes = np.zeros((len(ids), len(VOTES)), dtype=np.float32)
    if len(voted.ids) and len(ids):
        at = np.minimum(np.searchsorted(voted.ids, ids), len(voted.ids) - 1)
        there = voted.ids[at] == ids
        votes[there] = voted.strengths[at[there]]
    return votes


def membership(category_ids: Sequence[Sequence[int]]) -> np.ndarray:
    """(n, c) bool: which item is of which of the categories that occur, in order of their ids."""
    lengths = [len(row) for row in category_ids]
    flat = np.array([c for row in category_ids for c in row], dtype=np.int64)
    columns, where = np.unique(flat, return_inverse=True)
    table = np.zeros((len(category_ids), len(columns)), dtype=bool)
    table[np.repeat(np.arange(len(lengths)), lengths), where] = True
    return table
