"""Where numbers and their intervals lie in a picture: the geometry of a curve, without a colour."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_LINES = 3  # to read a number by, above that of 0


@dataclass(frozen=True)
class Frame:
    """The part of a picture in which the curve lies, in its units; y grows downwards."""

    left: float
    right: float
    top: float
    bottom: float

    def across(self, n: int) -> list[float]:
        """x of n marks, evenly, in the middle of a column each.

        >>> Frame(0, 100, 0, 50).across(2)
        [25.0, 75.0]
        """
        column = (self.right - self.left) / max(n, 1)
        return [round(self.left + (number + 0.5) * column, 1) for number in range(n)]

    def up(self, value: float, highest: float) -> float:
        """y of a value, where 0 lies at the bottom and the highest at the top.

        >>> Frame(0, 100, 10, 50).up(0.5, 1.0)
        30.0
        """
        return round(self.bottom - (self.bottom - self.top) * value / highest, 1)


def lines(values: Sequence[float]) -> list[float]:
    """0 and more numbers to read values by, round ones, the last of them above all the values.

    >>> lines([0.2104, 0.12])
    [0.0, 0.05, 0.1, 0.15, 0.2, 0.25]
    >>> lines([])
    [0.0, 0.5, 1.0]
    """
    highest = max(values, default=0.0)
    if highest <= 0:
        return [0.0, 0.5, 1.0]
    unit = 10.0 ** math.floor(math.log10(highest))
    steps = (size * unit for size in (2.0, 1.0, 0.5, 0.2))
    step = next(step for step in steps if highest / step >= FEWEST_LINES)
    count = math.floor(highest / step + 1e-9) + 1
    digits = max(0, 2 - math.floor(math.log10(step)))
    return [round(number * step, digits) for number in range(count + 1)]
