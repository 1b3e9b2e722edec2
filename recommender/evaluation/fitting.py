"""How much each part of the relevance counts: fitted on what people took up next, and judged.

People are parted in two halves: each is judged by weights that were fitted on the other, so that
no weight is judged by those it was fitted on.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from recommender.candidates.crowd import Events, signals
from recommender.candidates.signals import KINDS, WEIGHTS
from recommender.candidates.taste import affinity, taken_up
from recommender.evaluation import metrics
from recommender.evaluation.replay import (
    Library,
    Past,
    case,
    look_back,
    model_of,
    popular_for,
    rows_by_person,
)
from recommender.ranking.model import LENGTHS, Model, untrained
from recommender.ranking.pipeline import Pool, features_of
from recommender.ranking.score import Say, contributions
from recommender.training.blend import Example, fit

GOOD = tuple(KINDS.index(kind) for kind in ("like", "save", "share", "purchase"))
GOOD_RATING = 4.0
MOST_PEOPLE = 2000
PRETENDED = 0.2  # of the items are taken for new ones, to learn what can be said of such
AT = 10  # NDCG of so many


@dataclass(frozen=True)
class Fitted:
    """Weights, and how lists by them would have done; one row a person in each array."""

    model: Model  # with the maps of the known part
    examples: int
    lengths: np.ndarray  # (p,) items with feedback before
    ndcg: dict[str, np.ndarray]  # "this", "active" (if there is one), "popularity": (p,)
    new_items: np.ndarray  # (q,) NDCG among items that were taken for new ones


def is_good(kinds: np.ndarray, values: np.ndarray) -> np.ndarray:
    """(n,) bool: which events say that the item was the right one."""
    rated = (kinds == KINDS.index("rating")) & (values >= GOOD_RATING)
    return np.isin(kinds, GOOD) | rated


def part(events: Events, keep: np.ndarray) -> Events:
    """Some of the events."""
    columns = ("people", "items", "kinds", "values", "moments")
    return replace(events, **{name: getattr(events, name)[keep] for name in columns})


def fit_model(
    library: Library,
    events: Events,
    held: np.ndarray,
    *,
    active: Model | None = None,
    weights: np.ndarray = WEIGHTS,
    pool_size: int = 250,
    most_people: int = MOST_PEOPLE,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda step, done, of: None,
) -> Fitted:
    """Fit weights to the held events of people of whom others are known.

    held      (n,) bool of the events
    active    what is used now, to be compared with
    progress  is told what is done, how far and of how much
    """
    rng = np.random.default_rng(seed)
    progress("learning from what came before", 0, 1)
    past = look_back(library, part(events, ~held), weights, seed=seed)
    progress("learning from what came before", 1, 1)
    start = model_of(past.learned, untrained())
    says = signals(events, weights)
    counts = affinity(says, taken_up(events.kinds, says))
    history_of = rows_by_person(past.events.people)
    goals = _goals(events, held, counts, past, history_of)
    people = np.array(sorted(goals), dtype=np.int64)
    if len(people) > most_people:
        people = np.sort(rng.choice(people, most_people, replace=False))
    half_of = dict(zip(people.tolist(), rng.integers(0, 2, len(people)).tolist(), strict=True))

    there = np.ones(len(library.ids), dtype=bool)  # what is not shown now was shown then
    whole: dict[int, tuple[Example, Pool]] = {}
    examples: dict[int, list[Example]] = {0: [], 1: []}
    for number, person in enumerate(people.tolist()):
        history = history_of[person]
        whole[person] = _example(past, history, start, goals[person], pool_size, there)
        examples[half_of[person]].append(whole[person][0])
        if (short := _shortened(history, rng)) is not None:
            only = ~np.isin(library.ids, past.events.items[history])
            shorter = _example(past, short, start, goals[person], pool_size, only)[0]
            examples[half_of[person]].append(replace(shorter, is_shortened=True))
        if number % 20 == 0:
            progress("replaying", number, len(people))
    new_items: dict[int, list[tuple[Example, np.ndarray, np.ndarray]]] = {0: [], 1: []}
    pretended, item_ids = _without_some_items(past, rng, seed)
    only = np.isin(library.ids, item_ids)
    still = rows_by_person(pretended.events.people)
    begin = model_of(pretended.learned, untrained())
    goals_of_new = _goals(events, np.isin(events.items, item_ids), counts, pretended, still)
    for person, goal in goals_of_new.items():
        if person in half_of:
            example, pool = _example(pretended, still[person], begin, goal, pool_size, only)
            new_items[half_of[person]].append((example, pool.ids, np.array(list(goal))))
    progress("replaying", len(people), len(people))

    ndcg: dict[str, list[float]] = {"this": [], "popularity": []}
    if active is not None:
        ndcg["active"] = []
    of_new: list[float] = []
    both = [fit(examples[1 - h], [e for e, _, _ in new_items[1 - h]], start) for h in (0, 1)]
    good = _goals(events, held & is_good(events.kinds, events.values), counts, past, history_of)
    judged = [person for person in people.tolist() if person in good]
    for person in judged:
        example, pool = whole[person]
        ids = np.array(list(good[person]), dtype=np.int64)
        shown = _best(example, pool.ids, both[half_of[person]])
        ndcg["this"].append(metrics.ndcg(shown, ids, AT))
        if active is not None:
            ndcg["active"].append(metrics.ndcg(_best(example, pool.ids, active), ids, AT))
        popular = popular_for(past, history_of[person], AT, there)
        ndcg["popularity"].append(metrics.ndcg(popular, ids, AT))
    for half in (0, 1):
        for example, ids, taken in new_items[half]:
            of_new.append(metrics.ndcg(_best(example, ids, both[half]), taken, AT))
    model = fit(
        examples[0] + examples[1], [e for half in (0, 1) for e, _, _ in new_items[half]], start
    )
    return Fitted(
        model,
        len(examples[0]) + len(examples[1]),
        np.array([whole[person][0].history_length for person in judged], dtype=np.int64),
        {name: np.array(values) for name, values in ndcg.items()},
        np.array(of_new),
    )


def _without_some_items(past: Past, rng: np.random.Generator, seed: int) -> tuple[Past, np.ndarray]:
    """The past if nobody had touched some items with a text, and the ids of these.

    All is learned once more: what was learned with them explains away the items nearest to them.
    """
    chosen = some_items(past.library, past.events, rng)
    events = part(past.events, ~np.isin(past.events.items, chosen))
    return look_back(past.library, events, past.weights, seed=seed), chosen


def some_items(library: Library, events: Events, rng: np.random.Generator) -> np.ndarray:
    """Ids, ascending, of a fifth of the items with events and a text: to be taken for new ones."""
    has_text = library.ids[library.vectors.any(axis=1)]
    items = np.intersect1d(np.unique(events.items), has_text)
    return np.sort(rng.choice(items, int(PRETENDED * len(items)), replace=False))


def _goals(
    events: Events,
    rows: np.ndarray,
    counts: np.ndarray,
    past: Past,
    history_of: dict[int, np.ndarray],
) -> dict[int, dict[int, float]]:
    """Of each person with a history the items of these rows that can be shown, not had before."""
    had = set(zip(past.events.people.tolist(), past.events.items.tolist(), strict=True))
    goals: dict[int, dict[int, float]] = {}
    for row in np.flatnonzero(rows & (counts > 0)):
        person, item = int(events.people[row]), int(events.items[row])
        if person in history_of and item in past.of_item and (person, item) not in had:
            goal = goals.setdefault(person, {})
            goal[item] = max(goal.get(item, 0.0), float(counts[row]))
    return goals


def _example(
    past: Past,
    history: np.ndarray,
    model: Model,
    goal: dict[int, float],
    pool_size: int,
    only: np.ndarray | None = None,
) -> tuple[Example, Pool]:
    person, pool = case(past, history, model, pool_size=pool_size, only=only)
    taken = np.array([goal.get(int(item), 0.0) for item in pool.ids], dtype=np.float32)
    features = features_of(person, pool, model)
    return Example(features, pool.touched, taken, person.history_length), pool


def _shortened(history: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
    """The newest part of a history, of a length that a newer person would have."""
    rows = [row for row in range(1, len(LENGTHS)) if LENGTHS[row] < len(history)]
    if not rows:
        return None
    row = int(rng.choice(rows))
    high = LENGTHS[row + 1] - 1 if row + 1 < len(LENGTHS) else len(history)
    length = int(rng.integers(LENGTHS[row], min(high, len(history) - 1) + 1))
    return history[-length:]


def _best(example: Example, ids: np.ndarray, model: Model) -> np.ndarray:
    say = Say(model.weights_for(example.history_length), model.new_item, model.new_item_say)
    score = contributions(example.features, example.touched, say).sum(axis=1)
    return ids[np.argsort(-score, kind="stable")[:AT]]
