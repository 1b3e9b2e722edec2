"""xQuAD: rows that together answer to each aspect a person may want, the likeliest first.

Source: Santos, Macdonald & Ounis 2010, "Exploiting Query Reformulations for Web Search Result
Diversification", doi:10.1145/1772690.1772780. Their lambda is diversity here, their sub-queries are
aspects: categories and topics.
"""

import numpy as np

from recommender.diversity.aspects import checked_aspects, checked_mix
from recommender.diversity.greedy import Gains, Gate, Greedy, Take


def xquad(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    aspects: np.ndarray,
    mix: np.ndarray | None = None,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
    gate: Gate | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them: as mmr(), by another gain.

    aspects    (n, a) 0 to 1: the chance that somebody who wants an aspect is content with the row
    mix        (a,) at least 0: how much each aspect is wanted, on any scale; without it that of the
               rows, each by its relevance
    Each step takes the row with the largest (1 - diversity) relevance + diversity sum over aspects
    of mix x aspect x the chance that no row chosen has it; vectors are looked at for their shape
    alone. Other arguments, result and errors are those of mmr(); ValueError too for an aspect
    outside [0, 1], or a mix that is negative or of another length.

    >>> comedy_comedy_drama = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> half_and_half = np.array([1.0, 1.0])
    >>> xquad(
    ...     np.eye(3), np.array([0.9, 0.8, 0.5]), 2, 0.8,
    ...     aspects=comedy_comedy_drama, mix=half_and_half,
    ... ).tolist()
    [0, 2]
    """
    greedy = Greedy(vectors, relevance, k, diversity, groups, max_per_group, gate)
    aspects = checked_aspects(aspects, len(greedy.worth))
    if (aspects > 1).any():
        raise ValueError("an aspect is above 1")
    mix = checked_mix(mix, aspects, greedy.worth)
    if greedy.plain:
        return greedy.by_relevance()

    def steps(vectors: np.ndarray, worth: np.ndarray) -> tuple[Gains, Take]:
        wanted = mix * np.float32(greedy.share)  # and not yet answered to
        gain = np.empty_like(worth)

        def gains() -> np.ndarray:
            np.dot(aspects, wanted, out=gain)
            return np.add(gain, worth, out=gain)

        def take(row: int) -> None:
            np.multiply(wanted, 1 - aspects[row], out=wanted)

        return gains, take

    return greedy.choose(np.float32(1 - greedy.share), steps)
