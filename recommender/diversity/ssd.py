"""Sliding spectrum decomposition: rows that are new beside the last few, not beside the whole list.

Source: Huang, Wang, Peng & Wang 2021, "Sliding Spectrum Decomposition for Diversified
Recommendation", doi:10.1145/3447548.3467108, in the stable form of their equation 12: each step
the largest relevance + gamma length of what the rows of the window leave of it. Their gamma is
diversity / (1 - diversity) here.

Their loop subtracts each new direction from every vector and adds those that leave the window back.
Both are of rank one, so lengths follow from products with the directions alone, and no vector is
written to.
"""

import numpy as np

from recommender.diversity.greedy import Gains, Gate, Greedy, Take

WINDOW = 10  # rows that somebody sees together
LEAST_LENGTH = 1e-6  # squared; a row that is no longer than this names no direction


def ssd(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    window: int = WINDOW,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
    gate: Gate | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them: as mmr(), by another gain.

    window     the rows before a row that it must not repeat, at least 1
    Each step takes the row with the largest (1 - diversity) relevance + diversity length outside
    the directions of the last `window` rows. Arguments, result and errors are those of mmr().

    >>> near = np.array([[1.0, 0.0], [0.99, 0.14], [0.0, 1.0]])
    >>> ssd(near, np.array([0.9, 0.8, 0.5]), k=2, diversity=0.6).tolist()
    [0, 2]
    """
    if window < 1:
        raise ValueError(f"window must be at least 1, got {window}")
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    if greedy.plain:
        return greedy.by_relevance()

    share = np.float32(greedy.share)
    window = min(window, greedy.k)

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        n, width = vectors.shape
        directions = np.zeros((window, width), dtype=np.float32)
        onto = np.zeros((window, n), dtype=np.float32)  # vectors @ directions
        taken_out = np.zeros((window, n), dtype=np.float32)  # so many times a direction
        squared = np.ones_like(worth)  # lengths of what is left of each row; 1 for a row of zeros
        gain = np.empty_like(worth)
        place = 0

        def gains() -> np.ndarray:
            np.sqrt(squared, out=gain)
            np.multiply(gain, share, out=gain)
            return np.add(gain, worth, out=gain)

        def left_along(slot: int) -> np.ndarray:
            """(n,) the products of what is left of each row with the direction of a slot."""
            return onto[slot] - (directions @ directions[slot]) @ taken_out

        def take(row: int) -> None:
            nonlocal place
            slot = place % window
            own = vectors[row] - taken_out[:, row] @ directions
            if place >= window:
                times, length = taken_out[slot], directions[slot] @ directions[slot]
                np.add(squared, times * (2 * left_along(slot) + times * length), out=squared)
            taken_out[slot] = 0
            directions[slot] = own
            length = own @ own
            np.dot(vectors, own, out=onto[slot])
            if length > LEAST_LENGTH:
                along = left_along(slot)
                np.divide(along, length, out=taken_out[slot])
                along *= taken_out[slot]
                np.subtract(squared, along, out=squared)
            np.maximum(squared, 0, out=squared)
            place += 1

        return gains, take

    return greedy.choose(1 - share, steps)
