"""Neighbours of items by behaviour: who liked this also liked that, more so close in time.

Sources: EASE (Steck 2019, doi:10.1145/3308558.3313710), a linear model of all items at once in
closed form, for items with enough feedback; cosine with shrinkage (Bell & Koren 2007) where that
matrix would be too large or the feedback too thin. Both see the same co-occurrence, in which the
likes of a person count together, and more so the likes of one stretch of their history.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg.lapack
import scipy.sparse as sp

ENOUGH_LIKES = 5  # of an item, before a linear model can say anything of it
EASE_LIMIT = 5_000
# The ridge grows with the square root of the likes a mean item has.
RIDGE = 45.0
SHRINKAGE = 10.0
# Half-overlapping stretches of so many likes, and what the whole history counts for beside them.
STRETCH, WHOLE = 30, 0.3
BLOCK_ITEMS = 512


@dataclass(frozen=True)
class Neighbours:
    """Row i: the neighbours of item i, best first."""

    ids: np.ndarray  # (n_items, k) int32, -1 where there are fewer
    weights: np.ndarray  # (n_items, k) float32, above 0 and a row together 1; 0 beside -1


def learn_neighbours(
    people: np.ndarray,
    items: np.ndarray,
    weights: np.ndarray,
    *,
    n_people: int,
    n_items: int,
    k: int = 100,
    ease_limit: int = EASE_LIMIT,
) -> Neighbours:
    """The k items that liking each item speaks for most.

    people, items, weights  (m,) one row for each like, a person's rows oldest first: row numbers,
             and how much it was liked, above 0. A pair that comes twice counts once, for the larger
             weight and where it came last.
    Returns  each row adds up to 1: a like casts one vote, divided over its neighbours, whichever
             method found them. An item without likes, or alone in each history, has none.
    Raises   ValueError if shapes disagree, a row number is out of range, a weight is not above 0

    With e items of ENOUGH_LIKES or more, e <= ease_limit, EASE takes e^3 operations and 12 e^2
    bytes (300 MB at 5,000). Cosines are made for BLOCK_ITEMS items at a time, from those that
    co-occur: at worst, all with all, some 40 BLOCK_ITEMS n_items bytes (2 GB at 100,000).
    """
    people, items = np.asarray(people), np.asarray(items)
    weights = np.asarray(weights, dtype=np.float32)
    if not people.shape == items.shape == weights.shape or people.ndim != 1:
        raise ValueError("people, items and weights differ in length")
    if k < 1:
        raise ValueError(f"k must be at least 1, got {k}")
    if not ((weights > 0) & (weights < np.inf)).all():
        raise ValueError("a weight must be a finite number above 0")
    for name, numbers, n in (("person", people, n_people), ("item", items, n_items)):
        if len(numbers) and not (numbers.min() >= 0 and numbers.max() < n):
            raise ValueError(f"a {name} is outside 0 to {n - 1}")

    found = Neighbours(
        np.full((n_items, k), -1, dtype=np.int32), np.zeros((n_items, k), dtype=np.float32)
    )
    if len(items) == 0:
        return found
    people, items, weights = _once(people, items, weights, n_items)
    likes = _stretches(people, items, weights, n_items)
    counts = np.bincount(items, minlength=n_items)
    linear = counts >= ENOUGH_LIKES
    if not 1 < np.count_nonzero(linear) <= ease_limit:
        linear[:] = False
    if linear.any():
        _keep_ease(found, np.flatnonzero(linear), likes)
    _keep_cosine(found, np.flatnonzero((counts > 0) & ~linear), likes)
    return found


def _once(
    people: np.ndarray, items: np.ndarray, weights: np.ndarray, n_items: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One row for each pair, at its last place and with its largest weight, person by person."""
    newest_first = (people.astype(np.int64) * n_items + items)[::-1]
    pairs, first, where = np.unique(newest_first, return_index=True, return_inverse=True)
    largest = np.zeros(len(pairs), dtype=np.float32)
    np.maximum.at(largest, where, weights[::-1])
    order = np.lexsort((-first, pairs // n_items))
    pairs = pairs[order]
    return pairs // n_items, pairs % n_items, largest[order]


def _stretches(
    people: np.ndarray, items: np.ndarray, weights: np.ndarray, n_items: int
) -> sp.csr_array:
    """(rows, n_items): people, and below them the stretches of each, in shares that add up to 1.

    The co-occurrence of two likes is their product, summed over rows: WHOLE for any two of one
    person, up to 1 for two close in time; the diagonal is as if there were people alone.
    """
    begins = np.r_[True, people[1:] != people[:-1]]
    starts = np.flatnonzero(begins)
    place = np.arange(len(people)) - np.repeat(starts, np.diff(starts, append=len(people)))
    parts = []
    for share, stretch in (
        (WHOLE, np.zeros_like(place)),
        ((1 - WHOLE) / 2, place // STRETCH),
        ((1 - WHOLE) / 2, (place + STRETCH // 2) // STRETCH),
    ):
        row = np.cumsum(begins | np.r_[True, stretch[1:] != stretch[:-1]]) - 1
        entries = (weights * np.float32(np.sqrt(share)), (row, items))
        parts.append(sp.csr_array(entries, shape=(int(row[-1]) + 1, n_items)))
    return sp.vstack(parts, format="csr")


def _keep_ease(found: Neighbours, rows: np.ndarray, likes: sp.csr_array) -> None:
    likes = likes[:, rows]
    gram = (likes.T @ likes).toarray(order="F")  # the order of LAPACK, which else would copy it
    gram[np.diag_indices_from(gram)] += RIDGE * np.sqrt(gram.diagonal().mean())
    # The ridge keeps it far from singular: float32 is enough, and Cholesky does not fail.
    factor, failed = scipy.linalg.lapack.spotrf(gram, lower=True, overwrite_a=True)
    inverse, failed_too = scipy.linalg.lapack.spotri(factor, lower=True, overwrite_c=True)
    if failed or failed_too:
        raise np.linalg.LinAlgError("the co-occurrence of likes could not be inverted")
    inverse += np.tril(inverse, -1).T  # only the lower triangle was filled
    width = min(found.ids.shape[1], len(rows) - 1)
    for start in range(0, len(rows), BLOCK_ITEMS):
        block = np.arange(start, min(start + BLOCK_ITEMS, len(rows)))
        strengths = inverse[block] / -inverse.diagonal()
        strengths[np.arange(len(block)), block] = 0.0
        columns = np.argpartition(-strengths, width - 1, axis=1)[:, :width]
        columns.sort(axis=1)
        kept = np.take_along_axis(strengths, columns, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
        kept = np.maximum(np.take_along_axis(kept, order, axis=1), 0.0)
        total = kept.sum(axis=1, keepdims=True)
        found.ids[rows[block], :width] = np.where(kept > 0, rows[columns], -1)
        found.weights[rows[block], :width] = kept / np.where(total > 0, total, 1.0)


def _keep_cosine(found: Neighbours, rows: np.ndarray, likes: sp.csr_array) -> None:
    of_item = likes.T.tocsr()
    norms = np.sqrt(np.asarray(likes.power(2).sum(axis=0)).ravel())  # (n_items,)
    for start in range(0, len(rows), BLOCK_ITEMS):
        block = rows[start : start + BLOCK_ITEMS]
        together = (of_item[block] @ likes).tocoo()
        row, column = together.coords
        strengths = together.data / (norms[block[row]] * norms[column] + SHRINKAGE)
        other = block[row] != column
        row, column, strengths = row[other], column[other], strengths[other]
        order = np.lexsort((column, -strengths, row))
        row, column, strengths = row[order], column[order], strengths[order]
        starts = np.searchsorted(row, np.arange(len(block)))
        place = np.arange(len(row)) - starts[row]
        best = place < found.ids.shape[1]
        row, column, strengths, place = row[best], column[best], strengths[best], place[best]
        total = np.bincount(row, weights=strengths, minlength=len(block))
        found.ids[block[row], place] = column
        found.weights[block[row], place] = strengths / total[row]


def votes(
    neighbour_ids: np.ndarray, neighbour_weights: np.ndarray, like_weights: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What the neighbours of a person's likes add up to.

    neighbour_ids, neighbour_weights  (l, k), an id below 0 where there is none
    like_weights  (l,) how much each like counts; below 0 it speaks against its neighbours
    Returns  ids (u,) int64 ascending; votes (u,) float32; best_like (u,) int64, the row of the like
             that gave most, the lower of two, -1 if none gave anything above 0
    Raises   ValueError if shapes disagree or a number is not finite
    """
    neighbour_ids, like_weights = np.asarray(neighbour_ids), np.asarray(like_weights)
    if neighbour_ids.ndim != 2 or neighbour_ids.shape != np.shape(neighbour_weights):
        raise ValueError("neighbour_ids and neighbour_weights differ in shape")
    if like_weights.shape != neighbour_ids.shape[:1]:
        raise ValueError(f"{len(neighbour_ids)} rows of neighbours, {like_weights.shape} weights")
    there = neighbour_ids >= 0
    given = (np.asarray(neighbour_weights) * like_weights[:, None])[there].astype(np.float32)
    if not np.isfinite(given).all():
        raise ValueError("a weight is not finite")
    like = np.repeat(np.arange(len(like_weights)), there.sum(axis=1))
    ids = neighbour_ids[there].astype(np.int64)
    if len(ids) == 0:
        return ids, given, like
    # Keys that all differ, so that the fast sort, which is not stable, has one result.
    order = np.argsort(ids * len(like_weights) + like)
    ids, given, like = ids[order], given[order], like[order]
    first = np.r_[True, ids[1:] != ids[:-1]]
    starts, item = np.flatnonzero(first), np.cumsum(first) - 1
    most = np.maximum.reduceat(given, starts)
    best_like = np.full(len(starts), -1, dtype=np.int64)
    at = np.flatnonzero((given == most[item]) & (given > 0))[::-1]
    best_like[item[at]] = like[at]  # of several, the last one written stays: the lowest
    return ids[starts], np.bincount(item, weights=given).astype(np.float32), best_like
