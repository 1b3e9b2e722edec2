"""What a list shows of variety, and what that cost, in numbers that mean the same for any strategy.

Mean pairwise distance as in Smyth & McClave 2001; DCG as in Järvelin & Kekäläinen 2002, with
relevance itself as the gain. What is not known is not far away: a pair counts only where both items
have a vector, or both have a category.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

DIGITS = 4


@dataclass(frozen=True)
class Report:
    """Of one list: plain rounded numbers, so that asdict() of it is JSON."""

    vector_distance: float  # mean of 1 - cosine over pairs, 0 to 2
    category_distance: float  # mean of 1 - Jaccard over pairs, 0 to 1
    distinct_categories: int
    largest_category_share: float  # of the list, by its commonest category
    largest_creator_share: float  # of the list, by its commonest creator
    relevance_kept: float  # DCG of the list / DCG of the best list of the same length
    strategy: str
    strength: float  # what the strategy was given, 0 to 1
    pool_size: int
    list_size: int
    topic_distance: float = 0.0  # mean of 1 - Jaccard over pairs, 0 to 1
    distinct_topics: int = 0
    budget: float = 0.0  # share of relevance that might be given up
    in_last: float = 0.0  # share of the list that was in the last one too
    # Limits that turned down a row the strategy would have taken; and those that the list does not
    # keep, with what was asked, what it came to and why.
    binding: list[str] = field(default_factory=list)
    unmet: list[dict] = field(default_factory=list)


def vector_distance(vectors: np.ndarray) -> float:
    """Mean of 1 - cosine over all pairs of unit rows (n, d), without rows of zeros; 0 for no pair.

    >>> vector_distance(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]))
    1.0
    """
    count = int(np.count_nonzero(vectors.any(axis=1)))
    if count < 2:
        return 0.0
    total = vectors.sum(axis=0, dtype=np.float64)
    own = np.einsum("nd,nd->", vectors, vectors, dtype=np.float64)
    return float(1 - (total @ total - own) / (count * (count - 1)))


def category_distance(categories: np.ndarray) -> float:
    """Mean of 1 - Jaccard over all pairs of sets (n, c), of categories or of topics; empty ones are
    left out; 0 without pair.

    >>> category_distance(np.array([[True, True], [False, True], [False, False]]))
    0.5
    """
    sets = categories[categories.any(axis=1)].astype(np.float64)
    count = len(sets)
    if count < 2:
        return 0.0
    shared = sets @ sets.T
    sizes = shared.diagonal()
    jaccard = shared / (sizes[:, None] + sizes - shared)
    return float(1 - (jaccard.sum() - count) / (count * (count - 1)))


def dcg(gains: np.ndarray) -> float:
    """Discounted cumulative gain with discount log2(rank + 1), rank from 1; 0 for no gains."""
    return float(np.asarray(gains, dtype=np.float64) @ (1 / np.log2(np.arange(len(gains)) + 2)))


def relevance_kept(order: np.ndarray, relevance: np.ndarray) -> float:
    """DCG of the rows `order` / DCG of as many in the order of relevance; 1 where that is 0.

    relevance (n,) at least 0, of the whole pool.
    """
    ideal = dcg(np.sort(relevance)[::-1][: len(order)])
    return dcg(relevance[order]) / ideal if ideal > 0 else 1.0


def share_in(ids: np.ndarray, others: Sequence[int]) -> float:
    """The share of a list that another had too; 0 for an empty one.

    >>> share_in(np.array([1, 2, 3, 4]), [4, 9])
    0.25
    """
    if len(ids) == 0:
        return 0.0
    return round(float(np.isin(ids, np.asarray(others, dtype=np.int64)).mean()), DIGITS)


def report(
    order: np.ndarray,
    relevance: np.ndarray,
    vectors: np.ndarray,
    categories: np.ndarray,
    creators: np.ndarray,
    *,
    strategy: str,
    diversity: float,
    topics: np.ndarray | None = None,
) -> Report:
    """The report of the rows `order` of a pool, in the order shown.

    relevance (n,) at least 0, vectors (n, d) unit rows or rows of zeros, categories (n, c) bool,
    topics (n, t) bool, creators (n,) below 0 for none: of the whole pool
    Distances of a list of one or none are 0, shares of an empty list 0. Relevance kept is 1 for the
    order of relevance, and where there is no relevance to keep.
    """
    order = np.asarray(order, dtype=np.int64)
    size = len(order)
    shown, by = categories[order], creators[order]
    about = np.zeros((size, 0), dtype=bool) if topics is None else topics[order]
    in_category = shown.sum(axis=0)
    _, by_creator = np.unique(by[by >= 0], return_counts=True)
    return Report(
        vector_distance=round(vector_distance(vectors[order]), DIGITS),
        category_distance=round(category_distance(shown), DIGITS),
        distinct_categories=int(np.count_nonzero(in_category)),
        largest_category_share=round(float(in_category.max(initial=0)) / max(size, 1), DIGITS),
        largest_creator_share=round(float(by_creator.max(initial=0)) / max(size, 1), DIGITS),
        relevance_kept=round(relevance_kept(order, relevance), DIGITS),
        strategy=strategy,
        strength=float(diversity),
        pool_size=len(relevance),
        list_size=size,
        topic_distance=round(category_distance(about), DIGITS),
        distinct_topics=int(np.count_nonzero(about.any(axis=0))),
    )
