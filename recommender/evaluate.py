"""Replay history: what would have been shown, and would it have been liked?

Each person's lists are made from what came before, by the functions that answer a live request,
and compared with what came after. No learned table is read: everything is learned anew from the
events that may be known, so nothing of the future leaks in.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import numpy as np

from recommender import store
from recommender.diversity import Limits
from recommender.diversity.measures import category_distance, vector_distance
from recommender.evaluation import compare, metrics
from recommender.evaluation.fitting import is_good, part, some_items
from recommender.evaluation.lengths import Group, by_length
from recommender.evaluation.new_items import NewItems, judge_new_items
from recommender.evaluation.replay import (
    Past,
    list_for,
    popular_for,
    rows_by_person,
)
from recommender.evaluation.splits import after, check_apart, last_fraction
from recommender.evaluation.trial import FEWEST_PEOPLE, TooFew, fit_past, targets_of
from recommender.models import EmbeddingSpace
from recommender.ranking.assemble import membership
from recommender.ranking.model import Model
from recommender.ranking.pipeline import Rules
from recommender.ranking.tuning import PRESETS, Tuning
from recommender.store import Events

YEAR = 365.25 * 86_400.0  # seconds


@dataclass(frozen=True)
class System:
    """One way to make lists, by its name."""

    name: str
    rules: Rules | None  # None: what is popular, the same for all but what each has seen
    tuning: Tuning = field(default_factory=Tuning)


@dataclass(frozen=True)
class Result:
    """What a system reached: a value a person for each measure, and some of the lists together."""

    name: str
    people: dict[str, np.ndarray]
    coverage: float
    gini: float
    in_common: float  # the share of their places that two people's lists have in common


@dataclass(frozen=True)
class Evaluation:
    """What was measured of each system, and of the order of relevance apart where little is known:
    of people with a short history, and of items that nobody has touched."""

    systems: list[Result]
    lengths: list[Group]
    new_items: list[NewItems] = field(default_factory=list)  # empty: there was nothing to judge by
    n_new: int = 0  # items that were taken for new ones


def systems(k: int, diversity: float, limits: Limits) -> list[System]:
    """Relevance order, each strategy at some strengths, and popularity beside them."""
    strengths = sorted({0.3, 0.6, diversity} - {0.0})
    return [
        System("popularity", None),
        System("relevance order", Rules(limit=k, diversity=0.0)),
        *(
            System(f"{strategy.upper()} {strength:g}", Rules(k, strength, strategy, limits=limits))
            for strategy in ("mixed", "mmr", "dpp")
            for strength in strengths
        ),
    ]


def presets(k: int, diversity: float, limits: Limits) -> list[System]:
    """What people may choose among; the first is what nobody has chosen."""
    return [
        System(
            name,
            Rules(k, diversity if preset.diversity is None else preset.diversity, limits=limits),
            preset,
        )
        for name, preset in PRESETS.items()
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
    compared: Callable[[int, float, Limits], list[System]] = systems,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Measure each system on the people who liked something in the part that is held out.

    holdout  each person's last part; or `at`: everything after a moment. What others did at the
             same time as the held-out part of a person may be known with `holdout`, not with `at`.
    compared which systems; of presets() nothing is measured apart
    Raises   TooFew; splits.Leak if what is held out is known all the same, an error of ours
    """
    library, events = store.library(_space()), store.events()
    held = held_out(events, holdout=holdout, at=at)
    known = store.events(until=at) if at else part(events, ~held)
    check_apart(known, events, held)
    past, model = fit_past(library, known, store.weights_of_kinds())
    targets = targets_of(events, held, past)
    had_a_history = np.unique(known.people)
    people = np.intersect1d(list(targets), had_a_history)[:most_people].tolist()
    if not people:
        raise TooFew("nobody liked an item afterwards that is still shown and was new to them")
    results = [
        _measured(system, past, model, people, targets, k, pool_size, progress)
        for system in compared(k, diversity, Limits(max_per_creator=max_per_creator))
    ]
    if compared is presets:
        return Evaluation(results, [])
    rules = Rules(limit=k, diversity=0.0, model=model)
    strangers = np.setdiff1d(list(targets), had_a_history)[:most_people].tolist()
    lengths = by_length(
        past,
        {person: targets[person] for person in people + strangers},
        rules,
        pool_size=pool_size,
        progress=progress,
    )
    new_items, n_new = _new_items(library, events, known, rules, pool_size, most_people, progress)
    return Evaluation(results, lengths, new_items, n_new)


def compare_spaces(
    spaces: Sequence[EmbeddingSpace],
    *,
    k: int,
    diversity: float,
    max_per_creator: int | None,
    pool_size: int,
    most_people: int | None = None,
    holdout: float = 0.2,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Result]:
    """The same lists of the same people by the vectors of each space, as if all was learned in it.

    holdout  each person's last part, which is to be foretold
    Raises   TooFew
    """
    events = store.events()
    held = held_out(events, holdout=holdout, at=None)
    known, weights = part(events, ~held), store.weights_of_kinds()
    rules = Rules(k, diversity, limits=Limits(max_per_creator=max_per_creator))
    results = []
    for space in spaces:
        library = store.library(store.Space(space.id, space.dimension))
        past, model = fit_past(library, known, weights)
        targets = targets_of(events, held, past)
        people = np.intersect1d(list(targets), known.people)[:most_people].tolist()
        if not people:
            raise TooFew("nobody liked an item afterwards that is still shown and was new to them")
        system = System(space.name, rules)
        results.append(_measured(system, past, model, people, targets, k, pool_size, progress))
    return results


def _new_items(
    library: store.Library,
    events: Events,
    known: Events,
    rules: Rules,
    pool_size: int,
    most_people: int | None,
    progress: Callable[[int], None],
) -> tuple[list[NewItems], int]:
    """What is done with items whose every event was withheld, and how many these are."""
    ids = some_items(library, events, np.random.default_rng(0))
    without = part(known, ~np.isin(known.items, ids))
    past, model = fit_past(library, without, store.weights_of_kinds())
    targets = targets_of(events, np.isin(events.items, ids), past)
    people = np.intersect1d(list(targets), past.events.people)[:most_people].tolist()
    if not people:
        return [], len(ids)
    found = judge_new_items(
        past,
        ids,
        {person: targets[person] for person in people},
        replace(rules, model=model),
        pool_size=pool_size,
        progress=progress,
    )
    return found, len(ids)


def _measured(
    system: System,
    past: Past,
    model: Model,
    people: list[int],
    targets: dict[int, np.ndarray],
    k: int,
    pool_size: int,
    progress: Callable[[int], None],
) -> Result:
    library = past.library
    rows_of = rows_by_person(past.events.people)
    had = dict(zip(*np.unique(past.events.items, return_counts=True), strict=True))
    membership_of = membership(library.category_ids)
    liked = is_good(past.events.kinds, past.events.values)
    values: dict[str, list[float]] = {name: [] for name in dict.fromkeys(MEASURES + OF_PRESETS)}
    places = []
    for person in people:
        history = rows_of[person]
        shown = (
            list_for(
                past,
                history,
                replace(system.rules, model=model),
                pool_size=pool_size,
                tuning=system.tuning,
            )
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
        values["novelty"].append(metrics.novelty(shown, had, len(rows_of)))
        likes = [past.of_item.get(int(i), -1) for i in past.events.items[history[liked[history]]]]
        likes = library.vectors[[row for row in likes if row >= 0]]
        values["unlikeness"].append(metrics.unlikeness(library.vectors[rows], likes))
        ages = np.maximum(past.now - library.moments[rows], 0.0)
        values["age in years"].append(float(ages.mean() / YEAR) if len(ages) else 0.0)
        values["miscalibration"].append(
            metrics.miscalibration(membership_of[rows], membership_of[before])
        )
        progress(1)
    together = np.concatenate(places)
    return Result(
        system.name,
        {name: np.array(row) for name, row in values.items()},
        metrics.coverage(together, int(library.shown.sum())),
        metrics.gini(together, int(library.shown.sum())),
        metrics.in_common(together, len(people), k),
    )


MEASURES = (
    "recall",
    "ndcg",
    "mrr",
    "vector distance",
    "category distance",
    "novelty",
    "miscalibration",
)

# Distance of vectors is left out: each space has its own.
OF_SPACES = ("recall", "ndcg", "mrr", "category distance", "novelty", "miscalibration")

OF_PRESETS = ("ndcg", "category distance", "unlikeness", "novelty", "age in years")


def table(results: list[Result], k: int, measures: Sequence[str] = MEASURES) -> str:
    """All systems, with intervals, and the paired difference of NDCG to the first."""
    named = [f"{name}@{k}" for name in (*measures, "coverage", "gini", "in common")]
    base = results[0].people["ndcg"]
    rows = []
    for result in results:
        ndcg = result.people["ndcg"]
        ratio = ndcg.mean() / max(base.mean(), 1e-9)
        difference = compare.paired(ndcg, base)
        cells = [str(compare.bootstrap(result.people[name])) for name in measures]
        cells += [f"{n:.4f}" for n in (result.coverage, result.gini, result.in_common)]
        beside = "" if ndcg is base else f"× {ratio:.2f} ({difference.verdict})"
        rows.append([result.name, *cells, beside])
    return _markdown(["system", *named, f"NDCG beside {results[0].name}"], rows)


def table_of_lengths(groups: list[Group], k: int) -> str:
    """The order of relevance beside popularity, by the length of the history."""
    return _markdown(
        ["items before", "history", "people", f"ndcg@{k}", "popularity", "difference"],
        [
            [
                str(group),
                "cut short" if group.is_cut else "whole",
                f"{len(group.ndcg)}",
                str(compare.bootstrap(group.ndcg)),
                str(compare.bootstrap(group.of_popularity)),
                compare.paired(group.ndcg, group.of_popularity).signed(),
            ]
            for group in groups
        ],
    )


def table_of_new_items(found: list[NewItems], k: int) -> str:
    """What was done with new items: where they alone may be shown, and among all items."""
    others = found[:-1]
    rows = []
    for one in found:
        beside = [
            "" if one is other else compare.paired(one.ndcg, other.ndcg).signed()
            for other in others
        ]
        cells = [str(compare.bootstrap(one.ndcg)), *beside, str(compare.bootstrap(one.recall))]
        rows.append([one.name, *cells, f"{one.share:.4f}", f"{one.coverage:.4f}"])
    head = ["system", f"ndcg@{k} of them alone", *(f"beside {other.name}" for other in others)]
    head += [f"recall@{k} among all", "share of places", "share of them shown"]
    return _markdown(head, rows)


def _markdown(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown that can be read as it is, too."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, cells, widths)) + " |" for cells in [head, *rows]]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _space() -> store.Space | None:
    active = store.active_space()
    return store.Space(active.id, active.dimension) if active else None
