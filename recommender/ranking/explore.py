"""Exploration: a few places go to items that hardly anybody has seen, to learn whom they are for.

What is never shown is never liked, and what is never liked is never shown. Which of the little
known items gets a place is decided by Thompson sampling: each as often as it is the best of them by
what is known. The chance of every place is kept, so that what came of it can be weighed.
Sources: Thompson 1933, doi:10.1093/biomet/25.3-4.285; Chapelle & Li 2011, "An Empirical Evaluation
of Thompson Sampling".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recommender.candidates.taste import LIKED

FEW_SHOWN = 50.0  # people who had a chance to take an item up; with more it is known
FIRST = 3  # places that are never given away: what a person sees at a glance
ARMS = 20  # items a place is drawn among
# Before anything is known of an item, one in ten is expected to take it up, as surely as if ten
# had been asked: one good answer in ten outweighs none in twenty, and none does not end it.
TAKEN, LEFT = 1.0, 9.0
HALF_LIFE_DAYS = 30.0  # of a showing: what nobody took up long ago gets another chance
CELLS = 512  # of the integral from 0 to 1


@dataclass(frozen=True)
class Explored:
    """A list with some of its places given away, and the chance that it came out so."""

    order: np.ndarray  # (k,) int64 rows of the pool, in the order to show
    propensity: np.ndarray  # (k,) float64, above 0 and at most 1, see explore()
    places: np.ndarray  # (m,) int64 numbers of the places given away, from 0, ascending


def explore(
    order: np.ndarray,
    worth: np.ndarray,
    shown: np.ndarray,
    taken: np.ndarray,
    *,
    share: float,
    fits: Callable[[np.ndarray], bool],
    rng: np.random.Generator,
) -> Explored:
    """Give a share of the places of a list to little known items of the pool.

    order         (k,) rows of the pool, in the order to show
    worth         (n,) what speaks for each item of the pool, and below 0 against it
    shown, taken  (n,) how many people each item of the pool was shown to, and how many took it up
    share         of the places, 0 to 1, in expectation; the first FIRST are kept, so that a short
                  list has less to give
    fits          whether rows of the pool (k,) keep to all limits of a list; a place is given to
                  none with whom they would not, and a list that does not stays as it is

    The places behind the first are cut into parts, of which each gives at most one away, any of
    them with the same chance. An item may get it that fewer than FEW_SHOWN people were shown, that
    is not in the list and has no more against it than for it: one of ARMS, half of them those that
    fewest people were shown, so that nothing new waits for ever, the others the most relevant. The
    parts deal them out among them. All other items keep their places.

    The propensity of a place is the chance, before anything is drawn for its part, that the very
    item that stands there comes to stand there: the same person, pool, records and settings given,
    and what was drawn for the parts before. Of a place given away it is the chance that the place
    is, times the chance that this item gets it; of a place kept, 1 less the chance that it is given
    away.

    Equal inputs and an equal state of rng give equal lists.
    Raises ValueError for a share outside [0, 1], arrays of different lengths, a number that is not
    finite
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must be in [0, 1], got {share}")
    if not len(worth) == len(shown) == len(taken):
        lengths = len(worth), len(shown), len(taken)
        raise ValueError(f"worth, shown and taken differ in length: {lengths}")
    if not np.isfinite(np.concatenate([worth, shown, taken])).all():
        raise ValueError("what speaks for an item, or its record, is not finite")
    order, n_places = order.copy(), len(order)
    propensity, given = np.ones(n_places), []
    wanted = share * n_places
    n_parts = min(int(np.ceil(wanted)), n_places - FIRST)
    if n_parts < 1 or not fits(order):
        return Explored(order, propensity, np.zeros(0, dtype=np.int64))

    def fits_at(place: int, arm: int) -> bool:
        with_arm = order.copy()
        with_arm[place] = arm
        return fits(with_arm)

    chance = min(wanted / n_parts, 1.0)
    may = (shown < FEW_SHOWN) & (worth >= 0)
    may[order] = False
    arms = _arms(np.flatnonzero(may), worth, shown, ARMS * n_parts)
    for number, part in enumerate(np.array_split(np.arange(FIRST, n_places), n_parts)):
        of_part = arms[number::n_parts]
        a_place = chance / len(part)
        for place in part:
            if any(fits_at(place, arm) for arm in of_part):
                propensity[place] = 1.0 - a_place
        if rng.random() < chance:
            place = part[rng.integers(len(part))]
            fitting = np.array([arm for arm in of_part if fits_at(place, arm)], dtype=np.int64)
            if len(fitting):
                best = chances(shown[fitting], taken[fitting])
                which = rng.choice(len(fitting), p=best)
                order[place] = fitting[which]
                propensity[place] = a_place * best[which]
                given.append(place)
    return Explored(order, propensity, np.array(given, dtype=np.int64))


def _arms(rows: np.ndarray, worth: np.ndarray, shown: np.ndarray, most: int) -> np.ndarray:
    """Of these rows of the pool at most so many, the most relevant first."""
    newest = rows[np.lexsort((-worth[rows], shown[rows]))][: most // 2]
    rest = rows[~np.isin(rows, newest)]
    best = rest[np.argsort(-worth[rest], kind="stable")][: most - len(newest)]
    both = np.sort(np.concatenate([newest, best]))
    return both[np.argsort(-worth[both], kind="stable")]


def chances(shown: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """(n,) float64 that add up to 1: how likely each item is the best of all.

    Of an item that `taken` of `shown` people took up, the share that would is distributed as
    Beta(TAKEN + taken, LEFT + shown - taken). To draw one item by these chances is what drawing a
    share for each and taking the item with the largest does, with the chances known.

    >>> chances(np.array([10.0, 10.0]), np.array([1.0, 1.0])).tolist()
    [0.5, 0.5]
    """
    shares = (np.arange(CELLS) + 0.5) / CELLS
    up = TAKEN - 1 + taken[:, None]
    left = LEFT - 1 + np.maximum(shown - taken, 0.0)[:, None]
    density = up * np.log(shares) + left * np.log1p(-shares)  # (n, CELLS)
    density = np.exp(density - density.max(axis=1, keepdims=True))
    density /= density.sum(axis=1, keepdims=True)
    below = np.log(np.maximum(density.cumsum(axis=1) - density / 2, np.finfo(np.float64).tiny))
    best = (density * np.exp(below.sum(axis=0) - below)).sum(axis=1)
    return best / best.sum()


def records(
    items: np.ndarray,
    people: np.ndarray,
    says: np.ndarray,
    *,
    shown_items: np.ndarray,
    shown: np.ndarray,
    answers: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """How many people each item was shown to, and how many of them took it up.

    items, people, says  (m,) ids, and the signal of each piece of feedback
    shown_items, shown   (s,) ids, and how many people each was shown to, faded by age
    answers              (a,) people, items and weights: who of these gave feedback on it, and what
                         that showing still counts
    Returns              (n,) ids ascending, float64 shown and float64 taken, which is not more

    Whoever gave feedback on an item they were not shown found it elsewhere, and counts as one who
    was, without fading: an item that many know is not new, however few lists it was in.
    """
    step = int(max(items.max(initial=0), answers[1].max(initial=0))) + 1
    pairs, of = np.unique(people * step + items, return_inverse=True)
    liked = np.bincount(of, weights=says, minlength=len(pairs)) >= LIKED
    weight, elsewhere = np.ones(len(pairs)), np.ones(len(pairs))
    answered = answers[0] * step + answers[1]
    _, mine, theirs = np.intersect1d(pairs, answered, return_indices=True)
    weight[mine], elsewhere[mine] = answers[2][theirs], 0.0

    ids = np.union1d(shown_items, pairs % step)
    at = np.searchsorted(ids, pairs % step)
    had = np.bincount(np.searchsorted(ids, shown_items), weights=shown, minlength=len(ids))
    had = had + np.bincount(at, weights=elsewhere, minlength=len(ids))
    taken = np.bincount(at, weights=weight * liked, minlength=len(ids))
    return ids, had, np.minimum(taken, had)  # sums in another order may differ in the last digit
