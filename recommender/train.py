"""Feedback → a version of what is learned, judged by what came after, offered for activation.

Events are frozen, a last part of each person is held out, weights are fitted on it and judged
beside the version in use; then everything is learned once more from all events. Training changes
nothing of what people see; activating does, in one step, and so does taking that back.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
from django.conf import settings
from django.db import transaction

from recommender import jobs, store
from recommender.evaluation import compare
from recommender.evaluation.fitting import Fitted, fit_model
from recommender.evaluation.replay import model_of
from recommender.evaluation.splits import last_fraction
from recommender.models import EmbeddingSpace, ModelVersion
from recommender.ranking.model import LENGTHS, PARTS, Model
from recommender.store import Events
from recommender.training.learned import learn

log = logging.getLogger(__name__)

HELD_OUT = 0.1  # of each person's events
FEWEST_PEOPLE, FEWEST_ITEMS = 2, 2
ENOUGH_PEOPLE = 100  # with a part held out, to be judged by them alone
# A version that is worse than the one in use by more than this does not pass, whatever the chance.
MOST_LOSS = 0.01

Progress = Callable[[str, int, int], None]


class Untrainable(Exception):
    """There is not enough to learn from; the message says what is missing."""


class Refused(Exception):
    """A version may not be activated; the message says why."""


def train(
    *,
    space: EmbeddingSpace | None = None,
    until: datetime | None = None,
    seed: int = 0,
    held_by: Callable[[Events], np.ndarray] | None = None,
    progress: Progress = lambda step, done, of: None,
) -> ModelVersion:
    """Learn a version from all feedback until a moment, and judge it; it stays inactive.

    space    whose vectors are learned of: the active one else. Of another, the version in use is
             judged without what it knows of texts, as it would be served there
    held_by  which events (n,) bool are held out to fit and judge; each person's last tenth else
    Raises   Untrainable, and then everything is as it was
    """
    began = time.monotonic()
    space = space or store.active_space()
    at = store.Space(space.id, space.dimension) if space else None
    space_id = space.id if space else 0
    library, events = store.library(at), _frozen(store.events(until))
    people, items = len(np.unique(events.people)), len(np.unique(events.items))
    if len(events.people) == 0:
        raise Untrainable("there is no feedback yet")
    if people < FEWEST_PEOPLE or items < FEWEST_ITEMS:
        raise Untrainable(
            f"feedback of {people} people on {items} items says nothing of how items go together:"
            f" at least {FEWEST_PEOPLE} people and {FEWEST_ITEMS} items are needed"
        )
    if not library.shown.any():
        raise Untrainable(
            f"none of the {len(library.ids)} items is shown any more: they were removed, or are not"
            " available"
        )
    held = held_by(events) if held_by else _held_out(events)
    weights = store.weights_of_kinds()
    try:
        fitted = fit_model(
            library,
            events,
            held,
            active=_active_model(space_id),
            weights=weights,
            seed=seed,
            progress=progress,
        )
    except ValueError as error:
        raise Untrainable(f"the feedback cannot be learned from: {error}") from error
    # Where nothing is served yet, what goes with what is better than nothing, unjudged.
    if fitted.examples == 0 and (held_by or store.active_version()):
        raise Untrainable(
            "nobody with a history took up, in the part that is held out, an item that is shown:"
            " there is nothing to judge by"
        )
    progress("learning from everything", 0, 1)
    learned = learn(events, library, weights=weights, seed=seed)
    progress("learning from everything", 1, 1)
    metrics = measured(fitted)
    newest = datetime.fromtimestamp(float(events.moments.max()), UTC)
    return store.put_version(
        replace(model_of(learned, fitted.model), space_id=space_id),
        learned,
        name=_name(),
        data_digest=digest_of(events),
        events=len(events.people),
        people=people,
        items=items,
        until=newest,
        space=space,
        seed=seed,
        seconds=round(time.monotonic() - began, 1),
        metrics=metrics,
        has_passed=metrics["passed"],
    )


def train_and_offer(*, progress: Progress = lambda step, done, of: None) -> ModelVersion | None:
    """Train, and serve what passes where the site says so, or where nothing is served yet.

    None, and a line in the log, when there is too little to learn from.
    """
    try:
        version = train(progress=progress)
    except Untrainable as error:
        log.info("nothing was trained: %s", error)
        return None
    is_first = store.active_version() is None
    if is_first or version.has_passed and settings.ACTIVATE_TRAINED:
        activate(version, force=is_first)
    return version


def activate(version: ModelVersion, *, force: bool = False) -> None:
    """Serve a version from the next request on. Raises Refused."""
    if version.status == ModelVersion.Status.RETIRED:
        raise Refused(f"{version.name} was retired: its weights are gone; train again")
    if not version.has_passed and not force:
        raise Refused(
            f"{version.name} did not pass its comparison: {verdict(version.metrics)}."
            " Activate it with --force if you want it all the same"
        )
    try:
        store.read_model(version.pk)  # a damaged one must not become the one that is served
    except store.Damaged as error:
        raise Refused(f"{version.name}: {error}") from error
    with transaction.atomic():
        store.activate_version(version)
        jobs.request("relearn", [0])  # people are compared within one version


def go_back() -> ModelVersion:
    """Serve again what was served before the active version. Raises Refused."""
    former = store.former_version()
    if former is None:
        raise Refused("no version was active before this one, or it was retired")
    activate(former, force=True)
    return former


def retire(version: ModelVersion) -> None:
    """Free what a version keeps. Raises Refused for the one in use."""
    if version.status == ModelVersion.Status.ACTIVE:
        raise Refused(f"{version.name} is in use: activate another first, or go back")
    store.retire_version(version)


def measured(fitted: Fitted) -> dict:
    """What is kept of a judgement: NDCG@10 with intervals, all and by length of history."""
    ours, popular = fitted.ndcg["this"], fitted.ndcg["popularity"]
    against = "active" if "active" in fitted.ndcg else "popularity"
    found: dict = {"examples": fitted.examples, "people": len(ours), "against": against}
    if len(ours) == 0:
        return found | {"passed": False}
    difference = compare.paired(ours, fitted.ndcg[against])
    found |= {
        "ndcg": _interval(compare.bootstrap(ours)),
        "ndcg_of_popularity": _interval(compare.bootstrap(popular)),
        "difference": _interval(difference),
        "passed": difference.verdict != "LOSS" and difference.mean > -MOST_LOSS,
        "by_length": _by_length(fitted),
        "weights": {
            str(length): dict(zip(PARTS, np.round(row, 3).tolist(), strict=True))
            for length, row in zip(LENGTHS, fitted.model.weights, strict=True)
        },
    }
    if "active" in fitted.ndcg:
        found["ndcg_of_active"] = _interval(compare.bootstrap(fitted.ndcg["active"]))
    if len(fitted.new_items):
        found["ndcg_of_new_items"] = _interval(compare.bootstrap(fitted.new_items))
    return found


def verdict(metrics: dict) -> str:
    """One line on how a version did beside the one that was in use."""
    if "difference" not in metrics:
        return "nobody could be judged"
    mean, low, high = metrics["difference"]
    return (
        f"NDCG@10 {metrics['ndcg'][0]:.4f}, {mean:+.4f} [{low:+.4f}, {high:+.4f}] beside"
        f" {'the active version' if metrics['against'] == 'active' else 'popularity'}"
        f" over {metrics['people']:,} people"
    )


def digest_of(events: Events) -> str:
    """The digest of frozen events: equal for equal events in equal order."""
    digest = hashlib.sha256()
    for name in ("people", "items", "kinds", "values", "moments"):
        digest.update(np.ascontiguousarray(getattr(events, name)).tobytes())
    return digest.hexdigest()


def _held_out(events: Events) -> np.ndarray:
    """(n,) bool: the last tenth of each person; where hardly anybody has enough for that, as in a
    shop, also the last event of whoever has two."""
    held = last_fraction(events.people, events.moments, HELD_OUT)
    if len(np.unique(events.people[held])) < ENOUGH_PEOPLE:
        held |= last_fraction(events.people, events.moments, HELD_OUT, fewest=2)
    return held


def _frozen(events: Events) -> Events:
    """A clock that was ahead says now, or everything else would look old beside it."""
    np.minimum(events.moments, events.now, out=events.moments)
    return events


def _active_model(space_id: int) -> Model | None:
    active = store.active_version()
    try:
        return store.model_of_version(active.pk).in_space(space_id) if active else None
    except store.Damaged:
        return None


def _name() -> str:
    made = store.versions()
    return f"v{made[0].pk + 1 if made else 1}"


def _interval(interval: compare.Interval) -> list[float]:
    return [round(interval.mean, 5), round(interval.low, 5), round(interval.high, 5)]


def _by_length(fitted: Fitted) -> list[dict]:
    rows = []
    for low, high in zip(LENGTHS, [*LENGTHS[1:], None], strict=True):
        mine = (fitted.lengths >= low) & (fitted.lengths < (high or np.inf))
        if mine.any():
            rows.append(
                {
                    "from": low,
                    "to": high - 1 if high else None,
                    "people": int(mine.sum()),
                    "ndcg": round(float(fitted.ndcg["this"][mine].mean()), 5),
                    "ndcg_of_popularity": round(float(fitted.ndcg["popularity"][mine].mean()), 5),
                }
            )
    return rows
