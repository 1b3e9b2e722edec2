"""A local language model as an encoder, read from its folder as sentence-transformers would.

The files beside the weights say how a model wants to be used: pooling, further layers, prompts,
lower case, length. They are followed to the letter or refused, never guessed at, so that vectors
equal the model's reference. Weights are safetensors only, and no code of a folder is ever run.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from recommender.embeddings.encoder import (
    MANIFEST,
    EncoderError,
    Role,
    digest_of,
    one_line,
    served_name,
    unit_rows,
)
from recommender.embeddings.text import well_formed

if TYPE_CHECKING:
    from torch import Tensor

BATCH_TEXTS = 64
# With padding. On a CPU more does not fit the cache: texts of 15 to 500 tokens took 11.4 s of
# e5-small with 2,048, 13.3 with 4,096 and 17.8 without a bound.
BATCH_TOKENS = {"cpu": 2_048, "cuda": 65_536}
PIPELINE = 1  # raise it when this file makes other vectors from the same folder
# Keys of older folders, in the order in which several poolings are joined.
POOLINGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
ACTIVATIONS = ("Identity", "Tanh", "ReLU", "GELU", "Sigmoid", "SiLU")
PROMPT_NAMES: dict[Role, tuple[str, ...]] = {
    "query": ("query",),
    "item": ("document", "passage", "corpus"),
}
# Prompts that belong to a model by its card, for folders that do not carry them.
PROMPTS_OF_CARDS: dict[str, dict[Role, str]] = {
    r"(multilingual-)?e5-(small|base|large)(-v2)?": {"query": "query: ", "item": "passage: "},
    r"bge-(small|base|large)-en(-v1\.5)?": {
        "query": "Represent this sentence for searching relevant passages: "
    },
    r"bge-(small|base|large)-zh(-v1\.5)?": {"query": "为这个句子生成表示以用于检索相关文章："},
    r"nomic-embed-text-v1(\.5)?": {"query": "search_query: ", "item": "search_document: "},
}
# Models that, by their card, are normalised over all dimensions before some are cut off.
NORMED_BEFORE_CUT = r"nomic-embed-text-v1\.5"


class TransformersEncoder:
    """A model folder, loaded: on a GPU in bfloat16, else in float32 on TORCH_THREADS threads (1).

    Not for several threads at a time: the tokenizer keeps state while it works.
    """

    def __init__(
        self,
        folder: Path,
        *,
        name: str | None = None,
        truncate_dim: int | None = None,
        prompts: Mapping[Role, str] | None = None,
    ):
        """folder and name are the model's; prompts and truncate_dim as in `encoder.load`.

        Raises EncoderError if the folder is not a model, is unsafe, or asks for what is not here
        """
        # Forked workers share a core each; one thread was faster than two on a busy machine.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
        import torch
        import transformers

        # At level "warning" each load prints a report; what matters of it is checked below.
        transformers.logging.set_verbosity_error()
        transformers.logging.disable_progress_bar()

        self.name = f"transformers:{name or folder.name}"
        modules = _json(folder / "modules.json") or []
        kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
        inner = folder / (modules[0]["path"] if kinds[:1] == ["Transformer"] else "")
        _refuse_what_is_unsafe(folder, inner)

        files_digest = digest_of(folder)
        written = (_json(folder / MANIFEST) or {}).get("digest")
        if written and written != files_digest:
            raise EncoderError(
                f"the files in {folder} are not those that were installed: "
                f"run python manage.py install_model {name or folder.name} --force"
            )

        has_gpu = torch.cuda.is_available()
        self._device = torch.device("cuda" if has_gpu else "cpu")
        if not has_gpu:
            torch.set_num_threads(int(os.environ.get("TORCH_THREADS", "1")))
        local = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(inner, **local)
            self._model, report = transformers.AutoModel.from_pretrained(
                inner,
                dtype=torch.bfloat16 if has_gpu else torch.float32,
                use_safetensors=True,
                output_loading_info=True,
                **local,
            )
        except Exception as error:  # OSError, ValueError, KeyError, the Rust libraries' own …
            raise EncoderError(f"cannot load the model in {inner}: {one_line(error)}") from error
        missing = [key for key in report["missing_keys"] if not key.startswith("pooler.")]
        if missing or report["mismatched_keys"]:
            raise EncoderError(
                f"the weights in {inner} do not fit its config.json (missing: {missing[:3]}, of "
                f"another shape: {list(report['mismatched_keys'])[:3]}): install the model again"
            )
        config = self._model.config
        if config.is_encoder_decoder:
            raise EncoderError(f"{inner} holds an encoder-decoder model, which is not supported")
        config.use_cache = False
        self._model = self._model.eval().to(self._device)

        bert = {}
        for path in sorted(inner.glob("sentence_*_config.json")):
            bert |= _json(path)
        self._lower = bool(bert.get("do_lower_case"))
        self._max_length = _max_length(bert.get("max_seq_length"), self._tokenizer, self._model)
        self._poolings, self._include_prompt, self._layers = ("mean",), True, []
        for module, kind in list(zip(modules, kinds, strict=True))[kinds[:1] == ["Transformer"] :]:
            if kind == "Pooling" and not self._layers:
                self._read_pooling(folder / module["path"])
            elif kind == "Dense":
                self._layers.append(_dense(folder / module["path"], self._device))
            elif kind == "Normalize":
                self._layers.append(_normalize)
            else:
                raise EncoderError(f"{folder}: the module {module['type']} is not supported")

        self._truncate_dim = truncate_dim
        if truncate_dim and re.fullmatch(NORMED_BEFORE_CUT, served_name(self.name), re.IGNORECASE):
            self._layers.append(_layer_norm)
        self._prompts = _prompts(folder, self.name, prompts)
        self._prompt_tokens = {role: self._count_prompt_tokens(role) for role in self._prompts}
        self.settings = {
            "model": name or folder.name,
            "revision": _revision(folder),
            "pooling": list(self._poolings),
            "include_prompt": self._include_prompt,
            "prompts": self._prompts,
            "lower_case": self._lower,
            "max_length": self._max_length,
            "truncate_dim": truncate_dim,
            "normalize": True,
            "dtype": str(self._model.dtype).removeprefix("torch."),
        }
        if _layer_norm in self._layers:  # alone, or all digests of before would be others
            self.settings["layer_norm"] = True
        # float32 and bfloat16 are one class: of e5-small their vectors have a cosine of 0.9998 even
        # when centred, so a worker with a GPU and an encoder process without one serve the same
        # space. Names lie outside, so that a folder may move.
        identity = {key: self.settings[key] for key in self.settings.keys() - {"model", "revision"}}
        identity |= {"dtype": "float", "files": files_digest, "pipeline": PIPELINE}
        self.digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        self.dimension = truncate_dim or self._full_dimension()
        if truncate_dim and truncate_dim > self._full_dimension():
            raise EncoderError(
                f"{self.name} has {self._full_dimension()} dimensions, it cannot be cut to "
                f"{truncate_dim}"
            )

    def encode(self, texts: Sequence[str], *, role: Role) -> np.ndarray:
        import torch

        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        prompt = self._prompts[role]
        tokens = self._tokenize([prompt + well_formed(text) for text in texts])
        rows = np.empty((len(texts), self.dimension), dtype=np.float32)
        with torch.inference_mode():
            lengths = [len(ids) for ids in tokens["input_ids"]]
            for numbers in batches(lengths, max_tokens=BATCH_TOKENS[self._device.type]):
                batch = self._tokenizer.pad(
                    {key: [values[number] for number in numbers] for key, values in tokens.items()},
                    return_tensors="pt",
                ).to(self._device)
                hidden = self._model(**batch).last_hidden_state
                vectors = self._pool(hidden, batch["attention_mask"], self._prompt_tokens[role])
                rows[numbers] = vectors.float().cpu().numpy()
        return unit_rows(rows, name=self.name, dimension=self.dimension)

    def _tokenize(self, texts: list[str]) -> dict[str, list[list[int]]]:
        if self._lower:
            texts = [text.lower() for text in texts]
        tokens = self._tokenizer(texts, truncation=True, max_length=self._max_length)
        return {
            # An empty text of a tokenizer without start and end marks would be no token at all.
            key: [
                row or [self._tokenizer.pad_token_id if key == "input_ids" else 1] for row in rows
            ]
            for key, rows in tokens.items()
        }

    def _count_prompt_tokens(self, role: Role) -> int:
        """Leading tokens that pooling leaves out, for models trained so (INSTRUCTOR)."""
        if self._include_prompt or not self._prompts[role]:
            return 0
        ids = self._tokenize([self._prompts[role]])["input_ids"][0]
        return len(ids) - (ids[-1] in self._tokenizer.all_special_ids)

    def _pool(self, hidden: "Tensor", mask: "Tensor", prompt_tokens: int) -> "Tensor":
        import torch

        vectors = torch.cat(
            [pool(hidden, mask, mode, skip=prompt_tokens) for mode in self._poolings], dim=1
        )
        for layer in self._layers:
            vectors = layer(vectors)
        return vectors[:, : self._truncate_dim]  # cut before the rows are made unit

    def _read_pooling(self, folder: Path) -> None:
        config = _json(folder / "config.json") or {}
        modes = config.get("pooling_mode") or [
            mode for key, mode in POOLINGS.items() if config.get(key)
        ]
        self._poolings = tuple([modes] if isinstance(modes, str) else modes or ["mean"])
        self._include_prompt = config.get("include_prompt", True)
        if unknown := set(self._poolings) - set(POOLINGS.values()):
            raise EncoderError(f"{folder}: the pooling {sorted(unknown)} is not supported")

    def _full_dimension(self) -> int:
        dimension = self._model.config.get_text_config().hidden_size * len(self._poolings)
        for layer in self._layers:
            dimension = getattr(layer, "dimension", dimension)
        return dimension


def batches(lengths: Sequence[int], *, max_tokens: int) -> Iterator[list[int]]:
    """Row numbers in batches of like length, the longest first: too little memory shows at once.

    >>> list(batches([3, 2000, 5, 2100], max_tokens=2048))
    [[3], [1], [2, 0]]
    """
    batch: list[int] = []
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        longest = lengths[batch[0]] if batch else 0
        if batch and (len(batch) == BATCH_TEXTS or longest * (len(batch) + 1) > max_tokens):
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch


def pool(hidden: "Tensor", mask: "Tensor", mode: str, *, skip: int = 0) -> "Tensor":
    """Token vectors → one a text, (texts, width) in float32.

    hidden  (texts, tokens, width)
    mask    (texts, tokens), 1 on tokens and 0 on padding, which may stand on either side
    skip    leading tokens to leave out; a text that has no others keeps them
    """
    import torch

    hidden = hidden.float()  # sums over hundreds of tokens in bf16 would lose digits
    rows = torch.arange(len(mask), device=mask.device)
    places = torch.arange(mask.shape[1], device=mask.device)
    first = mask.int().argmax(dim=1)
    if skip:
        without = mask * (places >= first[:, None] + skip)
        mask = torch.where(without.any(dim=1, keepdim=True), without, mask)
    if mode == "cls":
        return hidden[rows, mask.int().argmax(dim=1)]
    if mode == "lasttoken":
        return hidden[rows, mask.shape[1] - 1 - mask.flip(1).int().argmax(dim=1)]
    if mode == "max":
        return hidden.masked_fill(mask[:, :, None] == 0, float("-inf")).amax(dim=1)
    weights = mask.float()
    if mode == "weightedmean":
        weights = weights * (places + 1 - first[:, None])
    total = weights.sum(dim=1, keepdim=True)
    if mode == "mean_sqrt_len_tokens":
        total = total.sqrt()
    return (hidden * weights[:, :, None]).sum(dim=1) / total


def _dense(folder: Path, device: object) -> Callable[["Tensor"], "Tensor"]:
    import torch
    from safetensors.torch import load_file

    config = _json(folder / "config.json") or {}
    path = folder / "model.safetensors"
    if not path.is_file():
        raise EncoderError(f"{folder} holds no model.safetensors; other weights are not loaded")
    weights = {key: value.float().to(device) for key, value in load_file(path).items()}
    name = config.get("activation_function", "torch.nn.modules.activation.Tanh").rsplit(".", 1)[-1]
    if name not in ACTIVATIONS:
        raise EncoderError(f"{folder}: the activation {name} is not supported")
    activation = getattr(torch.nn, name)()

    def dense(vectors: "Tensor") -> "Tensor":
        made = activation(
            torch.nn.functional.linear(
                vectors, weights["linear.weight"], weights.get("linear.bias")
            )
        )
        if config.get("use_residual"):
            residual = weights.get("residual.weight")
            made += vectors if residual is None else torch.nn.functional.linear(vectors, residual)
        return made

    dense.dimension = len(weights["linear.weight"])
    return dense


def _normalize(vectors: "Tensor") -> "Tensor":
    import torch

    return torch.nn.functional.normalize(vectors, dim=1)


def _layer_norm(vectors: "Tensor") -> "Tensor":
    import torch

    return torch.nn.functional.layer_norm(vectors, vectors.shape[1:])


def _refuse_what_is_unsafe(folder: Path, inner: Path) -> None:
    if not (inner / "config.json").is_file():
        raise EncoderError(f"{folder} holds no model (no config.json): install the model again")
    if any(inner.glob("*.safetensors")):
        return
    if pickled := sorted(p.name for p in inner.iterdir() if p.suffix in (".bin", ".pt", ".ckpt")):
        raise EncoderError(
            f"{inner} holds {pickled[0]} but no safetensors: pickled weights can run code and are "
            "never loaded; take a revision of the model with safetensors"
        )
    raise EncoderError(f"{inner} holds no weights (*.safetensors): install the model again")


def _max_length(wanted: int | None, tokenizer, model) -> int:
    """The least of what the folder, the tokenizer and the positions of the model allow."""
    limits = [wanted, tokenizer.model_max_length]
    limits.append(getattr(model.config.get_text_config(), "max_position_embeddings", None))
    positions = getattr(getattr(model, "embeddings", None), "position_embeddings", None)
    if getattr(positions, "padding_idx", None) is not None:
        # RoBERTa and its kin count positions from behind the padding's own.
        limits.append(positions.num_embeddings - positions.padding_idx - 1)
    # A tokenizer without a limit says 10³⁰.
    return int(min((limit for limit in limits if limit and 0 < limit < 10**9), default=512))


def _prompts(folder: Path, name: str, given: Mapping[Role, str] | None) -> dict[Role, str]:
    """What is put before a text: given by the caller, else by the folder, else by the card."""
    if given is not None:
        return {role: given.get(role, "") for role in PROMPT_NAMES}
    carried = (_json(folder / "config_sentence_transformers.json") or {}).get("prompts") or {}
    found = {
        role: next((carried[name] for name in names if carried.get(name)), "")
        for role, names in PROMPT_NAMES.items()
    }
    if not any(found.values()):
        for pattern, prompts in PROMPTS_OF_CARDS.items():
            if re.fullmatch(pattern, served_name(name), re.IGNORECASE):
                return {role: prompts.get(role, "") for role in PROMPT_NAMES}
    return found


def _revision(folder: Path) -> str | None:
    """Of the hub, as far as it is known: written down by install_model, or in the cache's path."""
    written = (_json(folder / MANIFEST) or {}).get("revision")
    return written or (folder.name if folder.parent.name == "snapshots" else None)


def _json(path: Path):
    """What the file says; None if there is none."""
    if not path.is_file():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise EncoderError(f"{path} is not JSON ({error}): install the model again") from error
