"""What a piece of feedback says of an item, as one number, and how it fades.

A like says 1. Opinions weigh more than acts, acts more than glances; a rating is read against the
scale of 0.5 to 5 and against the mean of the person who gave it, a comment by its sign. What each
kind weighs is an operator's to change.
"""

from collections.abc import Mapping

import numpy as np

KINDS = (
    "view",
    "like",
    "dislike",
    "rating",
    "save",
    "share",
    "purchase",
    "comment",
    "dwell",
    "hide",
)
DEFAULT_WEIGHTS = {
    "view": 0.15,
    "like": 1.0,
    "dislike": -1.0,
    "rating": 1.0,  # times what the stars say
    "save": 0.8,
    "share": 0.8,
    "purchase": 1.2,
    "comment": 0.8,  # times its sign
    "dwell": 0.3,  # after DWELL_SECONDS or more, in proportion before
    "hide": -1.0,
}
HEAVIEST = 2.0
DWELL_SECONDS = 60.0
CARED = 0.125  # the sign of a comment that takes no side: who writes one cares for the item
LOWEST_RATING, HIGHEST_RATING = 0.5, 5.0
GOOD_RATING, BAD_RATING = 4.0, 2.0  # from here on the sign does not depend on the person
USUAL_RATING = 3.5
USUAL_RATINGS = 5.0  # how many ratings the usual one counts for in a person's mean

_RATING, _DWELL = KINDS.index("rating"), KINDS.index("dwell")
_COMMENT = KINDS.index("comment")


def kind_weights(changed: Mapping[str, float] | None = None) -> np.ndarray:
    """(len(KINDS),) float64, what each kind weighs: the defaults, but for what was changed.

    A kind that is not known here is passed over. Raises ValueError for a weight outside -2 to 2.

    >>> kind_weights({"view": 0})[:2].tolist()
    [0.0, 1.0]
    """
    of_kind = DEFAULT_WEIGHTS | dict(changed or {})
    weights = np.array([of_kind[kind] for kind in KINDS], dtype=np.float64)
    if not (np.abs(weights) <= HEAVIEST).all():  # nan is no weight
        raise ValueError(f"a weight must be from -{HEAVIEST:g} to {HEAVIEST:g}: {changed}")
    return weights


WEIGHTS = kind_weights()


def signal(
    kinds: np.ndarray,
    values: np.ndarray,
    *,
    rating_mean: float,
    weights: np.ndarray = WEIGHTS,
) -> np.ndarray:
    """What each piece of feedback says: 1 for a like, below 0 for what was not liked.

    kinds        (n,) integers, indices into KINDS
    values       (n,) the stars of a rating, the seconds of a dwell, the sign of a comment (-1 to 1,
                 beyond that as at the ends); nan where there is none
    rating_mean  of the person who gave the ratings, see rating_mean()
    weights      (len(KINDS),) of each kind, see kind_weights()
    Returns      (n,) float32 from -2 to 2, the weight of the kind. A rating of 4 or more says 0.8
                 to 1 of it, one of 2 or less -0.6 to -1; one between says 0.4 at the person's mean
                 and 0.3 less for each star below it. A comment says its sign of it, and CARED where
                 it has none. A dwell of unknown length says nothing.
    Raises       ValueError for a kind outside KINDS, a rating outside 0.5 to 5 or without a value,
                 a dwell below 0 or without end, a mean that is no rating

    >>> kinds = np.array([KINDS.index("like"), KINDS.index("rating"), KINDS.index("hide")])
    >>> signal(kinds, np.array([np.nan, 5.0, np.nan]), rating_mean=3.5).tolist()
    [1.0, 1.0, -1.0]
    """
    kinds, values = np.asarray(kinds), np.asarray(values, dtype=np.float64)
    if kinds.shape != values.shape or kinds.ndim != 1:
        raise ValueError(f"shapes disagree: kinds {kinds.shape}, values {values.shape}")
    if np.shape(weights) != (len(KINDS),):
        raise ValueError(f"{len(KINDS)} kinds have {np.shape(weights)} weights")
    if not LOWEST_RATING <= rating_mean <= HIGHEST_RATING:
        raise ValueError(f"rating_mean must be in [0.5, 5], got {rating_mean}")
    if kinds.size == 0:
        return np.zeros(0, dtype=np.float32)
    if kinds.min() < 0 or kinds.max() >= len(KINDS):
        raise ValueError("a kind is no index into KINDS")

    says = np.asarray(weights, dtype=np.float64)[kinds]
    rated = kinds == _RATING
    if rated.any():
        says[rated] *= _of_ratings(values[rated], rating_mean)
    dwelt = kinds == _DWELL
    if dwelt.any():
        seconds = np.where(np.isnan(values[dwelt]), 0.0, values[dwelt])
        if not ((seconds >= 0) & (seconds < np.inf)).all():
            raise ValueError("a dwell must be a finite number of seconds, not below 0")
        says[dwelt] *= np.minimum(seconds / DWELL_SECONDS, 1.0)
    written = kinds == _COMMENT
    if written.any():
        signs = np.where(np.isnan(values[written]), 0.0, np.clip(values[written], -1.0, 1.0))
        says[written] *= signs + CARED * (1 - np.abs(signs))
    return says.astype(np.float32)


def _of_ratings(ratings: np.ndarray, mean: float) -> np.ndarray:
    if not ((ratings >= LOWEST_RATING) & (ratings <= HIGHEST_RATING)).all():  # nan is neither
        raise ValueError("a rating must be in [0.5, 5]")
    return np.select(
        [ratings >= GOOD_RATING, ratings <= BAD_RATING],
        [0.8 + 0.2 * (ratings - GOOD_RATING), -0.6 - 0.4 * (BAD_RATING - ratings) / 1.5],
        np.clip(0.4 + 0.3 * (ratings - mean), -0.4, 0.4),
    )


def rating_mean(values: np.ndarray) -> float:
    """Mean of a person's ratings, drawn towards 3.5 as if five more ratings had said so.

    >>> rating_mean(np.array([5.0] * 5))
    4.25
    """
    values = np.asarray(values, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("ratings must be finite")
    return float((values.sum() + USUAL_RATINGS * USUAL_RATING) / (values.size + USUAL_RATINGS))


def signal_of_many(
    people: np.ndarray, kinds: np.ndarray, values: np.ndarray, weights: np.ndarray = WEIGHTS
) -> np.ndarray:
    """(n,) float32: as signal(), ratings against the mean of the person who gave them.

    people  (n,) whose each piece of feedback is

    >>> people, stars = np.array([7, 7, 8]), np.array([5.0, 3.0, 3.0])
    >>> says = signal_of_many(people, np.full(3, KINDS.index("rating")), stars)
    >>> bool(says[1] < says[2])  # 3 stars of who gives more are less
    True
    """
    says = signal(kinds, values, rating_mean=USUAL_RATING, weights=weights)
    rated = np.flatnonzero(kinds == _RATING)  # of all else the mean says nothing
    rated = rated[np.argsort(people[rated], kind="stable")]
    starts = np.flatnonzero(np.diff(people[rated])) + 1
    for mine in np.split(rated, starts) if len(rated) else ():
        mean = rating_mean(values[mine])
        says[mine] = signal(kinds[mine], values[mine], rating_mean=mean, weights=weights)
    return says


def decay(ages_days: np.ndarray, half_life_days: float) -> np.ndarray:
    """(n,) float32: 1 for today, half for every half-life. A clock ahead of ours counts as today.

    >>> decay(np.array([0.0, 30.0, -1.0]), 30.0).tolist()
    [1.0, 0.5, 1.0]
    """
    ages_days = np.asarray(ages_days, dtype=np.float64)
    if np.isnan(ages_days).any():
        raise ValueError("an age is nan")
    if not half_life_days > 0:
        raise ValueError(f"half_life_days must be above 0, got {half_life_days}")
    return np.exp2(-np.maximum(ages_days, 0.0) / half_life_days).astype(np.float32)
