"""Measure what diversity costs here: each strategy's curve, on the feedback of this site.

Each person's last fifth is held out, everything is learned anew from the rest, as evaluate does it,
and the pools of some people are diversified at every strength. The row that comes of it is what a
request turns a budget into a strength by, from the next one on.
"""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
from django.conf import settings

from recommender import store
from recommender.evaluation.calibrating import AT, as_json, measure
from recommender.evaluation.fitting import part
from recommender.evaluation.splits import check_apart, last_fraction
from recommender.evaluation.trial import FEWEST_PEOPLE, TooFew, fit_past, targets_of
from recommender.models import Calibration
from recommender.ranking.model import untrained

HELD_OUT = 0.2  # of each person's events
PEOPLE = 1000  # drawn by chance; their intervals are half as wide as those of 250
SCENARIO = "home"

log = logging.getLogger(__name__)


def calibrate(
    scenario: str = SCENARIO,
    *,
    budget: float | None = None,
    most_people: int = PEOPLE,
    keep: bool = True,
    progress: Callable[[str, int, int], None] = lambda step, done, of: None,
) -> Calibration:
    """The calibration of a scenario by all feedback until now; kept if `keep`.

    The scenario says which limits hold; its sources, filter and boosts are not replayed.
    budget    the share of NDCG that the choice may cost; without one that of the scenario, else
              DIVERSITY_BUDGET
    progress  is told what is done, how far and of how much
    Raises    KeyError for a slug of no active scenario; TooFew where fewer than FEWEST_PEOPLE can
              be foretold, or nothing is found for anybody
    """
    begun = time.monotonic()
    store.rules_of_scenario(scenario, limit=AT, model=untrained())  # before an hour of work
    space = store.active_space()
    library = store.library(space and store.Space(space.id, space.dimension))
    events = store.events()
    held = last_fraction(events.people, events.moments, HELD_OUT)
    known = part(events, ~held)
    check_apart(known, events, held)
    progress("learning", 0, 1)
    past, model = fit_past(library, known, store.weights_of_kinds())
    progress("learning", 1, 1)
    rules = store.rules_of_scenario(scenario, limit=AT, model=model)
    if budget is None:
        budget = settings.DIVERSITY_BUDGET if rules.budget is None else rules.budget
    targets = targets_of(events, held, past)
    people = np.intersect1d(list(targets), np.unique(known.people))
    if len(people) < FEWEST_PEOPLE:
        raise TooFew(
            f"only {len(people)} people have a history and liked something after it:"
            f" {FEWEST_PEOPLE} are needed to say what diversity costs"
        )
    if len(people) > most_people:
        people = np.sort(np.random.default_rng(0).choice(people, most_people, replace=False))
    done = iter(range(1, len(people) + 1))
    measured = measure(
        past,
        model,
        {int(person): targets[person] for person in people},
        limits=rules.limits,
        pool_size=settings.POOL_SIZE,
        progress=lambda _: progress("diversifying", next(done), len(people)),
    )
    try:
        chosen = measured.curve().strongest_within(budget)
    except ValueError as nothing:
        raise TooFew(f"{nothing} of what {len(people)} people liked afterwards") from None
    found = Calibration(
        scenario=scenario,
        made_at=datetime.now(UTC),
        until=datetime.fromtimestamp(events.moments.max(), UTC),
        people=len(people),
        events=len(events.items),
        curves=as_json(measured),
        budget=budget,
        strategy=chosen.strategy,
        strength=chosen.strength,
        seconds=time.monotonic() - begun,
    )
    return store.put_calibration(found) if keep else found


def calibrate_if_possible() -> None:
    """For the schedule: a site with little feedback yet has nothing to be told of every week."""
    try:
        calibrate()
    except TooFew as reason:
        log.info("not calibrated: %s", reason)


def summary(found: Calibration) -> str:
    """What was measured, in a few lines of Markdown."""
    curve = store.curve_of(found.curves["curve"])
    budgets = (0.01, 0.02, 0.05, 0.1)
    lines = ["| strategy | " + " | ".join(f"within {b:.0%}" for b in budgets) + " |"]
    lines.append("|---|" + "---|" * len(budgets))
    for strategy in curve.strategies():
        within = [curve.within(strategy, budget) for budget in budgets]
        cells = [f"{p.strength:.2f}: {p.diversity - 1:+.1%}" if p else "–" for p in within]
        lines.append(f"| {strategy} | {' | '.join(cells)} |")
    return "\n".join(lines)
