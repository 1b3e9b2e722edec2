"""What a person asked for in words, held against the items of a pool.

A wish is a few words and an item's text is long, so that the best items have a cosine of 0.3 to
0.5 with it, where two items alike have 0.7: each wish is measured against its own best in the pool.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Of a wish that names kinds (“slow science fiction”), how much their items count for that alone:
# a kind is a fact, what a small language model makes of a few words is a guess.
KIND_SHARE = 0.4
LEAST_BEST = 0.25  # below so little cosine a best is noise, and is not stretched to 1
SHARE = 0.85  # of relevance, for somebody of whom nothing else is known; the rest is popularity
# What a person does says more in time than what they once said: after so many likes, half.
HALF_FADED_LIKES = 10.0
# An explicit no does not fade: it stays until it is taken back, and what it means whole comes last,
# whatever speaks for it. Of 20 items, superheroes had 4 to 6 without it, 2 at 0.3, 0 or 1 from 0.6.
UNWANTED = 1.0
PARTS = ("asked", "unwanted")  # of relevance, behind those of model


@dataclass(frozen=True)
class Wishes:
    """What was asked for, and what was not wanted, in the order of saying."""

    texts: Sequence[str]  # (w,)
    vectors: np.ndarray  # (w, d) float32 unit rows
    wanted: np.ndarray  # (w,) bool
    kinds: Sequence[Sequence[int]]  # (w,) ids of categories that each names, or none
    ids: Sequence[int] = ()  # (w,) by which they are kept


def share_of(wishes: Wishes, n_likes: int) -> float:
    """How much of relevance goes by wanted wishes, 0 to 1: less with each like."""
    return SHARE / (1.0 + n_likes / HALF_FADED_LIKES) if wishes.wanted.any() else 0.0


@dataclass(frozen=True)
class Asked:
    """What speaks for each of n items because it was asked for, and what against it."""

    share: float  # of relevance that goes by wanted wishes; 0 without any
    near: np.ndarray  # (n,) float32, 0 to 1: the best of the wanted wishes
    against: np.ndarray  # (n,) float32, 0 to 1: the worst of the unwanted
    best: np.ndarray  # (n,) int64 number of the wanted wish it is nearest to, -1 for none


def hold_against(
    wishes: Wishes, vectors: np.ndarray, category_ids: Sequence[Sequence[int]], *, n_likes: int
) -> Asked:
    """Wishes against the items of a pool.

    vectors       (n, d) unit rows, zeros where there is none
    category_ids  (n,) categories of each item
    n_likes       of the person: with each, wanted wishes say less
    """
    n = len(vectors)
    if not len(wishes.wanted):
        return Asked(0.0, np.zeros(n, np.float32), np.zeros(n, np.float32), np.full(n, -1))
    cosine = np.maximum(vectors @ wishes.vectors.T, 0.0)  # (n, w)
    like = cosine / np.maximum(cosine.max(axis=0, initial=0.0), LEAST_BEST)
    for number, kinds in enumerate(wishes.kinds):
        if kinds:
            named = set(kinds)
            has = np.array([len(named.intersection(of)) for of in category_ids]) / len(named)
            if wishes.wanted[number]:
                like[:, number] = (1 - KIND_SHARE) * like[:, number] + KIND_SHARE * has
            else:  # either is enough to be unwanted
                like[:, number] = np.maximum(like[:, number], has)
    wanted = np.flatnonzero(wishes.wanted)
    near = like[:, wanted].max(axis=1, initial=0.0)
    best = wanted[np.argmax(like[:, wanted], axis=1)] if len(wanted) else np.full(n, -1)
    return Asked(
        share=share_of(wishes, n_likes),
        near=near.astype(np.float32),
        against=like[:, ~wishes.wanted].max(axis=1, initial=0.0).astype(np.float32),
        best=np.where(near > 0, best, -1),
    )


def with_asked(parts: np.ndarray, asked: Asked) -> np.ndarray:
    """(n, p + 2) contributions: those of behaviour make room for what was asked for."""
    return np.column_stack(
        [parts * (1.0 - asked.share), asked.share * asked.near, -UNWANTED * asked.against]
    ).astype(np.float32)
