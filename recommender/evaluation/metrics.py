"""How good and how varied lists were. Every measure says what an empty list scores.

Accuracy is binary: an item was liked afterwards, or it was not. Rank counts from 1. With nothing
relevant, or a k below 1, there is nothing to find: that raises ValueError, and is not scored.
"""

from collections.abc import Mapping, Sequence

import numpy as np


def _hits(shown: np.ndarray, relevant: np.ndarray, k: int) -> np.ndarray:
    """(min(k, shown),) bool: which of the first k are relevant."""
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if len(relevant) == 0:
        raise ValueError("nothing is relevant")
    return np.isin(shown[:k], relevant)


def recall(shown: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """Share of the relevant items among the first k, of at most k that could be there.

    relevant  distinct item ids, at least one
    An empty list scores 0; with more than k relevant items a full hit still scores 1.
    """
    return float(_hits(shown, relevant, k).sum() / min(k, len(relevant)))


def ndcg(shown: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """DCG of the first k with gain 1 for a relevant item and discount log2(rank + 1), over that of
    an ideal list of min(k, relevant) hits (Järvelin & Kekäläinen 2002). An empty list scores 0."""
    hits = _hits(shown, relevant, k)
    discount = 1 / np.log2(np.arange(2, k + 2))
    return float(hits @ discount[: len(hits)] / discount[: min(k, len(relevant))].sum())


def reciprocal_rank(shown: np.ndarray, relevant: np.ndarray, k: int) -> float:
    """1 / rank of the first relevant item of the first k; 0 when there is none."""
    hits = np.flatnonzero(_hits(shown, relevant, k))
    return 1.0 / (hits[0] + 1) if len(hits) else 0.0


def novelty(shown: np.ndarray, people_of: dict[int, int], n_people: int) -> float:
    """Mean of -log2 of the share of people who had the item before (Zhou et al. 2010), in bits.

    An item that nobody had counts as if half a person had. An empty list scores 0.
    """
    if len(shown) == 0:
        return 0.0
    shares = np.array([max(people_of.get(int(item), 0), 0.5) for item in shown]) / n_people
    return float(-np.log2(shares).mean())


def unlikeness(shown: np.ndarray, liked: np.ndarray) -> float:
    """Mean of 1 - cosine with the nearest liked item: how far a list goes from what is known.

    shown, liked  (n, d) and (l, d) unit rows. An empty list scores 0, and one for somebody who
    liked nothing 1. Source: Vargas & Castells 2011, doi:10.1145/2043932.2043955, with the nearest
    in the place of all.

    >>> unlikeness(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([[1.0, 0.0]]))
    0.5
    """
    if len(shown) == 0 or len(liked) == 0:
        return float(len(shown) > 0)
    return float(1.0 - (shown @ liked.T).max(axis=1).mean())


def miscalibration(shown: np.ndarray, history: np.ndarray, alpha: float = 0.01) -> float:
    """KL divergence in nats of the list's mix of categories from that of the history, smoothed.

    shown, history  (n, c) bool memberships; an item's weight is shared among its categories
    Source: Steck 2018, doi:10.1145/3240323.3240372, with q' = (1 - alpha) q + alpha p. Lower is
    better; 0 where one of the two has no category at all.
    """
    p, q = mix(history), mix(shown)
    if p.sum() == 0 or q.sum() == 0:
        return 0.0
    smoothed = (1 - alpha) * q + alpha * p
    there = p > 0
    return float((p[there] * np.log(p[there] / smoothed[there])).sum())


def mix(categories: np.ndarray) -> np.ndarray:
    """(c,) share of each category among items, each item shared equally among its own."""
    sizes = categories.sum(axis=1, keepdims=True)
    shares = (categories / np.maximum(sizes, 1)).sum(axis=0)
    total = shares.sum()
    return shares / total if total else shares


def coverage(shown: np.ndarray, n_items: int) -> float:
    """Share of the catalogue that stands in at least one of all lists together."""
    return len(np.unique(shown)) / n_items if n_items else 0.0


def gini(shown: np.ndarray, n_items: int) -> float:
    """How unequally the places of all lists are spread over the catalogue: 0 evenly, towards 1 on
    few items. No places at all score 0."""
    if len(shown) == 0:
        return 0.0
    _, times = np.unique(shown, return_counts=True)
    counts = np.sort(np.concatenate([np.zeros(n_items - len(times)), times]))
    ranks = np.arange(1, n_items + 1)
    return float((2 * ranks - n_items - 1) @ counts / (n_items * counts.sum()))


def in_common(shown: np.ndarray, n_lists: int, k: int) -> float:
    """Share of k places that the lists of two people have in common, the mean over all pairs.

    shown  the items of n_lists lists of at most k, one list after another, none twice in a list
    Exact: an item that stands in c lists is common to c (c - 1) of the n (n - 1) ordered pairs.
    The lower, the more people differ; fewer than two lists have nothing in common and score 0.
    """
    if n_lists < 2:
        return 0.0
    times = np.unique(shown, return_counts=True)[1].astype(np.float64)
    return float((times * (times - 1)).sum() / (n_lists * (n_lists - 1.0) * k))


def alpha_ndcg(
    shown: np.ndarray,
    relevant: np.ndarray,
    aspects: Mapping[int, np.ndarray],
    k: int,
    alpha: float = 0.5,
) -> float:
    """NDCG in which an aspect that was already found counts 1 - alpha as much each time again.

    aspects  of each item, (a,) bool; an item that is not there, or has none, finds nothing
    A relevant item gains 1 for each of its aspects, less those found before; the ideal list takes
    the relevant items greedily, since the best order is hard to find. With one aspect for all and
    alpha 0 it is ndcg(). An empty list scores 0, and so does any where nothing relevant has an
    aspect. Source: Clarke et al. 2008, doi:10.1145/1390334.1390446.
    """
    hits = _hits(shown, relevant, k)
    discount = 1 / np.log2(np.arange(2, k + 2))
    left = [aspects[int(item)] for item in np.unique(relevant) if int(item) in aspects]
    width = len(left[0]) if left else 0
    nothing = np.zeros(width, dtype=bool)

    found = np.zeros(width)  # times
    score = 0.0
    for item, hit, weight in zip(shown[:k], hits, discount, strict=False):
        if hit:
            of_item = aspects.get(int(item), nothing)
            score += weight * (of_item * (1 - alpha) ** found).sum()
            found += of_item
    found = np.zeros(width)
    ideal = 0.0
    for weight in discount[: len(left)]:
        gains = [(of_item * (1 - alpha) ** found).sum() for of_item in left]
        best = int(np.argmax(gains))
        ideal += weight * gains[best]
        found += left.pop(best)
    return float(score / ideal) if ideal else 0.0


def overlap(shown: np.ndarray, before: np.ndarray) -> float:
    """Share of a list that stood in the one before it. An empty list scores 0."""
    return float(np.isin(shown, before).mean()) if len(shown) else 0.0


def mean_overlap(lists: Sequence[np.ndarray]) -> float:
    """Items that two people's lists share, as a share of a list: the mean over all pairs of people.

    Lists repeat no item. Counted by item, so that it takes no longer for more pairs; of lists of
    different lengths the mean length counts. Fewer than two lists score 0.
    """
    places = sum(len(shown) for shown in lists)
    if len(lists) < 2 or not places:
        return 0.0
    _, people = np.unique(np.concatenate(lists), return_counts=True)
    shared = (people * (people - 1) / 2).sum()
    pairs = len(lists) * (len(lists) - 1) / 2
    return float(shared / pairs / (places / len(lists)))
