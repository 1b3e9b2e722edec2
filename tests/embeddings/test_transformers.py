"""A model folder gives its reference vectors, or a clear error, and never runs what is in it."""

import json
import math
import pickle
import shutil

import numpy as np
import pytest

from recommender.embeddings.encoder import EncoderError
from recommender.embeddings.transformers import TransformersEncoder, batches, pool
from tests.tiny_models import tiny_bert, tiny_qwen, write

TEXTS = [
    "the blue kettle",
    "running shoes for a long race in the rain by the sea",
    "推荐系统",
    "",
    "x",
    "A Quiet Film",
]
PROMPTS = {"query": "query: ", "document": "passage: "}
KINDS = {
    "cls": (tiny_bert, {"pooling": "cls"}),
    "max": (tiny_bert, {"pooling": "max"}),
    "mean": (tiny_bert, {"pooling": "mean"}),
    "mean by square root": (tiny_bert, {"pooling": "mean_sqrt_len_tokens"}),
    "weighted mean": (tiny_bert, {"pooling": "weightedmean"}),
    "last token": (tiny_bert, {"pooling": "lasttoken"}),
    "two joined": (tiny_bert, {"pooling": ["cls", "mean"]}),
    "dense": (tiny_bert, {"dense": [(32, 64, "Tanh"), (64, 16, "Identity")]}),
    "prompt left out": (tiny_bert, {"prompts": PROMPTS, "include_prompt": False}),
    "padded on the left": (tiny_qwen, {"padding_side": "left", "prompts": PROMPTS}),
    "padded on the right": (tiny_qwen, {"padding_side": "right"}),
    "left, prompt left out": (tiny_qwen, {"prompts": PROMPTS, "include_prompt": False}),
}


def vectors(folder, texts=TEXTS, role="item", **options):
    return TransformersEncoder(folder, **options).encode(texts, role=role)


def differ(left, right):
    return float(np.abs(left - right).max()) > 1e-3


# --- reference vectors --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_gives_the_vectors_of_its_texts_alone(kind, tmp_path):
    make, options = KINDS[kind]
    encoder = TransformersEncoder(make(tmp_path, **options))
    together = encoder.encode(TEXTS, role="query")
    alone = np.concatenate([encoder.encode([text], role="query") for text in TEXTS])
    assert np.abs(together - alone).max() < 1e-6
    assert together.dtype == np.float32
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert together.shape == (6, encoder.dimension)


@pytest.mark.parametrize("padding", ["left", "right"])
@pytest.mark.parametrize(
    ("mode", "skip", "expected"),
    [
        ("cls", 0, 1),
        ("lasttoken", 0, 6),
        ("max", 0, 6),
        ("mean", 0, 3),
        ("mean_sqrt_len_tokens", 0, 9 / math.sqrt(3)),
        ("weightedmean", 0, (1 * 1 + 2 * 2 + 3 * 6) / 6),
        ("mean", 1, 4),
        ("cls", 1, 2),
        ("weightedmean", 1, (2 * 2 + 3 * 6) / 5),  # the places count from the first token
        ("mean", 3, 3),  # nothing would be left: the whole text is taken
    ],
)
def test_pooling_reads_tokens_and_never_padding(padding, mode, skip, expected):
    import torch

    tokens, pads = [1.0, 2.0, 6.0], [100.0, 100.0]
    row = pads + tokens if padding == "left" else tokens + pads
    hidden = torch.tensor(row).reshape(1, 5, 1)
    mask = (hidden[:, :, 0] < 100).long()
    assert pool(hidden, mask, mode, skip=skip).item() == pytest.approx(expected)


def test_the_side_of_the_padding_changes_no_vector(tmp_path):
    left = tiny_qwen(tmp_path / "left", padding_side="left")
    right = tiny_qwen(tmp_path / "right", padding_side="right")
    assert np.abs(vectors(left) - vectors(right)).max() < 1e-5


def test_old_and_new_names_of_modules_mean_the_same(tmp_path):
    old = tiny_bert(tmp_path / "old", pooling=["cls", "mean"], old_names=True)
    new = tiny_bert(tmp_path / "new", pooling=["cls", "mean"], old_names=False)
    assert np.array_equal(vectors(old), vectors(new))


def test_a_folder_without_sidecars_is_pooled_by_mean(tmp_path):
    plain = tiny_bert(tmp_path / "plain", pooling="mean")
    expected = vectors(plain)
    for path in (plain / "modules.json", plain / "config_sentence_transformers.json"):
        path.unlink()
    shutil.rmtree(plain / "1_Pooling")
    assert np.allclose(vectors(plain), expected, atol=1e-6)


def test_the_transformer_may_lie_in_a_folder_of_its_own(tmp_path):
    expected = vectors(tiny_bert(tmp_path))
    inner = tmp_path / "0_Transformer"
    inner.mkdir()
    for path in list(tmp_path.iterdir()):
        if path.is_file() and path.name not in (
            "modules.json",
            "config_sentence_transformers.json",
        ):
            path.rename(inner / path.name)
    modules = json.loads((tmp_path / "modules.json").read_text())
    modules[0]["path"] = "0_Transformer"
    write(tmp_path / "modules.json", modules)
    assert np.array_equal(vectors(tmp_path), expected)


# --- prompts, case, length ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["document", "passage", "corpus"])
def test_each_role_has_its_prompt(name, tmp_path):
    bare = TransformersEncoder(tiny_bert(tmp_path / "bare"))
    told = TransformersEncoder(
        tiny_bert(tmp_path / "told", prompts={"query": "sea: ", name: "film: "})
    )
    for role, prompt in (("query", "sea: "), ("item", "film: ")):
        said = bare.encode([prompt + "kettle"], role=role)
        assert np.array_equal(told.encode(["kettle"], role=role), said)


def test_a_model_trained_so_leaves_its_prompt_out_of_the_pooling(tmp_path):
    with_it = tiny_bert(tmp_path / "with", prompts=PROMPTS)
    without = tiny_bert(tmp_path / "without", prompts=PROMPTS, include_prompt=False)
    bare = tiny_bert(tmp_path / "bare")
    assert differ(vectors(with_it), vectors(without))
    assert differ(vectors(bare), vectors(without))  # the text has still read it


def test_prompts_of_the_caller_win_over_those_of_the_folder(tmp_path):
    folder = tiny_bert(tmp_path / "a", prompts=PROMPTS)
    other = tiny_bert(tmp_path / "b", prompts={"document": "film: "})
    assert np.array_equal(vectors(folder, prompts={"item": "film: "}), vectors(other))


@pytest.mark.parametrize(
    ("name", "query", "item"),
    [
        ("intfloat/multilingual-e5-small", "query: ", "passage: "),
        ("BAAI/bge-base-zh-v1.5@abc", "为这个句子生成表示以用于检索相关文章：", ""),
        ("somebody/e5-small-enhanced", "", ""),
    ],
)
def test_a_folder_without_prompts_gets_those_of_its_models_card(name, query, item, tmp_path):
    encoder = TransformersEncoder(tiny_bert(tmp_path), name=name)
    assert encoder.settings["prompts"] == {"query": query, "item": item}


def test_capitals_count_unless_the_folder_says_otherwise(tmp_path):
    minded = vectors(tiny_bert(tmp_path / "minded"), ["THE Kettle", "the kettle"])
    lowered = vectors(tiny_bert(tmp_path / "lowered", lower=True), ["THE Kettle", "the kettle"])
    assert differ(minded[0], minded[1])
    assert np.array_equal(lowered[0], lowered[1])


def test_what_is_too_long_is_cut_at_the_length_of_the_folder(tmp_path):
    encoder = TransformersEncoder(tiny_bert(tmp_path, max_length=6))  # with [CLS] and [SEP]
    long = encoder.encode(["the sea the rain the family", "the sea the rain"], role="item")
    assert encoder.settings["max_length"] == 6
    assert np.allclose(long[0], long[1], atol=1e-6)


def test_a_cut_text_keeps_the_mark_at_its_end(tmp_path):
    encoder = TransformersEncoder(tiny_qwen(tmp_path, max_length=5))
    ids = encoder._tokenize(["the sea the rain the family by the sea"])["input_ids"][0]
    assert len(ids) == 5
    assert ids[-1] == 0


def test_a_model_that_counts_from_behind_the_padding_has_fewer_positions(tmp_path):
    from transformers import RobertaConfig, RobertaModel

    tiny_bert(tmp_path, max_length=10_000)
    config = RobertaConfig(
        vocab_size=300,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=66,
        pad_token_id=0,
    )
    RobertaModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    encoder = TransformersEncoder(tmp_path)
    assert encoder.settings["max_length"] == 65
    assert encoder.encode(["sea " * 200], role="item").shape == (1, 32)


def test_dimensions_are_cut_before_rows_are_made_unit(tmp_path):
    folder = tiny_bert(tmp_path)
    whole, cut = vectors(folder), vectors(folder, truncate_dim=8)
    expected = whole[:, :8] / np.linalg.norm(whole[:, :8], axis=1, keepdims=True)
    assert np.allclose(cut, expected, atol=1e-6)


def test_a_model_whose_card_says_so_is_normalised_over_all_dimensions_before_it_is_cut(tmp_path):
    folder = tiny_bert(tmp_path, normalize=False)
    name = "nomic-ai/nomic-embed-text-v1.5"
    whole, cut = vectors(folder, name=name), vectors(folder, name=name, truncate_dim=8)
    moved = whole - whole.mean(axis=1, keepdims=True)
    expected = moved[:, :8] / np.linalg.norm(moved[:, :8], axis=1, keepdims=True)
    assert np.allclose(cut, expected, atol=1e-6)
    plain = TransformersEncoder(folder, truncate_dim=8, prompts={})
    normed = TransformersEncoder(folder, name=name, truncate_dim=8, prompts={})
    assert differ(cut, plain.encode(TEXTS, role="item"))
    assert normed.digest != plain.digest


def test_a_model_cannot_be_cut_to_more_than_it_has(tmp_path):
    with pytest.raises(EncoderError, match="32 dimensions, it cannot be cut to 33"):
        TransformersEncoder(tiny_bert(tmp_path), truncate_dim=33)


# --- odd texts ----------------------------------------------------------------------------------


def test_no_texts_give_no_rows(tmp_path):
    assert vectors(tiny_bert(tmp_path), []).shape == (0, 32)


@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "🎉" * 50, "e\u0301" * 3, "x" * 20_000])
@pytest.mark.parametrize("make", [tiny_bert, tiny_qwen])
def test_odd_texts_have_a_vector(make, text, tmp_path):
    assert vectors(make(tmp_path), [text]).shape == (1, 32)


def test_an_empty_text_has_one_even_without_marks_around_it(tmp_path):
    rows = vectors(tiny_qwen(tmp_path, end_mark=False), ["", "the sea"])
    assert np.isfinite(rows).all()


def test_texts_of_like_length_are_encoded_together_longest_first():
    assert list(batches([1, 9, 5, 8], max_tokens=18)) == [[1, 3], [2, 0]]


def test_a_batch_is_bounded_in_texts_too():
    sizes = [len(batch) for batch in batches([1] * 130, max_tokens=2048)]
    assert sizes == [64, 64, 2]


def test_one_text_longer_than_a_batch_is_encoded_alone():
    assert list(batches([5000, 10], max_tokens=2048)) == [[0], [1]]


# --- what identifies vectors --------------------------------------------------------------------


def test_the_digest_follows_what_changes_vectors(tmp_path):
    def digest(name, **options):
        return TransformersEncoder(tiny_bert(tmp_path / name, **options)).digest

    base = digest("base")
    others = [
        digest("pooling", pooling="cls"),
        digest("prompts", prompts=PROMPTS),
        digest("excluded", prompts=PROMPTS, include_prompt=False),
        digest("length", max_length=32),
        digest("lower", lower=True),
        TransformersEncoder(tmp_path / "base", truncate_dim=8).digest,
        TransformersEncoder(tmp_path / "base", prompts={"query": "q: "}).digest,
    ]
    assert len({base, *others}) == 8


def test_the_digest_minds_neither_the_name_nor_the_place(tmp_path):
    folder = tiny_bert(tmp_path / "here")
    digest = TransformersEncoder(folder).digest
    assert TransformersEncoder(folder, name="owner/tiny").digest == digest
    folder.rename(tmp_path / "there")
    assert TransformersEncoder(tmp_path / "there").digest == digest


def test_other_weights_have_another_digest(tmp_path):
    from safetensors.torch import load_file, save_file

    folder = tiny_bert(tmp_path)
    digest = TransformersEncoder(folder).digest
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][5, 5] += 1e-3
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert TransformersEncoder(folder).digest != digest


def test_settings_say_in_words_what_was_read(tmp_path):
    folder = tiny_bert(tmp_path / "tiny", pooling=["cls", "mean"], prompts=PROMPTS)
    write(folder / "MANIFEST.json", {"revision": "1f2e3d"})
    encoder = TransformersEncoder(folder, truncate_dim=8)
    assert encoder.name == "transformers:tiny"
    assert json.loads(json.dumps(encoder.settings)) == {
        "model": "tiny",
        "revision": "1f2e3d",
        "pooling": ["cls", "mean"],
        "include_prompt": True,
        "prompts": {"query": "query: ", "item": "passage: "},
        "lower_case": False,
        "max_length": 64,
        "truncate_dim": 8,
        "normalize": True,
        "dtype": "float32",
    }


def test_a_snapshot_of_the_hub_knows_its_revision(tmp_path):
    folder = tiny_bert(tmp_path / "snapshots" / "0a1b2c")
    assert TransformersEncoder(folder).settings["revision"] == "0a1b2c"


# --- refused ------------------------------------------------------------------------------------


def add_module(folder, kind):
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 9, "name": "9", "path": "9_More", "type": kind})
    write(folder / "modules.json", modules)


@pytest.mark.parametrize("kind", ["sentence_transformers.models.CNN", "evil.module.Evil"])
def test_a_module_that_is_not_known_is_refused(kind, tmp_path):
    add_module(tiny_bert(tmp_path), kind)
    with pytest.raises(EncoderError, match=f"{kind} is not supported"):
        TransformersEncoder(tmp_path)


def test_a_pooling_that_is_not_known_is_refused(tmp_path):
    folder = tiny_bert(tmp_path, pooling="attention", old_names=False)
    with pytest.raises(EncoderError, match=r"pooling \['attention'\] is not supported"):
        TransformersEncoder(folder)


def test_an_activation_that_is_not_known_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="activation Swish9 is not supported"):
        TransformersEncoder(tiny_bert(tmp_path, dense=[(32, 32, "Swish9")]))


class Canary:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_pickled_weights_are_never_opened(tmp_path):
    folder, canary = tiny_bert(tmp_path / "model"), tmp_path / "canary"
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(EncoderError, match="pickled weights can run code"):
        TransformersEncoder(folder)
    assert not canary.exists()


def test_pickled_weights_of_a_dense_layer_are_never_opened(tmp_path):
    folder = tiny_bert(tmp_path / "model", dense=[(32, 32, "Tanh")])
    canary = tmp_path / "canary"
    (folder / "2_Dense" / "model.safetensors").unlink()
    (folder / "2_Dense" / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(canary)))
    with pytest.raises(EncoderError, match=r"no model\.safetensors"):
        TransformersEncoder(folder)
    assert not canary.exists()


def test_pickled_weights_beside_safetensors_are_left_alone(tmp_path):
    folder, canary = tiny_bert(tmp_path / "model"), tmp_path / "canary"
    expected = vectors(folder)
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(canary)))
    assert np.array_equal(vectors(folder), expected)
    assert not canary.exists()


def test_code_in_the_folder_is_never_run(tmp_path):
    folder, canary = tiny_bert(tmp_path / "model"), tmp_path / "canary"
    (folder / "modeling_evil.py").write_text(f"open({str(canary)!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    auto_map = {"AutoConfig": "modeling_evil.Evil", "AutoModel": "modeling_evil.Evil"}
    write(folder / "config.json", {**config, "model_type": "evil", "auto_map": auto_map})
    with pytest.raises(EncoderError, match="cannot load the model"):
        TransformersEncoder(folder)
    assert not canary.exists()


def test_a_folder_without_a_model_says_what_to_do(tmp_path):
    with pytest.raises(EncoderError, match="install the model again"):
        TransformersEncoder(tmp_path)


def test_a_folder_without_weights_says_what_to_do(tmp_path):
    (tiny_bert(tmp_path) / "model.safetensors").unlink()
    with pytest.raises(EncoderError, match=r"no weights .* install the model again"):
        TransformersEncoder(tmp_path)


def test_a_cut_file_of_weights_is_refused(tmp_path):
    path = tiny_bert(tmp_path) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(EncoderError, match="cannot load the model"):
        TransformersEncoder(tmp_path)


def test_missing_weights_are_not_made_up(tmp_path):
    from safetensors.torch import load_file, save_file

    path = tiny_bert(tmp_path) / "model.safetensors"
    weights = load_file(path)
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(EncoderError, match=r"do not fit.*encoder\.layer\.1\.output\.dense\.weight"):
        TransformersEncoder(tmp_path)


def test_a_vector_that_is_not_a_number_is_an_error(tmp_path):
    from safetensors.torch import load_file, save_file

    path = tiny_bert(tmp_path) / "model.safetensors"
    weights = load_file(path)
    weights["embeddings.LayerNorm.bias"][0] = math.nan
    save_file(weights, path, metadata={"format": "pt"})
    encoder = TransformersEncoder(tmp_path)
    with pytest.raises(EncoderError, match="zero or not a number"):
        encoder.encode(["kettle"], role="item")


def test_files_that_are_not_those_installed_are_refused(tmp_path):
    folder = tiny_bert(tmp_path)
    write(folder / "MANIFEST.json", {"digest": "0" * 64})
    with pytest.raises(EncoderError, match="install_model .* --force"):
        TransformersEncoder(folder)


def test_a_sidecar_that_is_not_json_is_named(tmp_path):
    (tiny_bert(tmp_path) / "modules.json").write_text("[{")
    with pytest.raises(EncoderError, match=r"modules\.json is not JSON"):
        TransformersEncoder(tmp_path)


def test_an_encoder_decoder_model_is_refused(tmp_path):
    from transformers import T5Config, T5Model

    tiny_bert(tmp_path)
    T5Model(
        T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    ).save_pretrained(tmp_path)
    with pytest.raises(EncoderError, match="encoder-decoder"):
        TransformersEncoder(tmp_path)
