"""The library implicit: matrix factorization (Hu, Koren & Volinsky 2008) and BM25 item-kNN."""

import numpy as np
from implicit.als import AlternatingLeastSquares
from implicit.nearest_neighbours import BM25Recommender
from threadpoolctl import threadpool_limits

from bench.quality.peers.common import Variant, main

THREADS = 2


def als(task, k, **settings):
    model = AlternatingLeastSquares(
        iterations=15, random_state=0, num_threads=THREADS, use_gpu=False, **settings
    )
    return fitted(model, task, k)


def bm25(task, k, **settings):
    return fitted(BM25Recommender(num_threads=THREADS, **settings), task, k)


def fitted(model, task, k):
    with threadpool_limits(1, "blas"):  # it has threads of its own
        model.fit(task.history, show_progress=False)
        items, scores = model.recommend(task.people, task.history[task.people], N=k)
    # Both fill a list that is too short, with numbers of items that are none.
    return np.where(scores > np.finfo(np.float32).min, items, -1), scores


main(
    {
        "als": Variant(als, {"factors": [16, 32, 64], "alpha": [1, 4], "regularization": [0.1, 5]}),
        "bm25": Variant(bm25, {"K": [50, 200, 500], "K1": [1.2, 100], "B": [0.2, 0.8]}),
    }
)
