"""The models that are installed understand what they are meant for.

The sentences are few: these tests find a broken conversion or prompt, and measure nothing.
"""

import numpy as np
import pytest
from django.conf import settings

from recommender.embeddings.centring import centre, mean
from recommender.embeddings.encoder import load
from recommender.embeddings.text import GENERIC_TEXTS

PAIRS = [  # item, the same in Chinese, query, query in Chinese
    ("A guide to your first marathon", "首次马拉松训练指南", "long distance running", "长跑训练"),
    ("An astronaut is stranded on Mars", "一名宇航员被困在火星", "science fiction", "科幻"),
    ("How to bake sourdough bread", "如何烤制酸种面包", "baking at home", "在家烘焙"),
    ("Central banks and inflation", "央行利率与通货膨胀", "monetary policy", "货币政策"),
    ("Penguins raise their chicks", "企鹅抚育幼崽的纪录片", "wildlife film", "野生动物影片"),
    ("A detective in Victorian London", "维多利亚时代的伦敦侦探", "crime novel", "推理小说"),
    ("Growing vegetables on a balcony", "在阳台上种蔬菜", "urban gardening", "城市园艺"),
    ("A lightweight mechanical keyboard", "轻量机械键盘", "typing equipment", "打字外设"),
]
EN, ZH, EN_QUERIES, ZH_QUERIES = (list(column) for column in zip(*PAIRS, strict=True))

pytestmark = pytest.mark.models


def encoder_of(name):
    if not (settings.MODELS_FOLDER / name).is_dir():
        pytest.skip(
            f"{name} is not in {settings.MODELS_FOLDER}: python manage.py install_model {name}"
        )
    return load(name, models_folder=settings.MODELS_FOLDER)


@pytest.fixture(scope="module")
def e5():
    return encoder_of("multilingual-e5-small")


@pytest.fixture(scope="module")
def minilm():
    return encoder_of("all-MiniLM-L6-v2")


def first_places(encoder, queries, items):
    """The share of queries whose own item comes first, centred by the generic texts."""
    rows = {
        role: centre(
            encoder.encode(texts, role=role), mean(encoder.encode(GENERIC_TEXTS, role=role))
        )
        for role, texts in (("query", queries), ("item", items))
    }
    return float(np.mean((rows["query"] @ rows["item"].T).argmax(axis=1) == np.arange(len(items))))


def test_e5_is_read_as_its_card_says(e5):
    assert e5.dimension == 384
    assert e5.settings["pooling"] == ["mean"]
    assert e5.settings["prompts"] == {"query": "query: ", "item": "passage: "}
    assert e5.settings["max_length"] == 512


@pytest.mark.parametrize("queries", [EN_QUERIES, ZH_QUERIES], ids=["english", "chinese"])
@pytest.mark.parametrize("items", [EN, ZH], ids=["english", "chinese"])
def test_e5_finds_in_both_languages(e5, queries, items):
    assert first_places(e5, queries, items) >= 7 / 8


def test_e5_lies_in_a_cone_which_centring_opens(e5):
    raw = e5.encode(EN, role="item")
    centred = centre(raw, mean(e5.encode(GENERIC_TEXTS, role="item")))
    others = ~np.eye(len(EN), dtype=bool)
    assert (raw @ raw.T)[others].mean() > 0.7
    assert (centred @ centred.T)[others].mean() < 0.3


def test_a_batch_of_mixed_lengths_gives_the_vectors_of_its_texts_alone(e5):
    texts = [*EN, *(text * 20 for text in ZH)]
    together = e5.encode(texts, role="item")
    alone = np.concatenate([e5.encode([text], role="item") for text in texts])
    assert np.abs(together - alone).max() < 1e-6


def test_minilm_finds_in_english(minilm):
    assert minilm.settings["max_length"] == 256
    assert first_places(minilm, EN_QUERIES, EN) >= 7 / 8
