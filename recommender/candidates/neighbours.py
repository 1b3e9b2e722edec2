"""Related items by taste: who took up this also took up that, all pairs of a history alike.

Sources: EASE (Steck 2019, doi:10.1145/3308558.3313710), a linear model of all items at once in
closed form, for items with enough feedback; cosine with shrinkage (Bell & Koren 2007) where that
matrix would be too large or the feedback too thin.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg.lapack
import scipy.sparse as sp

ENOUGH_LIKES = 5  # of an item, before a linear model can say anything of it
EASE_LIMIT = 10_000
# The ridge grows with the square root of the likes a mean item has.
RIDGE = 45.0
SHRINKAGE = 10.0
BLOCK_ITEMS = 512


@dataclass(frozen=True)
class Neighbours:
    """Row i: the items that item i says most of, those it speaks most strongly for first."""

    ids: np.ndarray  # (n_items, k) int32, -1 where there is none
    weights: np.ndarray  # (n_items, k) float32, below 0 where it speaks against; 0 beside -1


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
    """The k items that each item says most of, for or against.

    people, items, weights  (m,) one row for each item of a history: row numbers, and how much it
             counts, above 0. A pair that comes twice counts once, for the larger weight.
    Returns  weights on one scale for all items, so that they can be added up. An item without
             people, or alone in each history, has no neighbours.
    Raises   ValueError if shapes disagree, a row number is out of range, a weight is not above 0

    With e items of ENOUGH_LIKES or more, e <= ease_limit, EASE takes e^3 operations and 12 e^2
    bytes (1.2 GB at 10,000). Cosines are made for BLOCK_ITEMS items at a time, from those that
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
    likes = sp.csr_array((weights, (people, items)), shape=(n_people, n_items))
    if likes.nnz < len(weights):  # a pair that came twice was added up
        _, first, where = np.unique(
            people.astype(np.int64) * n_items + items, return_index=True, return_inverse=True
        )
        largest = np.zeros(len(first), dtype=np.float32)
        np.maximum.at(largest, where, weights)
        likes = sp.csr_array((largest, (people[first], items[first])), shape=(n_people, n_items))
    counts = np.bincount(likes.indices, minlength=n_items)
    linear = counts >= ENOUGH_LIKES
    if not 1 < np.count_nonzero(linear) <= ease_limit:
        linear[:] = False
    if linear.any():
        _keep_ease(found, np.flatnonzero(linear), likes)
    _keep_cosine(found, np.flatnonzero((counts > 0) & ~linear), likes)
    return found


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
        columns = np.argpartition(-np.abs(strengths), width - 1, axis=1)[:, :width]
        columns.sort(axis=1)
        kept = np.take_along_axis(strengths, columns, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
        kept = np.take_along_axis(kept, order, axis=1)
        found.ids[rows[block], :width] = np.where(kept != 0, rows[columns], -1)
        found.weights[rows[block], :width] = kept


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
        found.ids[block[row], place] = column
        found.weights[block[row], place] = strengths
