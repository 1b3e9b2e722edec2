"""A setting names an encoder, or the error says what to do."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from recommender.embeddings import encoder as encoders
from recommender.embeddings.encoder import (
    EncoderError,
    digest_of,
    find_folder,
    load,
    model_files,
    unit_rows,
)
from tests.tiny_models import tiny_bert, write

ROOT = Path(__file__).resolve().parents[2]


def test_importing_the_encoders_loads_no_torch():
    code = (
        "import sys, importlib;"
        "[importlib.import_module(f'recommender.embeddings.{name}') for name in"
        " 'encoder hashing transformers http server fingerprint centring text'.split()];"
        "sys.exit(any(name in sys.modules for name in ('torch', 'transformers', 'django')))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


def test_encoding_over_http_loads_no_torch():
    code = (
        "import sys; from pathlib import Path;"
        "from recommender.embeddings.encoder import load;"
        "load('e5', models_folder=Path('.'), backend='http', dimension=2, url='http://127.0.0.1:1');"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


# --- load ---------------------------------------------------------------------------------------


def test_a_name_is_looked_up_in_the_models_folder(tmp_path):
    tiny_bert(tmp_path / "tiny")
    encoder = load("tiny", models_folder=tmp_path, dimension=32)
    assert (encoder.name, encoder.dimension) == ("transformers:tiny", 32)


def test_an_installed_hub_model_is_looked_up_by_its_hub_id(tmp_path):
    tiny_bert(tmp_path / "owner--tiny")
    assert load("owner/tiny", models_folder=tmp_path).name == "transformers:owner/tiny"


def test_a_folder_may_lie_anywhere(tmp_path, monkeypatch):
    folder = tiny_bert(tmp_path / "elsewhere" / "tiny")
    nowhere = tmp_path / "models"
    assert find_folder(str(folder), nowhere) == folder
    monkeypatch.chdir(tmp_path)
    assert find_folder("./elsewhere/tiny", nowhere).resolve() == folder
    assert find_folder("elsewhere/tiny", nowhere).resolve() == folder


def test_a_missing_model_says_how_to_install_it(tmp_path):
    with pytest.raises(EncoderError, match=r"run python manage\.py install_model tiny"):
        load("tiny", models_folder=tmp_path)


@pytest.mark.parametrize(
    ("model", "message"),
    [("/nowhere/tiny", "correct EMBEDDING_MODEL"), ("", "set EMBEDDING_MODEL")],
)
def test_a_model_that_cannot_be_says_so(model, message, tmp_path):
    with pytest.raises(EncoderError, match=message):
        load(model, models_folder=tmp_path)


def test_another_dimension_than_that_of_the_space_is_refused(tmp_path):
    tiny_bert(tmp_path / "tiny")
    with pytest.raises(EncoderError, match="dimension 32, but the space has 384"):
        load("tiny", models_folder=tmp_path, dimension=384)


def test_another_digest_than_that_of_the_space_is_refused(tmp_path):
    tiny_bert(tmp_path / "tiny")
    with pytest.raises(EncoderError, match="not what the space was made with"):
        load("tiny", models_folder=tmp_path, digest="0" * 64)
    right = load("tiny", models_folder=tmp_path).digest
    assert load("tiny", models_folder=tmp_path, digest=right).digest == right


def test_the_hashing_encoder_takes_the_dimension_of_the_space(tmp_path):
    assert load("any", models_folder=tmp_path, backend="hashing").dimension == 64
    assert load("any", models_folder=tmp_path, backend="hashing", dimension=16).dimension == 16


def test_an_unknown_backend_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="use one of transformers, http, hashing"):
        load("tiny", models_folder=tmp_path, backend="onnx")


def test_http_without_a_url_is_refused(tmp_path):
    with pytest.raises(EncoderError, match="set ENCODER_URL"):
        load("tiny", models_folder=tmp_path, backend="http")


def test_without_a_hub_a_hub_id_says_what_to_do(tmp_path):
    code = (
        "from pathlib import Path; from recommender.embeddings.encoder import *\n"
        "try: find_folder('owner/model@1f2e', Path('/nowhere'))\n"
        "except EncoderError as error: print(error)"
    )
    env = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert "cannot fetch owner/model@1f2e from http://127.0.0.1:1" in done.stdout, done.stderr
    assert "install_model multilingual-e5-small" in done.stdout


def test_a_hub_id_is_fetched_at_its_revision_and_without_pickles(tmp_path, monkeypatch):
    import huggingface_hub

    calls = []

    def snapshot_download(**options):
        calls.append(options)
        if options.get("local_files_only"):
            raise FileNotFoundError
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert find_folder("owner/model@1f2e", tmp_path / "models") == tmp_path
    assert [call.get("local_files_only", False) for call in calls] == [True, False]
    assert (calls[1]["repo_id"], calls[1]["revision"]) == ("owner/model", "1f2e")
    assert calls[1]["allow_patterns"] == ["*.json", "*.safetensors", "*.model", "*.txt"]


# --- the digest of a folder ---------------------------------------------------------------------


def test_the_digest_covers_names_and_contents_of_model_files(tmp_path):
    def digest(**files):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        for name, value in files.items():
            write(folder / f"{name}.json", value)
        return digest_of(folder)

    base = digest(config={"a": 1}, tokenizer={})
    assert digest(config={"a": 1}, tokenizer={}) == base
    assert digest(config={"a": 2}, tokenizer={}) != base
    assert digest(config={"a": 1}, other={}) != base
    assert digest(config={}, tokenizer={"a": 1}) != base


def test_documents_other_formats_and_our_own_notes_do_not_count(tmp_path):
    write(tmp_path / "config.json", {})
    before = digest_of(tmp_path)
    for name in ("README.md", "MANIFEST.json", "onnx/config.json", ".cache/a.json", "model.bin"):
        write(tmp_path / name, {"new": True})
    assert digest_of(tmp_path) == before
    assert [path.name for path in model_files(tmp_path)] == ["config.json"]


def test_a_file_is_read_once_until_it_changes(tmp_path, monkeypatch):
    write(tmp_path / "config.json", {"a": 1})
    reads = []
    file_digest = encoders.hashlib.file_digest
    monkeypatch.setattr(
        encoders.hashlib,
        "file_digest",
        lambda file, name: reads.append(file.name) or file_digest(file, name),
    )
    first = digest_of(tmp_path)
    assert digest_of(tmp_path) == first
    assert len(reads) == 1
    write(tmp_path / "config.json", {"a": 22})
    assert digest_of(tmp_path) != first
    assert len(reads) == 2


# --- unit rows ----------------------------------------------------------------------------------


def test_rows_are_made_unit():
    rows = unit_rows(np.array([[3.0, 4.0]]), name="e5", dimension=2)
    assert (rows.tolist(), rows.dtype) == ([[np.float32(0.6), np.float32(0.8)]], np.float32)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
def test_a_row_without_a_direction_is_an_error_that_names_its_text(bad):
    with pytest.raises(EncoderError, match="text 1 of 2"):
        unit_rows(np.array([[1.0, 0.0], [bad, 0.0]]), name="e5", dimension=2)
