"""What an encoder is, how one is named, and what identifies its vectors."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

Role = Literal["query", "item"]
BACKENDS = ("transformers", "http", "hashing")
HUB_ID = re.compile(r"[^\W_][\w.-]*/[^\W_][\w.-]*(@[\w.-]+)?")
# Files of a model folder on which its vectors depend; the rest is documents and other formats.
MODEL_FILES = (".json", ".safetensors", ".model", ".txt")
MANIFEST = "MANIFEST.json"  # ours: where the folder came from
# Its vector is kept with a space: a server that gives another does not hold the space's model.
PROBE = "A blue kettle boils water for two cups of tea. 一只蓝色的水壶在烧水。"


class EncoderError(Exception):
    """No vectors, and trying again will not help: the message says what to do."""


class EncoderUnavailable(EncoderError):
    """No vectors now: the encoder's server is slow or down, and may come back by itself."""


class Encoder(Protocol):
    """Texts → unit vectors.

    name       backend and model, such as "transformers:multilingual-e5-small"
    dimension  of its vectors
    digest     SHA-256 in hex over all that a vector depends on; vectors of two digests
               are never compared
    settings   the same in words, fit for JSON: model, revision, pooling, prompts, max_length, …
    """

    name: str
    dimension: int
    digest: str
    settings: dict

    def encode(self, texts: Sequence[str], *, role: Role) -> np.ndarray:
        """One unit row a text, (n, dimension) float32; no text gives (0, dimension).

        role    many models read a query and an item with different prompts
        Raises  EncoderError, and EncoderUnavailable if it may pass
        """
        ...


def load(
    model: str,
    *,
    models_folder: Path,
    backend: str = "transformers",
    dimension: int | None = None,
    truncate_dim: int | None = None,
    url: str | None = None,
    timeout_seconds: float = 0.2,
    prompts: Mapping[Role, str] | None = None,
    digest: str | None = None,
    probe: Sequence[float] | None = None,
) -> Encoder:
    """The encoder that the settings mean, ready to encode.

    model            a name under models_folder, a folder, or a hub id "owner/name[@revision]"
    dimension        what the caller's space expects: another one is refused. Backend hashing makes
                     it so; backend http asks the server if it is None
    truncate_dim     keep so many leading dimensions, for models trained for it (Matryoshka)
    url              of backend http, up to and with "/v1"; several are separated by commas
    timeout_seconds  of backend http, for a query
    prompts          put before a text by role, instead of those of the model folder
    digest           what the caller's space was made with: another one is refused
    probe            of backend http: the vector of PROBE that the caller's space was made with
    Raises           EncoderError, whose message says what to do
    """
    # Each backend loads its libraries; torch alone costs 3 s and 220 MB.
    if backend == "transformers":
        from recommender.embeddings.transformers import TransformersEncoder

        encoder = TransformersEncoder(
            find_folder(model, models_folder),
            name=model,
            truncate_dim=truncate_dim,
            prompts=prompts,
        )
    elif backend == "http":
        from recommender.embeddings.http import HttpEncoder

        if not url:
            raise EncoderError("backend http needs the url of a server: set ENCODER_URL")
        encoder = HttpEncoder(
            url,
            model,
            dimension=dimension,
            digest=digest,
            probe=probe,
            prompts=prompts,
            timeout_seconds=timeout_seconds,
        )
    elif backend == "hashing":
        from recommender.embeddings.hashing import HashingEncoder

        encoder = HashingEncoder(dimension or 64)
    else:
        raise EncoderError(f"no encoder backend {backend!r}: use one of {', '.join(BACKENDS)}")
    if dimension and encoder.dimension != dimension:
        raise EncoderError(
            f"{encoder.name} makes vectors of dimension {encoder.dimension}, but the space has "
            f"{dimension}: set EMBEDDING_MODEL to the model of the space, or make a new space"
        )
    if digest and encoder.digest != digest:
        raise EncoderError(
            f"{encoder.name} is not what the space was made with (digest {encoder.digest[:12]}, "
            f"the space has {digest[:12]}): install the model again, or make a new space"
        )
    return encoder


def find_folder(model: str, models_folder: Path) -> Path:
    """The folder of a model: a path, else a name under models_folder, else from the hub.

    Raises EncoderError if it is nowhere.
    """
    folder = Path(model).expanduser()
    if folder.is_absolute() or model.startswith("."):
        if folder.is_dir():
            return folder
        raise EncoderError(f"no model folder {model}: correct EMBEDDING_MODEL")
    if not model:
        raise EncoderError("no model is named: set EMBEDDING_MODEL")
    installed = models_folder / folder_name(model)
    if installed.is_dir() or folder.is_dir():
        return installed if installed.is_dir() else folder
    if HUB_ID.fullmatch(model):
        return hub_snapshot(model)
    raise EncoderError(
        f"no model {model} in {models_folder}: run python manage.py install_model {model}"
    )


def folder_name(model: str) -> str:
    """How a model is called under the models folder.

    >>> folder_name("BAAI/bge-m3@5617a9f"), folder_name("multilingual-e5-small")
    ('BAAI--bge-m3@5617a9f', 'multilingual-e5-small')
    """
    return model.replace("/", "--")


def served_name(model: str) -> str:
    """How a server calls a model: without where it lies and which revision it is.

    >>> served_name("transformers:/models/e5"), served_name("BAAI/bge-m3@5617a9f")
    ('e5', 'bge-m3')
    """
    return model.rstrip("/").rsplit("/", 1)[-1].rsplit(":", 1)[-1].split("@", 1)[0]


def hub_snapshot(model: str, folder: Path | None = None) -> Path:
    """The model files of "owner/name[@revision]", from the hub's cache on this machine or the hub.

    folder  where to put them, instead of the cache
    Raises  EncoderError if there is neither
    """
    from huggingface_hub import snapshot_download

    repository, _, revision = model.partition("@")
    wanted = {
        "repo_id": repository,
        "revision": revision or None,
        "allow_patterns": [f"*{ending}" for ending in MODEL_FILES],
        "ignore_patterns": ["onnx/*", "openvino/*"],
    }
    if folder is None:
        try:
            # The cache first: a running site keeps its revision, and starts without a network.
            return Path(snapshot_download(**wanted, local_files_only=True))
        except FileNotFoundError:
            pass  # not in the cache: fetched below
    try:
        return Path(snapshot_download(**wanted, local_dir=folder))
    except Exception as error:  # its own, httpx's and the system's have no common ancestor
        raise no_hub(model, error) from error


def hub_commit(model: str) -> str:
    """The commit that "owner/name[@revision]" means on the hub now.

    Raises EncoderError if the hub does not say
    """
    from huggingface_hub import HfApi

    repository, _, revision = model.partition("@")
    try:
        return HfApi().model_info(repository, revision=revision or None, timeout=10).sha
    except Exception as error:  # as above
        raise no_hub(model, error) from error


def no_hub(model: str, error: Exception) -> EncoderError:
    from huggingface_hub import constants

    return EncoderError(
        f"cannot fetch {model} from {constants.ENDPOINT} ({one_line(error)}): give EMBEDDING_MODEL "
        "the folder of a downloaded model, or use multilingual-e5-small "
        "(python manage.py install_model multilingual-e5-small)"
    )


def one_line(error: Exception) -> str:
    """
    >>> one_line(OSError("first\\n\\nsecond"))
    'first second'
    """
    return " ".join(str(error).split())[:300] or type(error).__name__


def digest_of(folder: Path) -> str:
    """SHA-256 in hex over the model's files: their names within the folder and their contents.

    A file is read once a process, until its size or time changes.
    """
    whole = hashlib.sha256()
    for path in model_files(folder):
        stat = path.stat()
        contents = _sha256(path, stat.st_size, stat.st_mtime_ns)
        whole.update(f"{path.relative_to(folder).as_posix()}\0{contents}\n".encode())
    return whole.hexdigest()


def model_files(folder: Path) -> list[Path]:
    """Files on which vectors depend, in a fixed order."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix in MODEL_FILES
        and path.name != MANIFEST
        and not {"onnx", "openvino"}.intersection(path.relative_to(folder).parts)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


@lru_cache(maxsize=256)
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unit_rows(rows: np.ndarray, *, name: str, dimension: int) -> np.ndarray:
    """Rows as a model or a server gave them → checked unit rows, (n, dimension) float32.

    Raises EncoderError for another dimension, and for a row that is zero or not finite.
    """
    rows = np.asarray(rows, dtype=np.float32)
    if rows.ndim != 2 or rows.shape[1] != dimension:
        raise EncoderError(
            f"{name} made vectors of the shape {rows.shape[1:]}, expected ({dimension},): "
            "the model is not the one that the space was made with"
        )
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    if not (np.isfinite(lengths).all() and (lengths > 0).all()):
        bad = int(np.flatnonzero(~(np.isfinite(lengths) & (lengths > 0)).ravel())[0])
        raise EncoderError(
            f"{name} made a vector that is zero or not a number (text {bad} of {len(rows)}): "
            "the model's files are damaged or it does not bear this precision"
        )
    return (rows / lengths).astype(np.float32)
