"""What a recommender has to beat to be worth its while: popularity, and the text of items alone."""

import hashlib
import os

import numpy as np

from bench.quality.peers.common import Lists, Task, Variant, main, rank_by
from recommender.embeddings import centring, encoder, text
from recsite.local import models
from recsite.local.memory import data_folder

BATCH_TEXTS = 256


def popularity(task: Task, k: int) -> Lists:
    """Who had it, counted."""
    counts = np.asarray(task.history.sum(axis=0)).ravel()
    return rank_by(lambda had: counts, task, k)


def mean(task: Task, k: int) -> Lists:
    """Cosine to the mean of the texts that somebody had."""
    vectors = text_vectors(task.catalogue)
    return rank_by(lambda had: had @ vectors @ vectors.T, task, k)


def ridge(task: Task, k: int, penalty: float) -> Lists:
    """A ridge regression for each person from texts to had or not, over all items with events."""
    vectors = text_vectors(task.catalogue).astype(np.float64)
    touched = vectors[np.unique(task.history.indices)]
    gram = touched.T @ touched + penalty * np.eye(vectors.shape[1])
    taste = np.linalg.solve(gram, vectors.T)  # of all people at once
    return rank_by(lambda had: had @ vectors @ taste, task, k)


def text_vectors(catalogue: list[dict[str, str]]) -> np.ndarray:
    """(items, 384) unit rows of the default model, less their mean; made once for a catalogue."""
    texts = [
        text.item_text(i["title"], categories=i["genres"].split("|"), description=i["text"])
        for i in catalogue
    ]
    digest = hashlib.sha256("\0".join([models.DEFAULT_MODEL, *texts]).encode()).hexdigest()
    kept = data_folder() / "quality" / f"vectors-{digest[:16]}.npy"
    if not kept.exists():
        folder = data_folder() / "models"
        models.install(models.DEFAULT_MODEL, folder, say=lambda line: print(f"      {line}"))
        os.environ.setdefault("TORCH_THREADS", os.environ.get("OMP_NUM_THREADS", "1"))
        model = encoder.load(models.DEFAULT_MODEL, models_folder=folder)
        parts = []
        for begin in range(0, len(texts), BATCH_TEXTS):
            print(f"      encoding text {begin} of {len(texts)}", flush=True)
            parts.append(model.encode(texts[begin : begin + BATCH_TEXTS], role="item"))
        np.save(kept, np.concatenate(parts))
    raw = np.load(kept)
    return centring.centre(raw, centring.mean(raw))


main(
    {
        "popularity": Variant(popularity, {}),
        "text": Variant(mean, {}, ranks_untouched_items=True),
        "ridge": Variant(ridge, {"penalty": [1, 10, 100, 1_000]}, ranks_untouched_items=True),
    }
)
