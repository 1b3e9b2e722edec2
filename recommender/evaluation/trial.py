"""A history parted for a trial: what is known, what was learned of it, and what came after."""

import numpy as np

from recommender.candidates.crowd import Events
from recommender.evaluation.fitting import fit_model, is_good
from recommender.evaluation.replay import Library, Past, look_back, model_of
from recommender.evaluation.splits import last_fraction
from recommender.ranking.model import Model

FEWEST_PEOPLE = 100  # for a mean over them to say something
FITTED_ON = 0.1  # of what is known of each person


class TooFew(Exception):
    """There is too little to say anything; the message tells how much there is."""


def fit_past(library: Library, known: Events, weights: np.ndarray) -> tuple[Past, Model]:
    """What a live system would have learned of these events, and the weights it would use.

    weights  (kinds,) what each kind of feedback weighs
    """
    held = last_fraction(known.people, known.moments, FITTED_ON)
    fitted = fit_model(library, known, held, weights=weights)
    past = look_back(library, known, weights)
    return past, model_of(past.learned, fitted.model)


def targets_of(events: Events, rows: np.ndarray, past: Past) -> dict[int, np.ndarray]:
    """What each person liked in these rows (n,) bool, of items still shown and not had before."""
    had = set(zip(past.events.people.tolist(), past.events.items.tolist(), strict=True))
    found: dict[int, set[int]] = {}
    good = np.flatnonzero(rows & is_good(events.kinds, events.values))
    for person, item in zip(events.people[good].tolist(), events.items[good].tolist(), strict=True):
        row = past.of_item.get(item, -1)
        if row >= 0 and past.library.shown[row] and (person, item) not in had:
            found.setdefault(person, set()).add(item)
    return {person: np.array(sorted(items)) for person, items in found.items()}
