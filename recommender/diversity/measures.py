"""What a list shows of variety, in numbers that mean the same for every strategy.

A list of one item or none has no pairs: its distances are 0. An empty list keeps all relevance.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Report:
    """What was shown, and what it cost."""

    vector_distance: float  # mean of 1 - cosine over pairs, of items that have vectors
    category_distance: float  # mean of 1 - Jaccard over pairs
    distinct_categories: int
    largest_category_share: float  # of the list, by its commonest category
    largest_creator_share: float  # of the list, by its commonest creator
    relevance_kept: float  # DCG of the list ÷ DCG of the relevance order of the same length
    strategy: str
    strength: float  # the diversity that was asked for
    pool_size: int
    list_size: int


def vector_distance(vectors: np.ndarray) -> float:
    """Mean of 1 - cosine over all pairs of unit rows (n, d); rows of zeros are left out."""
    known = vectors[vectors.any(axis=1)]
    n = len(known)
    if n < 2:
        return 0.0
    total = known.sum(axis=0, dtype=np.float64)
    own = np.einsum("nd,nd->", known, known, dtype=np.float64)
    return float(1 - (total @ total - own) / (n * (n - 1)))


def category_distance(categories: np.ndarray) -> float:
    """Mean of 1 - Jaccard over all pairs of category sets (n, c); two empty sets are alike."""
    n = len(categories)
    if n < 2:
        return 0.0
    sets = categories.astype(np.float64)
    shared = sets @ sets.T
    sizes = shared.diagonal()
    either = sizes[:, None] + sizes[None, :] - shared
    jaccard = np.where(either > 0, shared / np.where(either > 0, either, 1), 1.0)
    return float(1 - (jaccard.sum() - n) / (n * (n - 1)))


def dcg(gains: np.ndarray) -> float:
    """Discounted cumulative gain, with log2(rank + 1) (Järvelin & Kekäläinen 2002)."""
    return float((gains / np.log2(np.arange(len(gains)) + 2)).sum())


def report(
    order: np.ndarray,
    relevance: np.ndarray,
    vectors: np.ndarray,
    categories: np.ndarray,
    creators: np.ndarray,
    *,
    strategy: str,
    diversity: float,
) -> Report:
    """The report of the rows `order` of a pool.

    relevance (n,), vectors (n, d), categories (n, c) bool, creators (n,) below 0 for none: of the
    whole pool
    """
    size = len(order)
    shown, shown_creators = categories[order], creators[order][creators[order] >= 0]
    best = np.sort(relevance)[::-1][:size]
    ideal = dcg(best)
    _, times = np.unique(shown_creators, return_counts=True)
    return Report(
        vector_distance=round(vector_distance(vectors[order]), 4),
        category_distance=round(category_distance(shown), 4),
        distinct_categories=int(shown.any(axis=0).sum()),
        largest_category_share=round(float(shown.mean(axis=0).max(initial=0)), 4) if size else 0.0,
        largest_creator_share=round(float(times.max(initial=0)) / size, 4) if size else 0.0,
        relevance_kept=round(dcg(relevance[order]) / ideal, 4) if ideal > 0 else 1.0,
        strategy=strategy,
        strength=diversity,
        pool_size=len(relevance),
        list_size=size,
    )
