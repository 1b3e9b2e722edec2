"""What the strategies over categories and topics share: memberships, and the mix to serve."""

import numpy as np


def checked_aspects(aspects: np.ndarray, rows: int) -> np.ndarray:
    """(n, a) float32, at least 0: how much each row belongs to each aspect, as asked for.

    Raises ValueError if there is no row for each of `rows`, or a number is negative or not finite
    """
    aspects = np.asarray(aspects, dtype=np.float32)
    if aspects.ndim != 2 or len(aspects) != rows:
        raise ValueError(f"shapes disagree: aspects {aspects.shape}, rows {rows}")
    if not np.isfinite(aspects).all() or (aspects < 0).any():
        raise ValueError("an aspect is negative or not finite")
    return aspects


def checked_mix(mix: np.ndarray | None, aspects: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """(a,) float32 shares that add up to 1, or all 0 where nothing is wanted of any aspect.

    Without a mix it is that of the rows, each as much as it is worth: what the scores expect
    somebody to want. Raises ValueError if it has not one number for each aspect, or one is negative
    or not finite
    """
    if mix is None:
        mix = worth @ shares(aspects)
    mix = np.asarray(mix, dtype=np.float32)
    if mix.shape != aspects.shape[1:]:
        raise ValueError(f"shapes disagree: mix {mix.shape}, aspects {aspects.shape}")
    if not np.isfinite(mix).all() or (mix < 0).any():
        raise ValueError("a share of the mix is negative or not finite")
    total = mix.sum()
    return mix / total if total > 0 else mix


def shares(aspects: np.ndarray) -> np.ndarray:
    """(n, a): each row's memberships, scaled to add up to 1; zeros where it has none."""
    total = aspects.sum(axis=1, keepdims=True)
    return aspects / np.where(total > 0, total, 1)
