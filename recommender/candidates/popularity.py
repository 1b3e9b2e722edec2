"""How much people like each item of late, whoever asks.

Counts are damped by a logarithm, since the tenth like says more than the thousandth.
"""

import numpy as np

from recommender.candidates.signals import decay

HALF_LIFE_DAYS = 180.0
TREND_HALF_LIFE_DAYS = 30.0


def popularity(
    items: np.ndarray,
    people: np.ndarray,
    signals: np.ndarray,
    ages_days: np.ndarray,
    *,
    n_items: int,
    half_life_days: float = HALF_LIFE_DAYS,
) -> np.ndarray:
    """(n_items,) float32 from 0 to 1, the most popular item 1; all 0 if nobody likes anything.

    items, people, signals, ages_days  (m,) one row for each piece of feedback, items and people
             as row numbers, signals as by signals.signal()
    A person counts once an item: the best thing and the worst thing they said, each faded by its
    age, so that a hundred views are one view. Dislikes subtract, never below 0.
    Raises   ValueError if shapes disagree, a number is not finite or an item is out of range
    """
    items, people = np.asarray(items), np.asarray(people)
    signals = np.asarray(signals, dtype=np.float64)
    if not items.shape == people.shape == signals.shape == np.shape(ages_days):
        raise ValueError("items, people, signals and ages_days differ in length")
    if not np.isfinite(signals).all():
        raise ValueError("a signal is not finite")
    if len(items) == 0:
        return np.zeros(n_items, dtype=np.float32)
    if items.min() < 0 or items.max() >= n_items:
        raise ValueError(f"an item is outside 0 to {n_items - 1}")

    says = signals * decay(ages_days, half_life_days)
    order = np.lexsort((people, items))
    items, people, says = items[order], people[order], says[order]
    starts = np.flatnonzero(np.r_[True, (items[1:] != items[:-1]) | (people[1:] != people[:-1])])
    best = np.maximum(np.maximum.reduceat(says, starts), 0.0)
    worst = np.minimum(np.minimum.reduceat(says, starts), 0.0)
    liking = np.bincount(items[starts], weights=best + worst, minlength=n_items)
    damped = np.log1p(np.maximum(liking, 0.0))
    return (damped / max(damped.max(), np.finfo(np.float64).tiny)).astype(np.float32)
