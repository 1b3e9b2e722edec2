"""Ranges of a number that are easy to read: bounds of 1, 2 or 5 and zeros."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

MOST = 5


@dataclass(frozen=True)
class Range:
    """low <= number < high; the last range has no end."""

    low: Decimal
    high: Decimal | None
    count: int


def ranges(numbers: Sequence[Decimal]) -> list[Range]:
    """Up to MOST ranges that hold all numbers, each of them some; none for no number.

    Bounds are the rounded quantiles, so that a few high prices do not leave the others in one.

    >>> [(str(r.low), str(r.high), r.count) for r in ranges([Decimal(n) for n in range(1, 101)])]
    [('0', '20', 19), ('20', '50', 30), ('50', '100', 50), ('100', 'None', 1)]
    """
    if not numbers:
        return []
    ordered = sorted(numbers)
    inner = {_easy(ordered[len(ordered) * part // MOST]) for part in range(1, MOST)}
    bounds = [Decimal(0), *sorted(bound for bound in inner | {_easy(ordered[-1])} if bound > 0)]
    if ordered[0] < 0:
        bounds[0] = ordered[0]
    counts = [0] * len(bounds)
    for number in ordered:
        counts[bisect_right(bounds, number) - 1] += 1
    highs = [*bounds[1:], None]
    found = [Range(*row) for row in zip(bounds, highs, counts, strict=True) if row[2]]
    return found


def _easy(number: Decimal) -> Decimal:
    """The next of 1, 2, 5, 10, 20 … that is not above a number; 0 for what is below a hundredth."""
    if number < Decimal("0.01"):
        return Decimal(0)
    power = Decimal(10) ** math.floor(math.log10(number))
    digit = max(digit for digit in (1, 2, 5) if digit * power <= number or digit == 1)
    return (digit * power).normalize() + Decimal(0)
