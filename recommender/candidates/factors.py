"""Factors: a few numbers an item and a person whose product says how well they go together.

Source: implicit ALS (Hu, Koren & Volinsky 2008, doi:10.1109/ICDM.2008.22) by the library
`implicit`, which only training imports. A person is folded in from their events at each request,
so that a new like counts at once; what is stored of people serves to find those of like taste.
"""

from dataclasses import dataclass

import numpy as np

FACTORS = 64
CONFIDENCE = 3.0  # that an item was taken up counts 1 + CONFIDENCE x weight, one not seen 1
REGULARISATION = 5.0
ROUNDS = 15


@dataclass(frozen=True)
class Factors:
    """What was learned of items: (n, f) float32, zeros where nothing is known; and their Gram."""

    items: np.ndarray
    gram: np.ndarray  # (f, f) float32


def learn_factors(
    people: np.ndarray,
    items: np.ndarray,
    weights: np.ndarray,
    *,
    n_people: int,
    n_items: int,
    factors: int = FACTORS,
    seed: int = 0,
) -> Factors:
    """Factors of items from what people took up.

    people, items, weights  (m,) row numbers, and how much each pair counts, above 0
    """
    import scipy.sparse as sp
    from implicit.als import AlternatingLeastSquares
    from threadpoolctl import threadpool_limits

    taken = sp.csr_matrix((1.0 + CONFIDENCE * weights, (people, items)), shape=(n_people, n_items))
    factors = min(factors, max(1, min(n_people, n_items) // 2))
    with threadpool_limits(1, "blas"):  # many small products, which threads would only delay
        model = AlternatingLeastSquares(
            factors=factors,
            regularization=REGULARISATION,
            alpha=1.0,
            iterations=ROUNDS,
            random_state=seed,
            use_gpu=False,
            num_threads=1,  # more are not faster here, and their sums would differ from run to run
        )
        model.fit(taken.astype(np.float32), show_progress=False)
    learned = np.zeros((n_items, factors), dtype=np.float32)
    learned[:, :] = model.item_factors
    learned[np.bincount(items, minlength=n_items) == 0] = 0.0
    return Factors(learned, learned.T @ learned)


def fold_in(factors: np.ndarray, weights: np.ndarray, gram: np.ndarray) -> np.ndarray:
    """(f,) float32: the factors of a person with this history, as a training would give them.

    factors  (h, f) of the items; a row of zeros has no say
    weights  (h,) how much each counts, 0 or above
    gram     (f, f) of all items
    """
    known = factors.any(axis=1) & (weights > 0)
    if not known.any():
        return np.zeros(gram.shape[0], dtype=np.float32)
    mine, weights = factors[known], weights[known]
    left = gram + CONFIDENCE * (mine * weights[:, None]).T @ mine
    left[np.diag_indices_from(left)] += REGULARISATION
    right = (1.0 + CONFIDENCE * weights) @ mine
    return np.linalg.solve(left, right).astype(np.float32)
