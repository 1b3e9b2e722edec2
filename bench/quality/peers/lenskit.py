"""The library LensKit: item-kNN for events without ratings (Deshpande & Karypis 2004)."""

import numpy as np
import pandas as pd
from lenskit.batch import recommend
from lenskit.data import from_interactions_df
from lenskit.knn import ItemKNNScorer
from lenskit.pipeline import topn_pipeline

from bench.quality.peers.common import Variant, main


def knn(task, k, **settings):
    users, items = task.history.nonzero()
    data = from_interactions_df(pd.DataFrame({"user_id": users, "item_id": items}))
    pipeline = topn_pipeline(ItemKNNScorer(feedback="implicit", **settings))
    pipeline.train(data)
    lists, scores = np.full((len(task.people), k), -1), np.zeros((len(task.people), k))
    row_of = {person: row for row, person in enumerate(task.people.tolist())}
    for key, found in recommend(pipeline, task.people.tolist(), k, n_jobs=1):
        row = row_of[int(key.user_id)]
        lists[row, : len(found)], scores[row, : len(found)] = found.ids(), found.scores()
    return lists, scores


main({"knn": Variant(knn, {"max_nbrs": [20, 100, 500], "save_nbrs": [200, None]})})
