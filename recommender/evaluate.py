"""Replay history: what would have been shown, and would it have been liked?

Each person's lists are made from what came before, by the functions that answer a live request,
and compared with what came after. No learned table is read: neighbours and popularity are learned
anew from the events that may be known, so nothing of the future leaks in.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from recommender import store
from recommender.candidates.crowd import item_neighbours, item_popularity
from recommender.candidates.fusion import reciprocal_rank
from recommender.candidates.signals import KINDS, WEIGHTS
from recommender.candidates.taste import read_taste
from recommender.diversity.measures import category_distance, vector_distance
from recommender.evaluation import compare, metrics
from recommender.evaluation.splits import after, last_fraction
from recommender.ranking.assemble import Ask, asks, membership, person_of, pool_of
from recommender.ranking.pipeline import Rules, rank
from recommender.store import NEIGHBOURS, VOTERS, Events, Library

DAY = 86_400.0
FEWEST_PEOPLE = 100
GOOD = tuple(KINDS.index(kind) for kind in ("like", "save", "share", "purchase"))
GOOD_RATING = 4.0
HIDDEN = -1  # in the place of an item that may not be shown


class TooFew(Exception):
    """There is too little to say anything; the message tells how much there is."""


@dataclass(frozen=True)
class Past:
    """All that may be known at the moment of the replay."""

    library: Library
    events: Events
    of_item: dict[int, int]  # item id → row of the library
    neighbour_ids: np.ndarray  # (n, k) int64 item ids, -1 where there is none
    neighbour_weights: np.ndarray  # (n, k)
    popularity: np.ndarray  # (n,)
    now: float
    weights: np.ndarray  # (kinds,) what each kind of feedback weighs


def look_back(library: Library, events: Events, weights: np.ndarray = WEIGHTS) -> Past:
    """Learn from events, for the items of the library, what a live system would have stored.

    weights  (kinds,) what each kind of feedback weighs
    """
    rows = {int(item): row for row, item in enumerate(library.ids)}
    ids = np.full((len(rows), NEIGHBOURS), -1, dtype=np.int64)
    strengths = np.zeros((len(rows), NEIGHBOURS), dtype=np.float32)
    popularity = np.zeros(len(rows), dtype=np.float32)
    if len(events.people):
        learned, found = item_neighbours(events, weights)
        known = np.array([rows.get(int(item), -1) for item in learned])
        ids[known[known >= 0]] = found.ids[known >= 0]
        strengths[known[known >= 0]] = found.weights[known >= 0]
        learned, scores = item_popularity(events, weights)
        known = np.array([rows.get(int(item), -1) for item in learned])
        popularity[known[known >= 0]] = scores[known >= 0]
    now = float(events.moments.max(initial=0.0))
    return Past(library, events, rows, ids, strengths, popularity, now, weights)


def list_for(past: Past, history: np.ndarray, rules: Rules, *, pool_size: int) -> np.ndarray:
    """Item ids for the person of these rows of events (oldest first), as a request would."""
    events, library = past.events, past.library
    newest = history[::-1][: store.HISTORY]
    kinds, values = events.kinds[newest], events.values[newest]
    taste = read_taste(events.items[newest], kinds, values, past.weights)
    touched = [past.of_item.get(int(i), -1) for i in np.concatenate([taste.likes, taste.dislikes])]
    touched = np.array(touched, dtype=np.int64)
    gone = touched < 0
    vectors = library.vectors[touched] * ~gone[:, None]
    neighbour_ids = np.where(gone[:, None], -1, past.neighbour_ids[touched])
    neighbour_ids[VOTERS:] = -1
    person, voted = person_of(taste, vectors, neighbour_ids, past.neighbour_weights[touched])
    free = np.ones(len(library.ids), dtype=bool)
    seen = [past.of_item.get(int(item), -1) for item in np.unique(events.items[history])]
    free[[row for row in seen if row >= 0]] = False
    plan = asks(person, voted, (), pool_size=pool_size)
    lists = [_fetch(past, ask, person.interests.vectors, free) for ask in plan]
    fused = reciprocal_rank(lists, weights=[ask.weight for ask in plan])
    fused = fused[fused != HIDDEN][:pool_size]
    rows = np.array([past.of_item[int(item)] for item in fused], dtype=np.int64)
    pool = pool_of(
        voted,
        ids=fused,
        vectors=library.vectors[rows],
        category_ids=[library.category_ids[row] for row in rows],
        creators=library.creators[rows],
        popularity=past.popularity[rows],
        age_days=np.maximum(past.now - library.moments[rows], 0) / DAY,
    )
    return fused[rank(person, pool, rules).order]


def _fetch(past: Past, ask: Ask, interests: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Item ids of one list of candidates, best first: exact where the database approximates."""
    library = past.library
    if ask.ids is not None:
        rows = np.array([past.of_item.get(int(item), -1) for item in ask.ids], dtype=np.int64)
        # The database too gives ranks first and leaves out what may not be shown then.
        return np.where((rows >= 0) & free[rows], ask.ids, HIDDEN)
    if ask.interest is not None:
        score = library.vectors @ interests[ask.interest]
        score[~library.vectors.any(axis=1)] = -np.inf
    elif ask.order == "popular":
        score = np.where(past.popularity > 0, past.popularity, -np.inf)
    else:
        score = np.where(library.moments <= past.now, library.moments, -np.inf)
    score = np.where(free, score, -np.inf)
    best = np.argsort(-score, kind="stable")[: ask.limit]
    return library.ids[best[np.isfinite(score[best])]]


@dataclass(frozen=True)
class System:
    """One way to make lists, by its name."""

    name: str
    rules: Rules | None  # None: what is popular, the same for all but what each has seen


@dataclass(frozen=True)
class Result:
    """What a system reached: a value a person for each measure, and two of the lists together."""

    name: str
    people: dict[str, np.ndarray]
    coverage: float
    gini: float


def systems(k: int, diversity: float, max_per_creator: int | None) -> list[System]:
    """Relevance order, each strategy at some strengths, and popularity beside them."""
    strengths = sorted({0.3, 0.6, diversity} - {0.0})
    return [
        System("popularity", None),
        System("relevance order", Rules(limit=k, diversity=0.0)),
        *(
            System(
                f"{strategy.upper()} {strength:g}", Rules(k, strength, strategy, max_per_creator)
            )
            for strategy in ("mmr", "dpp")
            for strength in strengths
        ),
    ]


def is_good(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) bool: which events say that the item was the right one."""
    rated = (kinds == KINDS.index("rating")) & (values >= GOOD_RATING)
    return np.isin(kinds, GOOD) | rated


def held_out(events: Events, *, holdout: float | None, at: datetime | None) -> np.ndarray:
    """(n,) bool: the events that are to be foretold. Raises TooFew when they say too little."""
    held = (
        after(events.moments, at.timestamp())
        if at
        else last_fraction(events.people, events.moments, holdout)
    )
    known = np.unique(events.people[~held])
    good = held & is_good(events.kinds, events.values)
    people = np.intersect1d(np.unique(events.people[good]), known)
    if at and len(people) < FEWEST_PEOPLE:
        raise TooFew(
            f"only {len(people)} people had a history before {at.isoformat()} and liked something"
            f" after it: {FEWEST_PEOPLE} are needed to say anything"
        )
    if len(people) == 0:
        raise TooFew("nobody has both a history and something liked after it")
    return held


def evaluate(
    *,
    holdout: float | None = 0.2,
    at: datetime | None = None,
    k: int = 10,
    diversity: float = 0.3,
    max_per_creator: int | None = None,
    pool_size: int = 200,
    most_people: int | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Result]:
    """Measure each system on the people who liked something in the part that is held out.

    holdout  each person's last part; or `at`: everything after a moment. What others did at the
             same time as the held-out part of a person may be known with `holdout`, not with `at`.
    """
    library, events = store.library(_space()), store.events()
    held = held_out(events, holdout=holdout, at=at)
    known = store.events(until=at) if at else _part(events, ~held)
    past = look_back(library, known, store.weights_of_kinds())
    targets = _targets(events, held, past)
    if not targets:
        raise TooFew("nobody liked an item afterwards that is still shown and was new to them")
    people = sorted(targets)[:most_people]
    rows_of = _rows_by_person(past.events)
    had = dict(zip(*np.unique(past.events.items, return_counts=True), strict=True))
    everybody = len(rows_of)
    membership_of = membership(library.category_ids)
    results = []
    for system in systems(k, diversity, max_per_creator):
        values: dict[str, list[float]] = {name: [] for name in MEASURES}
        places = []
        for person in people:
            history = rows_of[person]
            shown = (
                list_for(past, history, system.rules, pool_size=pool_size)
                if system.rules
                else _popular(past, history, k)
            )
            rows = [past.of_item[int(item)] for item in shown]
            before = [past.of_item.get(int(i), -1) for i in past.events.items[history]]
            before = [row for row in before if row >= 0]
            places.append(shown)
            values["recall"].append(metrics.recall(shown, targets[person], k))
            values["ndcg"].append(metrics.ndcg(shown, targets[person], k))
            values["mrr"].append(metrics.reciprocal_rank(shown, targets[person], k))
            values["vector distance"].append(vector_distance(library.vectors[rows]))
            values["category distance"].append(category_distance(membership_of[rows]))
            values["novelty"].append(metrics.novelty(shown, had, everybody))
            values["miscalibration"].append(
                metrics.miscalibration(membership_of[rows], membership_of[before])
            )
            progress(1)
        together = np.concatenate(places)
        results.append(
            Result(
                system.name,
                {name: np.array(row) for name, row in values.items()},
                metrics.coverage(together, len(library.ids)),
                metrics.gini(together, len(library.ids)),
            )
        )
    return results


MEASURES = (
    "recall",
    "ndcg",
    "mrr",
    "vector distance",
    "category distance",
    "novelty",
    "miscalibration",
)


def table(results: list[Result], k: int) -> str:
    """A table in Markdown, with intervals, and the paired difference of NDCG to popularity."""
    named = [f"{name}@{k}" for name in MEASURES]
    head = ["system", *named, f"coverage@{k}", f"gini@{k}", "NDCG beside popularity"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    base = results[0]
    for result in results:
        difference = compare.paired(result.people["ndcg"], base.people["ndcg"])
        ratio = result.people["ndcg"].mean() / max(base.people["ndcg"].mean(), 1e-9)
        beside = "" if result is base else f"× {ratio:.2f} ({difference.verdict})"
        cells = [str(compare.bootstrap(result.people[name])) for name in MEASURES]
        lines.append(
            "| "
            + " | ".join(
                [result.name, *cells, f"{result.coverage:.4f}", f"{result.gini:.4f}", beside]
            )
            + " |"
        )
    return "\n".join(lines)


def _space() -> store.Space | None:
    active = store.active_space()
    return store.Space(active.id, active.dimension) if active else None


def _part(events: Events, keep: np.ndarray) -> Events:
    return Events(
        events.people[keep],
        events.items[keep],
        events.kinds[keep],
        events.values[keep],
        events.moments[keep],
        events.now,
    )


def _targets(events: Events, held: np.ndarray, past: Past) -> dict[int, np.ndarray]:
    """What each person liked in the held-out part, of items in the library and not had before."""
    rows = np.flatnonzero(held & is_good(events.kinds, events.values))
    had = set(zip(past.events.people.tolist(), past.events.items.tolist(), strict=True))
    known = {person for person, _ in had}
    found: dict[int, set[int]] = {}
    for person, item in zip(events.people[rows].tolist(), events.items[rows].tolist(), strict=True):
        if person in known and item in past.of_item and (person, item) not in had:
            found.setdefault(person, set()).add(item)
    return {person: np.array(sorted(items)) for person, items in found.items()}


def _rows_by_person(events: Events) -> dict[int, np.ndarray]:
    order = np.argsort(events.people, kind="stable")
    people, begins = np.unique(events.people[order], return_index=True)
    return dict(zip(people.tolist(), np.split(order, begins[1:]), strict=True))


def _popular(past: Past, history: np.ndarray, k: int) -> np.ndarray:
    seen = np.isin(past.library.ids, past.events.items[history])
    score = np.where(seen, -1.0, past.popularity)
    return past.library.ids[np.argsort(-score, kind="stable")[:k]]
