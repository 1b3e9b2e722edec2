"""Model folders of every kind give the vectors that sentence-transformers gives, to rounding.

The folders are tiny and random; what they ask for (pooling, layers, prompts, sides, lengths) is
what folders of the hub ask for.
"""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from recommender.embeddings.transformers import TransformersEncoder
from tests.tiny_models import tiny_bert, tiny_gemma, tiny_qwen

# Longer than the models read, and very short: of unlike length, so that they are padded.
TEXTS = [
    "the blue kettle",
    "running shoes for a long race in the rain by the sea " * 9,
    "推荐系统把人和物品放在同一个空间里。",
    "x",
    "A Quiet Film about a family",
]
PROMPTS = {"query": "a family: ", "document": "the film "}
pytestmark = pytest.mark.slow  # importing the reference takes as long as all of these
POOLINGS = ["mean", "cls", "max", "lasttoken", "weightedmean", "mean_sqrt_len_tokens"]
KINDS = {
    **{f"bert, {mode}": (tiny_bert, {"pooling": mode}) for mode in POOLINGS},
    **{f"qwen, {mode}": (tiny_qwen, {"pooling": mode}) for mode in POOLINGS},
    **{
        f"qwen padded right, {mode}": (tiny_qwen, {"pooling": mode, "padding_side": "right"})
        for mode in POOLINGS
    },
    "two joined": (tiny_bert, {"pooling": ["cls", "mean"]}),
    "all joined": (tiny_bert, {"pooling": [*POOLINGS]}),
    "new names": (tiny_bert, {"old_names": False, "dense": [(32, 16, "Tanh")]}),
    "new names, two joined": (tiny_bert, {"old_names": False, "pooling": ["cls", "max"]}),
    "two layers": (tiny_bert, {"dense": [(32, 64, "Identity"), (64, 16, "Tanh")]}),
    "layers of a joined pooling": (
        tiny_bert,
        {"pooling": ["cls", "mean"], "dense": [(64, 24, "GELU")]},
    ),
    "a layer without a bias": (tiny_bert, {"dense": [(32, 16, "Identity")], "bias": False}),
    "not made unit": (tiny_bert, {"normalize": False}),
    "prompts": (tiny_bert, {"prompts": PROMPTS}),
    "prompts left out of the pooling": (
        tiny_bert,
        {"prompts": PROMPTS, "include_prompt": False},
    ),
    "qwen, prompts left out": (
        tiny_qwen,
        {"prompts": PROMPTS, "include_prompt": False, "pooling": "mean"},
    ),
    "lower case": (tiny_bert, {"lower": True}),
    "short": (tiny_bert, {"max_length": 7}),
    "gemma, both ways, two layers": (
        tiny_gemma,
        {"prompts": PROMPTS, "dense": [(32, 64, "Identity"), (64, 32, "Identity")]},
    ),
}
REFERENCE = """
import json, sys
import numpy as np
from sentence_transformers import SentenceTransformer
wanted = json.load(sys.stdin)
for folder, cut in wanted["folders"]:
    model = SentenceTransformer(folder, device="cpu", truncate_dim=cut)
    for role in ("query", "document"):
        prompt = model.prompts.get(role) or None
        rows = model.encode(wanted["texts"], prompt=prompt, batch_size=3, show_progress_bar=False)
        np.save(f"{folder}/{role}-{cut}.npy", rows)
"""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A folder of each kind, with the vectors of the reference in it.

    Made by one other process: the import is slow, and so is a process with two of everything.
    """
    home = tmp_path_factory.mktemp("reference")
    made = {kind: make(home / kind, **how) for kind, (make, how) in KINDS.items()}
    asked = {
        "texts": TEXTS,
        "folders": [(str(folder), cut) for folder in made.values() for cut in (None, 8)],
    }
    subprocess.run(
        [sys.executable, "-c", REFERENCE],
        input=json.dumps(asked),
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        text=True,
        check=True,
    )
    return made


@pytest.mark.parametrize("cut", [None, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_vectors_are_those_of_the_reference(kind, cut, folders):
    encoder = TransformersEncoder(folders[kind], truncate_dim=cut)
    for role, theirs in (("query", "query"), ("item", "document")):
        expected = np.load(folders[kind] / f"{theirs}-{cut}.npy").astype(np.float64)
        expected /= np.linalg.norm(expected, axis=1, keepdims=True)
        rows = encoder.encode(TEXTS, role=role)
        assert rows.shape == expected.shape
        assert np.abs(rows - expected).max() < 2e-6


def test_a_wrong_pooling_would_be_seen(folders):
    """The models are no such that every way gives the same."""
    rows = {
        kind: TransformersEncoder(folders[kind]).encode(TEXTS, role="item")
        for kind in ("bert, mean", "bert, cls", "bert, weightedmean", "lower case", "short")
    }
    for kind in rows.keys() - {"bert, mean"}:
        assert np.abs(rows[kind] - rows["bert, mean"]).max() > 1e-3
