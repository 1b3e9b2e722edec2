"""From text to behaviour: what the words of an item say about who will take it up.

`learn_carry` brings what is known of items that people touched over to the text of others: the
votes of a history for touched items are regressed on their texts, in closed form, and what comes
out is the text to look for. Two texts need not be alike to go together. It is applied to the side
that asks, so that items stay where they are and the index of their space finds, by behaviour, an
item that nobody has touched yet. (The idea of a linear map from text into behaviour is that of
AlphaRec, Sheng et al. 2025; carrying over the votes of EASE is ours.) `learn_promise` foretells
from text alone how popular an item will be.
"""

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.sparse as sp

CARRY_RIDGE = 10.0
OWN = 0.5  # what an item votes for itself, beside the votes for related ones
CARRY_RANK = 64
PROMISE_RIDGE = 10.0
BLOCK_ITEMS = 512


@dataclass(frozen=True)
class Carry:
    """What a history says of texts: factors.T @ says @ basis + vectors.T @ says @ own."""

    factors: np.ndarray  # (n, r) float32, of each item its related ones; the largest number is 1
    basis: np.ndarray  # (r, d) float32
    own: np.ndarray  # (d, d) float32, of each item its own text


def learn_carry(
    vectors: np.ndarray,
    touched: np.ndarray,
    related_rows: np.ndarray,
    related_weights: np.ndarray,
    *,
    rank: int = CARRY_RANK,
) -> Carry:
    """Carry votes for touched items over to texts, by ridge regression on theirs.

    vectors          (n, d) unit rows of items, zeros where there is none
    touched          (n,) bool, items with feedback; only their texts are learned from
    related_rows     (n, k) row numbers of the items that each votes for, -1 where there are fewer
    related_weights  (n, k) how much
    Votes for related items are kept in so many dimensions as matter most, at most rank; those of an
    item for itself whole.
    """
    n, d = vectors.shape
    used = touched & vectors.any(axis=1)
    rank = min(rank, d)
    if not used.any():
        none = np.zeros((rank, d), np.float32)
        return Carry(np.zeros((n, rank), np.float32), none, np.zeros((d, d), np.float32))
    mine = np.where(used[:, None], vectors, 0.0).astype(np.float64)
    inverse = scipy.linalg.inv(mine.T @ mine + CARRY_RIDGE * np.eye(d))
    there = (related_rows >= 0) & used[related_rows]
    rows = np.nonzero(there)[0]
    votes = sp.csr_array((related_weights[there], (rows, related_rows[there])), shape=(n, n))
    carried = (votes @ mine) @ inverse
    _, directions = scipy.linalg.eigh(carried.T @ carried, subset_by_index=(d - rank, d - 1))
    factors = carried @ directions
    scale = max(float(np.abs(factors).max(initial=0.0)), np.finfo(np.float32).tiny)
    return Carry(
        (factors / scale).astype(np.float32),
        (scale * directions.T).astype(np.float32),
        (OWN * inverse).astype(np.float32),
    )


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
