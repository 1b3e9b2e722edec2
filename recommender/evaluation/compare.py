"""Is a difference more than chance? Bootstrap intervals over people (Efron 1979)."""

from dataclasses import dataclass

import numpy as np

DRAWS = 1000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {(self.high - self.low) / 2:.4f}"

    def signed(self) -> str:
        """Of a difference: its mean, both ends and the verdict.

        >>> Interval(0.02, 0.01, 0.03).signed()
        '+0.0200 [+0.0100, +0.0300] WIN'
        """
        return f"{self.mean:+.4f} [{self.low:+.4f}, {self.high:+.4f}] {self.verdict}"

    @property
    def verdict(self) -> str:
        """Of a difference: WIN above 0, LOSS below 0, TIE when 0 is inside."""
        return "WIN" if self.low > 0 else "LOSS" if self.high < 0 else "TIE"


def bootstrap(values: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The mean of values (n,), one a person, and the 2.5 and 97.5 percentiles of its resamples.

    One person gives an interval of no width, which says nothing. Raises ValueError for nobody, and
    for a value that is not finite: a mean over it would be of other people than it says.
    """
    if len(values) == 0:
        raise ValueError("there is nobody to average over")
    if not np.isfinite(values).all():
        raise ValueError("a value is not finite")
    rng = np.random.default_rng(seed)
    means = np.array(
        [values[rng.integers(len(values), size=len(values))].mean() for _ in range(draws)]
    )
    low, high = np.quantile(means, [0.025, 0.975])
    return Interval(float(values.mean()), float(low), float(high))


def paired(ours: np.ndarray, theirs: np.ndarray, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """The mean difference ours - theirs over the same people, in the same order."""
    if ours.shape != theirs.shape:
        raise ValueError(f"shapes disagree: {ours.shape}, {theirs.shape}")
    return bootstrap(ours - theirs, draws=draws, seed=seed)
