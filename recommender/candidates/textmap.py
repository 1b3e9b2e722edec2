"""From text to behaviour: what the words of an item say about who will take it up.

`learn_map` is a linear map, in closed form, from the text of a history to the text of what goes
with it (after AlphaRec, Sheng et al. 2025, and EASE): two texts need not be alike to go together.
The map is applied to the side that asks, so that the items stay where they are and the index of
their space finds, by behaviour, an item that nobody has touched yet. `learn_promise` foretells
from text alone how popular an item will be.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

MAP_RIDGE, SPACE_RIDGE = 1000.0, 30.0
PROMISE_RIDGE = 10.0
BLOCK_ITEMS = 512


def learn_map(
    vectors: np.ndarray,
    people: np.ndarray,
    items: np.ndarray,
    weights: np.ndarray,
    *,
    n_people: int,
) -> np.ndarray:
    """(d, d) float32: history vector @ map is the vector to look for.

    vectors  (n, d) unit rows of items, zeros where there is none
    people, items, weights  (m,) row numbers, and how much each pair counts, above 0
    """
    n, d = vectors.shape
    taken = sp.csr_array((weights, (people, items)), shape=(n_people, n))
    profiles = (taken @ vectors).astype(np.float64)
    own = np.asarray(taken.power(2).sum(axis=0)).ravel()  # an item says nothing of itself
    together = profiles.T @ profiles
    others = together - (vectors * own[:, None]).T.astype(np.float64) @ vectors
    used = vectors[own > 0].astype(np.float64)
    left = scipy.linalg.solve(together + MAP_RIDGE * np.eye(d), others, assume_a="pos")
    space = used.T @ used + SPACE_RIDGE * np.eye(d)
    return scipy.linalg.solve(space, left.T, assume_a="pos").T.astype(np.float32)


def learn_promise(vectors: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(d,) float32: vector @ it is how far above the mean the log of an item's people will lie.

    counts  (n,) people of each item; those with none, or without a vector, are not learned from
    """
    known = (counts > 0) & vectors.any(axis=1)
    mine = vectors[known].astype(np.float64)
    if len(mine) == 0:
        return np.zeros(vectors.shape[1], dtype=np.float32)
    logs = np.log1p(counts[known])
    left = mine.T @ mine + PROMISE_RIDGE * np.eye(mine.shape[1])
    return scipy.linalg.solve(left, mine.T @ (logs - logs.mean()), assume_a="pos").astype(
        np.float32
    )


def stand_ins(
    vectors: np.ndarray, known: np.ndarray, rows: np.ndarray, *, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """For items nobody has touched: the ones with feedback whose text is nearest.

    vectors  (n, d) unit rows, zeros where there is none
    known    (n,) bool, items with feedback
    rows     (m,) of the items to find stand-ins for
    Returns  (m, k) int64 rows, -1 where there are fewer, and (m, k) float32 weights, a row together
             1. An item without a vector has none.
    """
    pool = np.flatnonzero(known & vectors.any(axis=1))
    ids = np.full((len(rows), k), -1, dtype=np.int64)
    weights = np.zeros((len(rows), k), dtype=np.float32)
    width = min(k, len(pool))
    if width == 0:
        return ids, weights
    for start in range(0, len(rows), BLOCK_ITEMS):
        block = slice(start, min(start + BLOCK_ITEMS, len(rows)))
        cosine = vectors[rows[block]] @ vectors[pool].T
        columns = np.argpartition(-cosine, width - 1, axis=1)[:, :width]
        columns.sort(axis=1)
        near = np.take_along_axis(cosine, columns, axis=1)
        order = np.argsort(-near, axis=1, kind="stable")
        near = shares(np.take_along_axis(near, order, axis=1))
        found = pool[np.take_along_axis(columns, order, axis=1)]
        ids[block, :width] = np.where(near > 0, found, -1)
        weights[block, :width] = near
    return ids, weights


def shares(cosines: np.ndarray) -> np.ndarray:
    """(m, k) what each stand-in weighs by its cosine (m, k): a row together 1, or nothing."""
    near = np.maximum(cosines, 0.0)
    total = near.sum(axis=1, keepdims=True)
    return near / np.where(total > 0, total, 1.0)
