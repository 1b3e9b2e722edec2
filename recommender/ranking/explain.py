"""Why an item stands in a list: the largest contribution that can be told truthfully, or nothing.

No reason is better than a far-fetched one. And all of it in numbers: the points of each part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from recommender.ranking import adjust, steered
from recommender.ranking import asked as wishes
from recommender.ranking.asked import Asked
from recommender.ranking.model import LISTS, PARTS
from recommender.ranking.pipeline import Person, Pool, Ranked, Rules, ceilings_full

BY_PEOPLE = ("order", "past_order", "next", "taste", "factors")
BY_TEXT = ("text", "map", "interest")
_LIST_OF = [LISTS.index(name) for name in ("order", "order", "next", "taste")]

NEAR = 0.25  # cosine of centred vectors, from which two texts are about the same thing
STRONG_VOTE = 0.1  # of the strongest vote in the pool
POPULAR = 0.3
ASKED = 0.4  # of the best in the pool; a kind that was named has as much by itself
FRESH_DAYS = 30.0
DUPLICATE = "duplicate"  # what keeps the same thing from a list twice, beside its ceilings
CUT = "cut"  # what the parts say beyond 0 and 100
ALL_PARTS = (*PARTS, *wishes.PARTS, *adjust.PARTS)  # of relevance


@dataclass(frozen=True)
class Reason:
    """One reason, in facts."""

    kind: str  # wish, voted, similar, popular, new or varied
    like: int | None = None  # row of the person's likes that it speaks of
    strength: float = 0.0  # its share of what speaks for the item, 0 to 1; 0 of "varied"
    wish: int | None = None  # number of the wish that it speaks of


def reason_codes(
    person: Person, pool: Pool, ranked: Ranked, rows: np.ndarray, asked: Asked | None = None
) -> list[Reason | None]:
    """A reason for each of some rows of the pool.

    wish     it was asked for in words, and no mere trace of that is in it
    voted    people who liked what you liked also liked this: that like gave most of its votes, and
             they are no mere trace beside the strongest in the pool
    similar  the like that is nearest to it, if near indeed
    popular, new  where neither holds: what all like, what just came
    varied   it is here for variety alone, further down by relevance than the list is long
    """
    rows = np.asarray(rows, dtype=np.int64)
    places = len(ranked.order)
    least = np.sort(ranked.relevance)[::-1][:places].min(initial=np.inf)
    spoken = np.maximum(ranked.parts[rows], 0.0)
    share = spoken / np.maximum(spoken.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    of = {name: share[:, column] for column, name in enumerate(PARTS)}

    voter, like = voters(person, pool, ranked, rows), ranked.best_like[rows]
    people = sum(np.maximum(ranked.parts[:, PARTS.index(name)], 0.0) for name in BY_PEOPLE)
    voted = (voter >= 0) & (people[rows] >= STRONG_VOTE * people.max(initial=0.0))
    by_people = sum(of[name] for name in BY_PEOPLE)
    by_text = sum(of[name] for name in BY_TEXT)
    similar = like >= 0
    if similar.any():
        similar &= np.einsum("nd,nd->n", pool.vectors[rows], person.like_vectors[like]) >= NEAR
    popular = pool.popularity[rows] >= POPULAR
    new = pool.age_days[rows] <= FRESH_DAYS  # an unknown age is not new
    varied = ranked.relevance[rows] < least

    reasons: list[Reason | None] = []
    for n in range(len(rows)):
        # What has to do with oneself says more than what all like, even where it weighs less.
        own = [
            Reason("wish", None, float(share[n, len(PARTS)]), int(asked.best[rows[n]]))
            if asked is not None and asked.near[rows[n]] >= ASKED
            else None,
            Reason("voted", int(voter[n]), float(by_people[n])) if voted[n] else None,
            Reason("similar", int(like[n]), float(by_text[n])) if similar[n] else None,
        ]
        all_like = [
            Reason("popular", None, float(of["popularity"][n])) if popular[n] else None,
            Reason("new", None, float(of["freshness"][n])) if new[n] else None,
        ]
        reason = _strongest(own) or _strongest(all_like)
        reasons.append(reason or (Reason("varied") if varied[n] else None))
    return reasons


def voters(person: Person, pool: Pool, ranked: Ranked, rows: np.ndarray) -> np.ndarray:
    """(r,) the like that gave most of the votes for each item, the newer of two, -1 for none."""
    gave = np.zeros((len(rows), len(person.like_ids)), dtype=np.float32)
    if gave.size == 0:
        return np.full(len(rows), -1, dtype=np.int64)
    order = np.argsort(pool.ids[rows])
    wanted, places = pool.ids[rows][order], person.related_ids.shape[2]
    for number in range(person.related_ids.shape[1]):
        related = person.related_ids[:, number].ravel()
        at = np.minimum(np.searchsorted(wanted, related), len(wanted) - 1)
        hits = np.flatnonzero(wanted[at] == related)
        n, (like, place) = order[at[hits]], np.divmod(hits, places)
        for kind in (kind for kind, of in enumerate(_LIST_OF) if of == number):
            votes, part = pool.votes[rows[n], kind], ranked.parts[rows[n], kind]
            says = (votes > 0) & (part > 0)
            share = np.divide(part, votes, out=np.zeros_like(part), where=says)
            np.add.at(gave, (n, like), person.given[like, kind, place] * share)
    return np.where(gave.max(axis=1) > 0, np.argmax(gave, axis=1), -1)


def _strongest(reasons: list[Reason | None]) -> Reason | None:
    told = [reason for reason in reasons if reason and reason.strength > 0]
    return max(told, key=lambda reason: reason.strength, default=None)


@dataclass(frozen=True)
class Explanation:
    """Why a list is as it is, in plain numbers: so much of it is kept with the list.

    Lists named by `of the list` have an entry for each place; relevance is out of 100.
    """

    parts: list[str]  # names, then "cut": columns of points
    points: list[list[int]]  # of the list; each adds up to the relevance shown
    reasons: list[str | None]  # of the list, kinds of Reason
    likes: list[list[int]]  # of the list, ids of liked items behind it, that of the reason first
    wishes: list[int | None]  # of the list, ids
    interests: list[list[int]]  # of each interest, ids of liked items in it, newest first
    shares: list[int]  # of each interest, percent
    found_by: list[int]  # of the list; bit n says that source n found it
    sources: list[str]  # names of all that were asked; those of interests in their order
    pool: list[int]  # ids of all candidates, by relevance
    relevance: list[int]  # of all candidates, in that order
    cut: int  # so far down by relevance the list might have reached
    capped: dict[
        str, list[int]
    ]  # by the ceiling that kept them out, or as duplicates, ids of these
    displaced: list[int]  # ids whose place was given away to explore
    mutes: list[tuple[str, int]]  # kinds and ids of what the person had muted
    made_way: list[int] = field(default_factory=list)  # ids that left the list for a pin


NO_ROWS = np.zeros(0, dtype=np.int64)
MEMBERS = 5  # liked items that an interest is told by


def explanation_of(
    person: Person,
    pool: Pool,
    ranked: Ranked,
    rules: Rules,
    reasons: Sequence[Reason | None],
    asked: Asked,
    *,
    found_by: np.ndarray,
    sources: Sequence[str],
    wish_ids: Sequence[int],
    steering: Sequence[steered.Steer],
    made_way: np.ndarray = NO_ROWS,
) -> Explanation:
    """What is kept of the grounds of a list.

    reasons   of each row of ranked.order, which places given away are a part of
    found_by  (n,) int64 of the pool; bit m says that source m found it
    sources   names of all
    wish_ids  of the wishes that asked speaks of
    made_way  rows that left the list for a pin
    """
    rows, learned = ranked.order, person.interests
    points = points_of(ranked.parts[rows], ranked.relevance[rows])
    there = np.flatnonzero(points.any(axis=0))
    names = (*ranked.names, CUT)
    order = np.argsort(-ranked.relevance, kind="stable")
    chosen = ranked.diversified.order
    full = ceilings_full(chosen, pool, rules)
    if ranked.is_duplicate.any():
        full = {DUPLICATE: ranked.is_duplicate} | full
    cut, capped = passed_over(chosen, order, full)
    has_vector = np.flatnonzero(person.like_vectors.any(axis=1))
    return Explanation(
        parts=[names[column] for column in there],
        points=points[:, there].tolist(),
        reasons=[reason and reason.kind for reason in reasons],
        likes=_likes(person, pool, ranked, reasons),
        wishes=[wish_ids[asked.best[row]] if asked.near[row] >= ASKED else None for row in rows],
        interests=[
            person.like_ids[has_vector[learned.members == number]][:MEMBERS].tolist()
            for number in range(len(learned.weights))
        ],
        shares=np.rint(100 * learned.weights).astype(int).tolist(),
        found_by=found_by[rows].tolist(),
        sources=list(sources),
        pool=pool.ids[order].tolist(),
        relevance=out_of_100(ranked.relevance[order]).tolist(),
        cut=cut,
        capped={name: pool.ids[out].tolist() for name, out in capped.items()},
        displaced=pool.ids[np.setdiff1d(chosen, [*rows, *made_way])].tolist(),
        mutes=[(steer.kind, steer.target) for steer in steering if steer.action == "mute"],
        made_way=pool.ids[made_way].tolist(),
    )


def out_of_100(relevance: np.ndarray) -> np.ndarray:
    """int64 of the same shape: relevance as it is shown."""
    return np.rint(100.0 * np.asarray(relevance, dtype=np.float64)).astype(np.int64)


def points_of(parts: np.ndarray, relevance: np.ndarray) -> np.ndarray:
    """(n, p + 1) int64: the points of each part; each row adds up to out_of_100(relevance).

    parts      (n, p) contributions; what they say beyond 0 and 1 is the last column, so that
               nothing that spoke for an item or against it is hidden
    relevance  (n,) their sum, cut at 0 and 1

    Rounded by largest remainder: each is one of the two whole numbers next to it, and a part that
    is nothing has no point. Source: Hamilton's method of 1792; Balinski & Young 1982, "Fair
    Representation".

    >>> points_of(np.array([[0.334, 0.333], [0.9, 0.4]]), np.array([0.667, 1.0])).tolist()
    [[34, 33, 0], [90, 40, -30]]
    """
    exact = 100.0 * np.asarray(parts, dtype=np.float64)
    beyond = 100.0 * np.asarray(relevance, dtype=np.float64) - exact.sum(axis=1)
    exact = np.column_stack([exact, beyond])
    least = np.floor(exact)
    missing = out_of_100(relevance) - least.sum(axis=1)
    place = np.argsort(np.argsort(least - exact, axis=1, kind="stable"), axis=1)
    return (least + (place < missing[:, None])).astype(np.int64)


def passed_over(
    chosen: np.ndarray, by_relevance: np.ndarray, full: Mapping[str, np.ndarray]
) -> tuple[int, dict[str, np.ndarray]]:
    """How far down by relevance a list might have reached, and what a ceiling kept out of it.

    chosen        (k,) rows that are in the list
    by_relevance  (n,) all rows, the most relevant first
    full          ceiling → (n,) bool, see pipeline.ceilings_full()
    Returns       the number of rows by relevance among which k are in the list or kept out by no
                  ceiling; and ceiling → those of the others

    >>> full = {"max_per_creator": np.array([True, True, True, False])}
    >>> passed_over(np.array([0, 3]), np.array([0, 1, 2, 3]), full)
    (4, {'max_per_creator': array([1, 2])})
    """
    is_out = np.zeros(len(by_relevance), dtype=bool)
    for of_ceiling in full.values():
        is_out |= of_ceiling
    is_out[chosen] = False
    may = np.flatnonzero(~is_out[by_relevance])[: len(chosen)]
    cut = int(may.max(initial=-1)) + 1
    out = by_relevance[:cut][is_out[by_relevance[:cut]]]
    return cut, {name: out[of_ceiling[out]] for name, of_ceiling in full.items()}


def _likes(
    person: Person, pool: Pool, ranked: Ranked, reasons: Sequence[Reason | None]
) -> list[list[int]]:
    behind = []
    for row, reason in zip(ranked.order, reasons, strict=True):
        likes = [] if reason is None or reason.like is None else [reason.like]
        like = int(ranked.best_like[row])
        if like >= 0 and pool.vectors[row] @ person.like_vectors[like] >= NEAR:
            likes.append(like)
        behind.append([int(person.like_ids[like]) for like in dict.fromkeys(likes)])
    return behind
