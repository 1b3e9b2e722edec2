"""Diversity in one unit, whatever the strategy: the share of a list's relevance that it may cost.

A strength of 0.5 costs one strategy ten times what it costs another. So what is asked for is a
budget, 1 - DCG of the list / DCG of the order of relevance (the report's relevance_kept is the
rest), and each strategy is turned up as far as that allows.
"""

from bisect import bisect_left
from collections.abc import Callable
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


def spend(
    budget: float,
    choose: Callable[[float], np.ndarray],
    relevance: np.ndarray,
    *,
    at_most: float = 1.0,
) -> Spent:
    """The list of the greatest strength that costs no more than the budget, by halves.

    choose     makes a list from a strength, 0 to 1; it is called up to seven times
    relevance  (n,) of the pool; where some are negative, all count from the lowest
    at_most    0 to 1, the greatest strength there is; it is tried first
    A strategy's cost does not always rise with its strength. What is found costs no more than the
    budget all the same, and with the same at_most a larger budget never finds a smaller strength. A
    strength of 0 is taken whatever it costs: there limits alone have spoken.
    Raises     ValueError if the budget or at_most is outside [0, 1]
    """
    if not 0 <= budget <= 1:
        raise ValueError(f"budget must be in [0, 1], got {budget}")
    if not 0 <= at_most <= 1:
        raise ValueError(f"at_most must be in [0, 1], got {at_most}")
    worth = np.asarray(relevance, dtype=np.float64)
    worth = worth - min(worth.min(initial=0.0), 0.0)

    def made(strength: float) -> Spent:
        order = choose(strength)
        return Spent(order, strength, 1 - relevance_kept(order, worth))

    if budget > 0 and at_most < 1:
        found = made(at_most)
        if found.cost <= budget + SLACK:
            return found
    below = bisect_left(STRENGTHS, at_most) if at_most < 1 else len(STRENGTHS)
    best, low, high = None, 0, below if budget > 0 else 1
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
    """Relevance against diversity, measured for some strategies at some strengths.

    Between two points of a strategy it is taken to keep, and to bring, what lies on the line.
    """

    points: tuple[Point, ...]

    def strategies(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(point.strategy for point in self.points))

    def within(self, strategy: str, budget: float) -> Point | None:
        """The greatest strength of a strategy up to which it keeps 1 - budget of relevance.

        None where not even the smallest that was measured does. A larger budget never gives a
        smaller strength.
        """
        last, least = None, 1 - budget
        for point in sorted(
            (p for p in self.points if p.strategy == strategy), key=lambda p: p.strength
        ):
            if point.kept < least - SLACK:
                if last is None:
                    return None
                share = (last.kept - least) / (last.kept - point.kept)
                return Point(
                    strategy,
                    last.strength + share * (point.strength - last.strength),
                    least,
                    last.diversity + share * (point.diversity - last.diversity),
                )
            last = point
        return last

    def strength_within(self, strategy: str, budget: float) -> float:
        """That strength; 1 where all that were measured keep enough, and of a strategy that was
        not measured."""
        found = self.within(strategy, budget)
        strengths = [p.strength for p in self.points if p.strategy == strategy]
        if not strengths or (found and found.strength >= max(strengths)):
            return 1.0
        return found.strength if found else 0.0

    def strongest_within(self, budget: float) -> Point | None:
        """The strategy of the most diversity that keeps 1 - budget of relevance, so strong.

        Of equals the one that keeps more, then the smaller strength. None where none does.
        """
        within = [self.within(strategy, budget) for strategy in self.strategies()]
        return max(
            (point for point in within if point),
            key=lambda p: (p.diversity, p.kept, -p.strength),
            default=None,
        )
