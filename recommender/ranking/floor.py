"""A floor of exposure: an item that too few people are shown is worth more, until enough are.

Each item has a price, that is how much is added to its relevance. It rises while the item is below
the floor, and falls when it is far above. Such a price is the dual variable of "at least so many
people"; here it takes steps of one length, with a bound, and promises no optimum.
Source of the idea: Balseiro, Lu & Mirrokni 2020, "Regularized Online Allocation Problems: Fairness
and Beyond", arXiv:2007.00514.
"""

import numpy as np

from recommender.ranking.adjust import Adjustment

STEP = 0.05  # of relevance, that a day below the floor adds; and what a new item has at once
BACK = 0.025  # that a day far above it takes away
FAR_ABOVE = 4  # times the floor: between the two a price rests, so that it does not swing
MOST = 0.2  # a price: with more, a replay lost more than 2 % of NDCG


def next_prices(prices: np.ndarray, shown: np.ndarray, floor: float) -> np.ndarray:
    """(n,) float64 prices after a day in which so many people, shown (n,), were shown each item.

    floor  people a day, above 0

    >>> next_prices(np.array([0.0, 0.2, 0.1, 0.1]), np.array([0, 0, 4, 5]), 1).round(3).tolist()
    [0.05, 0.2, 0.1, 0.075]
    """
    moved = prices + STEP * (shown < floor) - BACK * (shown > FAR_ABOVE * floor)
    return np.clip(moved, 0.0, MOST)


def raised(prices: np.ndarray) -> Adjustment:
    """Add its price to each item, prices (n,), that has anything for it.

    >>> raised(np.array([0.2, 0.2, 0.0])).added(np.array([0.5, 0.0, 0.5])).tolist()
    [0.2, 0.0, 0.0]
    """
    return Adjustment("exposure", lambda relevance: np.where(relevance > 0.0, prices, 0.0))
