"""What a floor of exposure covers of the catalogue, and what it costs: a replay in rounds.

Each round everybody is given one list out of their candidates, then each item its next price, by
the functions that a live site goes by. People do not answer to what they are shown.
"""

from dataclasses import dataclass

import numpy as np

from bench.reach.cases import Cases
from bench.reach.lists import AT
from recommender.evaluation import compare, metrics
from recommender.ranking.floor import next_prices, raised

ROUNDS = 12  # after which nothing moves any more
FLOORS = (1, 2, 3)  # people a round


@dataclass(frozen=True)
class Covered:
    """Of lists with a floor, beside lists without."""

    before: float  # the share of the catalogue that is in anybody's list
    after: float
    given_up: compare.Interval  # shares of the mean NDCG

    @property
    def times(self) -> float:
        return self.after / self.before


def covered(found: Cases, floor: int) -> Covered:
    rows = np.maximum(found.rows, 0)
    relevance = np.where(found.rows >= 0, found.relevance, -1.0)
    prices = np.zeros(len(found.text))
    for _ in range(ROUNDS + 1):
        worth = np.minimum(relevance + raised(prices[rows]).added(relevance), 1.0)
        places = np.argsort(-worth, axis=1, kind="stable")[:, :AT]
        shown = np.take_along_axis(found.rows, places, axis=1)
        times = np.bincount(shown.ravel(), minlength=len(prices))
        prices = next_prices(prices, times, floor)
    plain, raised_ndcg = (_ndcg(found, lists) for lists in (found.rows[:, :AT], shown))
    lost, whole = compare.paired(plain, raised_ndcg), plain.mean()
    return Covered(
        metrics.coverage(found.rows[:, :AT].ravel(), len(prices)),
        metrics.coverage(shown.ravel(), len(prices)),
        compare.Interval(lost.mean / whole, lost.low / whole, lost.high / whole),
    )


def _ndcg(found: Cases, lists: np.ndarray) -> np.ndarray:
    wanted = found.wanted_by()
    return np.array([metrics.ndcg(one, w, AT) for one, w in zip(lists, wanted, strict=True)])
