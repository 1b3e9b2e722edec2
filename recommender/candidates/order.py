"""Related items by order: what follows what in the histories of people.

Two models of the same sequences, which err differently. `learn_order` counts, damped by distance
and by a logarithm, after the count models that are level with large transformers on a CPU (Petrov
et al. 2026, PCTM). `learn_next` is linear: a ridge from the fading past to the near future, after
SLIST (Choi et al. 2021, doi:10.1145/3442381.3450005), which gives two items that always come
together credit once.
"""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from recommender.candidates.neighbours import ENOUGH_LIKES, Neighbours

WINDOW = 20  # events that one is thought to lead to
DAMPING = 50.0  # more of it, and rare successions count nearly as much as frequent ones
# Of learn_next: what one event of the past weighs half of the one after it, and the future too.
PAST_HALF_LIFE, FUTURE_HALF_LIFE = 3.0, 7.0
RIDGE = 100.0
LINEAR_LIMIT = 10_000
CHUNK_EVENTS = 200_000
BLOCK_ITEMS = 512


def learn_order(people: np.ndarray, items: np.ndarray, *, n_items: int, k: int = 100) -> Neighbours:
    """What comes after each item: log(1 + n_items / DAMPING x sum of 1 / distance).

    people, items  (m,) row numbers, one row an event, sorted by person and then by time
    """
    follows = sp.csr_array((n_items, n_items), dtype=np.float32)
    for distance in range(1, min(WINDOW, max(len(items) - 1, 0)) + 1):
        same = people[:-distance] == people[distance:]
        pairs = items[:-distance][same], items[distance:][same]
        weights = np.full(len(pairs[0]), 1.0 / distance, dtype=np.float32)
        follows = follows + sp.csr_array((weights, pairs), shape=(n_items, n_items))
    follows.setdiag(0.0)
    follows.eliminate_zeros()
    follows.data = np.log1p(follows.data * np.float32(n_items / DAMPING))
    return strongest(follows, k)


def learn_next(
    people: np.ndarray,
    items: np.ndarray,
    *,
    n_items: int,
    k: int = 100,
    limit: int = LINEAR_LIMIT,
) -> Neighbours:
    """What each item says of the next few, beside the others of the past.

    people, items  (m,) as of learn_order
    Items of fewer than ENOUGH_LIKES events have no say, and none has where more than `limit` are
    left: with e of them it takes e^3 operations and 12 e^2 bytes.
    """
    counts = np.bincount(items, minlength=n_items)
    rows = np.flatnonzero(counts >= ENOUGH_LIKES)
    found = Neighbours(
        np.full((n_items, k), -1, dtype=np.int32), np.zeros((n_items, k), dtype=np.float32)
    )
    if not 1 < len(rows) <= limit:
        return found
    number = np.full(n_items, -1)
    number[rows] = np.arange(len(rows))
    known = number[items] >= 0
    people, items = people[known], number[items[known]]
    e = len(rows)
    gram = np.zeros((e, e), dtype=np.float32, order="F")
    leads = np.zeros((e, e), dtype=np.float32)
    for start, end in _chunks(people):
        past = _neighbourhood(people[start:end], items[start:end], e, -1, PAST_HALF_LIFE)
        future = _neighbourhood(people[start:end], items[start:end], e, 1, FUTURE_HALF_LIFE)
        gram += (past.T @ past).toarray()
        leads += (past.T @ future).toarray()
    gram[np.diag_indices_from(gram)] += RIDGE
    factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    weights = scipy.linalg.cho_solve(factor, leads, overwrite_b=True, check_finite=False)
    weights[np.diag_indices_from(weights)] = 0.0
    width = min(k, e - 1)
    for start in range(0, e, BLOCK_ITEMS):
        block = np.arange(start, min(start + BLOCK_ITEMS, e))
        columns = np.argpartition(-weights[block], width - 1, axis=1)[:, :width]
        columns.sort(axis=1)
        kept = np.take_along_axis(weights[block], columns, axis=1)
        order = np.argsort(-kept, axis=1, kind="stable")
        columns = np.take_along_axis(columns, order, axis=1)
        kept = np.maximum(np.take_along_axis(kept, order, axis=1), 0.0)
        found.ids[rows[block], :width] = np.where(kept > 0, rows[columns], -1)
        found.weights[rows[block], :width] = kept
    return found


def strongest(weights: sp.csr_array, k: int) -> Neighbours:
    """The k largest entries of each row, above 0, the largest first, of two equals the lower."""
    n = weights.shape[0]
    found = Neighbours(np.full((n, k), -1, dtype=np.int32), np.zeros((n, k), dtype=np.float32))
    row, column = weights.tocoo().coords
    order = np.lexsort((column, -weights.data, row))
    row, column, values = row[order], column[order], weights.data[order]
    place = np.arange(len(row)) - np.searchsorted(row, np.arange(n))[row]
    best = (place < k) & (values > 0)
    found.ids[row[best], place[best]] = column[best]
    found.weights[row[best], place[best]] = values[best]
    return found


def _chunks(people: np.ndarray) -> list[tuple[int, int]]:
    """Bounds of about CHUNK_EVENTS events, none of which parts a person."""
    starts = np.flatnonzero(np.r_[True, people[1:] != people[:-1]])
    places = np.searchsorted(starts, np.arange(0, len(people), CHUNK_EVENTS))
    chosen = starts[np.unique(places[places < len(starts)])]  # beyond: the last person is long
    return list(zip(chosen, [*chosen[1:], len(people)], strict=True))


def _neighbourhood(
    people: np.ndarray, items: np.ndarray, n_items: int, direction: int, half_life: float
) -> sp.csr_array:
    """(events, n_items): before each event the fading past, or from it on the fading future."""
    at = np.arange(len(items))
    rows, columns, values = [], [], []
    for step in range(WINDOW):
        other = at - 1 - step if direction < 0 else at + step
        inside = (other >= 0) & (other < len(items))
        here, there = at[inside], other[inside]
        same = people[here] == people[there]
        rows.append(here[same])
        columns.append(items[there[same]])
        values.append(np.full(same.sum(), 0.5 ** (step / half_life), dtype=np.float32))
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sp.csr_array(entries, shape=(len(items), n_items))
