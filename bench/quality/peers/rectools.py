"""The library RecTools: EASE (Steck 2019, doi:10.1145/3308558.3313710) and item-kNN by cosine."""

import warnings

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import CosineRecommender
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel

from bench.quality.peers.common import Variant, main

THREADS = 2
warnings.filterwarnings("ignore", category=FutureWarning)


def ease(task, k, regularization):
    model = EASEModel(regularization, recommend_n_threads=THREADS)
    return fitted(model, task, k)


def knn(task, k, neighbours):
    model = ImplicitItemKNNWrapperModel(CosineRecommender(K=neighbours, num_threads=THREADS))
    return fitted(model, task, k)


def fitted(model, task, k):
    users, items = task.history.nonzero()
    events = pd.DataFrame({Columns.User: users, Columns.Item: items})
    events[Columns.Weight], events[Columns.Datetime] = 1.0, pd.Timestamp(0)
    data = Dataset.construct(events)
    found = model.fit(data).recommend(task.people, data, k, filter_viewed=True)
    lists, scores = np.full((len(task.people), k), -1), np.zeros((len(task.people), k))
    at = np.searchsorted(task.people, found[Columns.User]), found[Columns.Rank] - 1
    lists[at], scores[at] = found[Columns.Item], found[Columns.Score]
    return lists, scores


main(
    {
        "ease": Variant(ease, {"regularization": [50.0, 100.0, 200.0, 400.0, 800.0, 1600.0]}),
        "knn": Variant(knn, {"neighbours": [20, 50, 100, 200, 500]}),
    }
)
