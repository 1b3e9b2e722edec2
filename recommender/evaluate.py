"""Replay history: what would have been shown, and would it have been liked?

Each person's lists are made from what came before, by the functions that answer a live request,
and compared with what came after. No learned table is read: everything is learned anew from the
events that may be known, so nothing of the future leaks in.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from recommender import store
from recommender.diversity.measures import category_distance, vector_distance
from recommender.evaluation import compare, metrics
from recommender.evaluation.fitting import fit_model, is_good, part
from recommender.evaluation.replay import (
    Past,
    list_for,
    look_back,
    model_of,
    popular_for,
    rows_by_person,
)
from recommender.evaluation.splits import after, last_fraction
from recommender.ranking.assemble import membership
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Rules
from recommender.store import Events

FEWEST_PEOPLE = 100
FITTED_ON = 0.1  # of what is known of each person


class TooFew(Exception):
    """There is too little to say anything; the message tells how much there is."""


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
    known = store.events(until=at) if at else part(events, ~held)
    past, model = fit_past(library, known)
    targets = _targets(events, held, past)
    if not targets:
        raise TooFew("nobody liked an item afterwards that is still shown and was new to them")
    people = sorted(targets)[:most_people]
    rows_of = rows_by_person(past.events.people)
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
                list_for(past, history, replace(system.rules, model=model), pool_size=pool_size)
                if system.rules
                else popular_for(past, history, k)
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
                metrics.coverage(together, int(library.shown.sum())),
                metrics.gini(together, int(library.shown.sum())),
            )
        )
    return results


def fit_past(library: store.Library, known: Events) -> tuple[Past, Model]:
    """What a live system would have learned of these events, and the weights it would use."""
    weights = store.weights_of_kinds()
    held = last_fraction(known.people, known.moments, FITTED_ON)
    fitted = fit_model(library, known, held, weights=weights)
    past = look_back(library, known, weights)
    return past, model_of(past.learned, fitted.model)


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


def _targets(events: Events, held: np.ndarray, past: Past) -> dict[int, np.ndarray]:
    """What each person liked in the held-out part, of items still shown and not had before."""
    rows = np.flatnonzero(held & is_good(events.kinds, events.values))
    had = set(zip(past.events.people.tolist(), past.events.items.tolist(), strict=True))
    known = {person for person, _ in had}
    found: dict[int, set[int]] = {}
    for person, item in zip(events.people[rows].tolist(), events.items[rows].tolist(), strict=True):
        row = past.of_item.get(item, -1)
        if person in known and row >= 0 and past.library.shown[row] and (person, item) not in had:
            found.setdefault(person, set()).add(item)
    return {person: np.array(sorted(items)) for person, items in found.items()}
