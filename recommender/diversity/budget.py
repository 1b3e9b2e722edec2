"""Diversity in one unit, whatever the strategy: the share of a list's relevance that it may cost.

A strength of 0.5 costs one strategy ten times what it costs another. So what is asked for is a
budget, 1 - DCG of the list / DCG of the order of relevance (the report's relevance_kept is the
rest), and each strategy is turned up as far as that allows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.diversity.measures import relevance_kept

# Strengths to choose from, closest near 0 and 1, where some strategies do all they do.
STRENGTHS = tuple(float(t * t * (3 - 2 * t)) for t in np.linspace(0, 1, 65))
# budget = MOST_COST diversity ^ STEEPNESS, near to what mmr() at that strength costs the best 10 of
# 200 films: 0.6 % at 0.3, 2.8 % at 0.5, 12 % at 0.7 and 36 % at 0.9.
MOST_COST = 0.5
STEEPNESS = 3.6
# Rounding of a sum must not turn down a list that costs nothing, or just the budget.
SLACK = 1e-9


def budget_of(diversity: float) -> float:
    """The budget that a plain diversity from 0 to 1 stands for: from nothing to half.

    >>> [round(budget_of(diversity), 3) for diversity in (0, 0.3, 0.5, 1)]
    [0.0, 0.007, 0.041, 0.5]
    """
    if not 0 <= diversity <= 1:
        raise ValueError(f"diversity must be in [0, 1], got {diversity}")
    return MOST_COST * float(diversity) ** STEEPNESS


@dataclass(frozen=True)
class Spent:
    """A list within a budget, and how it was made."""

    order: np.ndarray  # rows of the pool, in the order to show
    strength: float  # the diversity that the strategy was given
    cost: float  # share of relevance given up for it


def spend(budget: float, choose: Callable[[float], np.ndarray], relevance: np.ndarray) -> Spent:
    """The list of the greatest strength that costs no more than the budget, by halves.

    choose     makes a list from a strength, 0 to 1; it is called up to seven times
    relevance  (n,) of the pool; where some are negative, all count from the lowest
    A strategy's cost does not always rise with its strength. What is found costs no more than the
    budget all the same, and a larger budget never finds a smaller strength. A strength of 0 is
    taken whatever it costs: there limits alone have spoken.
    Raises     ValueError if the budget is outside [0, 1]
    """
    if not 0 <= budget <= 1:
        raise ValueError(f"budget must be in [0, 1], got {budget}")
    worth = np.asarray(relevance, dtype=np.float64)
    worth = worth - min(worth.min(initial=0.0), 0.0)

    def made(strength: float) -> Spent:
        order = choose(strength)
        return Spent(order, strength, 1 - relevance_kept(order, worth))

    best, low, high = None, 0, len(STRENGTHS) if budget > 0 else 1
    while high - low > 1:
        tried = (low + high) // 2
        found = made(STRENGTHS[tried])
        if found.cost <= budget + SLACK:
            best, low = found, tried
        else:
            high = tried
    return best or made(STRENGTHS[0])


@dataclass(frozen=True)
class Point:
    """What a strategy at a strength came to, on average over lists."""

    strategy: str
    strength: float
    kept: float  # relevance, beside that of the order of relevance
    diversity: float  # by any measure that is larger for more


@dataclass(frozen=True)
class Curve:
    """Relevance against diversity, measured for some strategies at some strengths."""

    points: tuple[Point, ...]

    def strongest_within(self, budget: float) -> Point | None:
        """The point of the most diversity that keeps 1 - budget of relevance.

        Of equals the one that keeps more, then the smaller strength. None where no point does.
        """
        within = [point for point in self.points if point.kept >= 1 - budget - SLACK]
        return max(within, key=lambda p: (p.diversity, p.kept, -p.strength), default=None)

    def frontier(self) -> tuple[Point, ...]:
        """Points that none beats in both, from the most relevance kept to the most diversity."""
        by_relevance = sorted(self.points, key=lambda p: (-p.kept, -p.diversity, p.strength))
        best, frontier = -np.inf, []
        for point in by_relevance:
            if point.diversity > best:
                best = point.diversity
                frontier.append(point)
        return tuple(frontier)


def curve(
    lists_of: Callable[[str, float], Iterable[tuple[float, float]]],
    strategies: Sequence[str],
    strengths: Sequence[float],
) -> Curve:
    """Measure each strategy at each strength.

    lists_of  relevance and diversity of every list that a strategy makes at a strength; relevance
              may be of feedback that was held out
    A strength of 0 is the order of relevance. What is kept is a share of the means: a person whose
    list has none of it counts too. Raises ValueError if nobody's has any
    """
    plain = _means(lists_of, strategies[0], 0.0)[0]
    if plain <= 0:
        raise ValueError("the order of relevance has no relevance to keep")
    points = []
    for strategy in strategies:
        for strength in strengths:
            relevance, diversity = _means(lists_of, strategy, strength)
            points.append(Point(strategy, strength, relevance / plain, diversity))
    return Curve(tuple(points))


def _means(lists_of, strategy: str, strength: float) -> tuple[float, float]:
    relevance, diversity = np.array(list(lists_of(strategy, strength)), dtype=float).mean(axis=0)
    return float(relevance), float(diversity)
