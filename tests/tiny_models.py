"""Model folders with random weights, made in a moment: they test plumbing, not quality.

They look like folders from the hub, with every file that says how the model wants to be used.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

SENTENCES = [
    "the blue kettle boils water for tea",
    "running shoes for a long race in the rain",
    "a quiet film about a family by the sea",
    "推荐系统把人和物品放在同一个空间里。",
    "今天天气很好，我们去公园散步。",
]
LEGACY_POOLING = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}
WIDTH = 32
OLD_TYPE = "sentence_transformers.models.{}"
NEW_TYPES = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Dense": "sentence_transformers.base.modules.dense.Dense",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
}


def tiny_bert(
    folder: Path,
    *,
    pooling: str | Sequence[str] = "mean",
    prompts: Mapping[str, str] | None = None,
    dense: Sequence[tuple[int, int, str]] = (),
    bias: bool = True,
    normalize: bool = True,
    include_prompt: bool = True,
    max_length: int = 64,
    lower: bool = False,
    old_names: bool = True,
) -> Path:
    """A bidirectional encoder of 2 layers and 32 dimensions, padded on the right.

    dense      (in, out, activation) of further layers
    lower      the folder asks for lower case; the tokenizer itself keeps capitals apart
    old_names  files as sentence-transformers wrote them before version 5.4
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast, set_seed

    set_seed(0)
    # Written down, not trained: training breaks ties by chance.
    characters = sorted({*map(chr, range(33, 127)), *"".join(SENTENCES)} - {" "})
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *" ".join(SENTENCES[:3]).split()]
    vocabulary += characters + [f"##{character}" for character in characters]
    numbers = {piece: number for number, piece in enumerate(dict.fromkeys(vocabulary))}
    words = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    words.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_max_length=128,
    )
    tokenizer.save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=128,
        initializer_range=0.5,  # the usual 0.02 would make all texts nearly the same
        pad_token_id=0,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    _write_sidecars(
        folder,
        pooling=[pooling] if isinstance(pooling, str) else list(pooling),
        prompts=prompts,
        dense=dense,
        bias=bias,
        normalize=normalize,
        include_prompt=include_prompt,
        max_length=max_length,
        lower=lower,
        old_names=old_names,
    )
    return folder


def tiny_qwen(
    folder: Path,
    *,
    pooling: str = "lasttoken",
    padding_side: str = "left",
    prompts: Mapping[str, str] | None = None,
    include_prompt: bool = True,
    max_length: int = 64,
    end_mark: bool = True,
) -> Path:
    """A decoder of 2 layers and 32 dimensions whose last token speaks for the text.

    end_mark  the tokenizer ends each text with a token of its own, as Qwen3-Embedding does
    """
    from transformers import Qwen3Config, Qwen3Model, set_seed

    set_seed(0)
    tokenizer = _bytes_tokenizer(folder, end_mark=end_mark, padding_side=padding_side)
    config = Qwen3Config(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=64,
        max_position_embeddings=256,
        initializer_range=0.5,
    )
    Qwen3Model(config).save_pretrained(folder)
    _write_sidecars(
        folder,
        pooling=[pooling],
        prompts=prompts,
        include_prompt=include_prompt,
        max_length=max_length,
    )
    return folder


def tiny_gemma(
    folder: Path,
    *,
    prompts: Mapping[str, str] | None = None,
    dense: Sequence[tuple[int, int, str]] = (),
) -> Path:
    """A model of 2 layers and 32 dimensions that reads both ways within a window, as
    EmbeddingGemma does."""
    from transformers import Gemma3TextConfig, Gemma3TextModel, set_seed

    set_seed(0)
    tokenizer = _bytes_tokenizer(folder, end_mark=True, padding_side="right")
    config = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=64,
        max_position_embeddings=256,
        use_bidirectional_attention=True,
        sliding_window=16,
        pad_token_id=0,
        initializer_range=0.5,
    )
    Gemma3TextModel(config).save_pretrained(folder)
    _write_sidecars(folder, pooling=["mean"], prompts=prompts, dense=dense)
    return folder


def _bytes_tokenizer(folder: Path, *, end_mark: bool, padding_side: str):
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    alphabet = ["<|endoftext|>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    numbers = {piece: number for number, piece in enumerate(alphabet)}
    pieces = Tokenizer(models.BPE(numbers, merges=[]))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    if end_mark:
        pieces.post_processor = processors.TemplateProcessing(
            single="$A <|endoftext|>", special_tokens=[("<|endoftext|>", 0)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=pieces,
        pad_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        padding_side=padding_side,
        model_max_length=128,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def _write_sidecars(
    folder: Path,
    *,
    pooling: list[str],
    prompts: Mapping[str, str] | None = None,
    dense: Sequence[tuple[int, int, str]] = (),
    bias: bool = True,
    normalize: bool = True,
    include_prompt: bool = True,
    max_length: int = 64,
    lower: bool = False,
    old_names: bool = True,
) -> None:
    layers = [("", "Transformer"), ("1_Pooling", "Pooling")]
    if old_names:
        asked = {key: mode in pooling for mode, key in LEGACY_POOLING.items()}
        config = {"word_embedding_dimension": WIDTH, **asked}
    else:
        modes = pooling[0] if len(pooling) == 1 else pooling
        config = {"embedding_dimension": WIDTH, "pooling_mode": modes}
    write(folder / "1_Pooling" / "config.json", {**config, "include_prompt": include_prompt})
    for number, (width_in, width_out, activation) in enumerate(dense, start=2):
        layers.append((f"{number}_Dense", "Dense"))
        _write_dense(folder / f"{number}_Dense", width_in, width_out, activation, bias)
    if normalize:
        layers.append((f"{len(layers)}_Normalize", "Normalize"))
    types = [OLD_TYPE.format(kind) if old_names else NEW_TYPES[kind] for _, kind in layers]
    write(
        folder / "modules.json",
        [
            {"idx": number, "name": str(number), "path": path, "type": types[number]}
            for number, (path, _) in enumerate(layers)
        ],
    )
    write(
        folder / "sentence_bert_config.json",
        {"max_seq_length": max_length, "do_lower_case": lower},
    )
    write(folder / "config_sentence_transformers.json", {"prompts": dict(prompts or {})})


def _write_dense(folder: Path, width_in: int, width_out: int, activation: str, bias: bool) -> None:
    import torch
    from safetensors.torch import save_file

    name = f"torch.nn.modules.activation.{activation}"
    if activation == "Identity":
        name = "torch.nn.modules.linear.Identity"
    write(
        folder / "config.json",
        {
            "in_features": width_in,
            "out_features": width_out,
            "bias": bias,
            "activation_function": name,
        },
    )
    linear = torch.nn.Linear(width_in, width_out, bias=bias)
    save_file(
        {f"linear.{key}": value.detach() for key, value in linear.named_parameters()},
        folder / "model.safetensors",
    )


def write(path: Path, value: dict | list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
