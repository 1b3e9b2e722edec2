"""A determinantal point process: the list that spans the largest volume, weighed by relevance.

Source: Chen, Zhang & Zhou 2018, "Fast Greedy MAP Inference for Determinantal Point Process",
arXiv:1709.05135: an incremental Cholesky factor makes a step linear in n. Their quality of an item
is exp(alpha · relevance); since it only scales rows of the kernel, a step maximises
2 alpha · relevance + log of what of the row is orthogonal to those chosen.
"""

import numpy as np

from recommender.diversity.choice import Choice

# At diversity 0.5 an item half as relevant gives way to one that is wholly in the span of the
# chosen ones down to exp(-SHARPNESS · 0.5) of its length.
SHARPNESS = 5.0
EXHAUSTED = 1e-5  # squared length left, below which a row is in the span of the chosen ones


def dpp(
    vectors: np.ndarray,
    relevance: np.ndarray,
    k: int,
    diversity: float,
    *,
    groups: np.ndarray | None = None,
    max_per_group: int | None = None,
) -> np.ndarray:
    """Choose up to k rows, in the order in which to show them.

    vectors    (n, f), unit rows; the kernel is their dot product
    relevance  (n,), at most 1
    diversity  0 keeps the order of relevance; 1 looks at the volume alone
    groups     (n,) int, below 0 for none; see Choice for the limit
    Returns    (min(k, n),) int64 row numbers; equal gains go to the lower row. When the chosen
               rows span all others, it goes on by relevance.
    Raises     ValueError if diversity is outside [0, 1], the shapes disagree or relevance is nan
    """
    choice = Choice(vectors, relevance, k, diversity, groups, max_per_group)
    if diversity == 0:
        while not choice.is_full:
            choice.take_best(relevance)
        return choice.as_array()
    wanted = SHARPNESS * (1 - diversity) / diversity * relevance
    left = np.einsum("nf,nf->n", vectors, vectors).astype(np.float64)  # squared length left
    factor = np.zeros((choice.size, len(vectors)))
    while not choice.is_full:
        if not (left > EXHAUSTED).any():
            choice.take_best(relevance)
            continue
        with np.errstate(divide="ignore", invalid="ignore"):
            gain = np.where(left > EXHAUSTED, wanted + np.log(left), -1e12 + relevance)
        row = choice.take_best(gain)
        step = len(choice.rows) - 1
        if left[row] > EXHAUSTED:
            along = factor[:step, row] @ factor[:step]
            factor[step] = (vectors @ vectors[row] - along) / np.sqrt(left[row])
            left = np.maximum(left - factor[step] ** 2, 0.0)
    return choice.as_array()
