"""Writes tokenizer.json into a GGUF file: byte-level BPE, or BPE on characters with bytes for what it lacks (Gemma's)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gguf

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.engine.vocabulary import BYTE_TOKEN, PREFIXED, SPACE, SPACES, WHOLE_WORDS, pre_tokenizer_name

# What Gemma's published file has after that normalizer: it cuts at spaces when none is left.
IDLE = {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False}
LAST = -1e6  # score of a token that no merge makes
TOKEN_IDS = ("bos", "pad", "unk")


def add_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any], chat_format: ChatFormat) -> None:
    """Write the tokenizer of a model folder, and which tokens end a generation: the one that ends a turn, and the model's own.

    Raises InputError for a tokenizer that cannot be written.
    """
    described = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    model, normalizer = described["model"], described["normalizer"]
    is_byte_level = normalizer is None
    has_bytes = normalizer in (SPACES, PREFIXED) and model.get("byte_fallback") and described["pre_tokenizer"] in (None, IDLE)
    if model["type"] != "BPE" or not (is_byte_level or has_bytes):
        raise InputError(f"{folder}: the tokenizer is {model['type']} with the normalizer {normalizer}; GGUF files are written for "
                         "byte-level BPE without one, and for BPE like Gemma's or Llama 2's. Choose another base in training.base.")
    ids = dict(model["vocab"])
    kinds = dict.fromkeys(ids.values(), gguf.TokenType.NORMAL)
    if has_bytes:
        kinds |= {number: gguf.TokenType.BYTE for token, number in ids.items() if BYTE_TOKEN.fullmatch(token)}
    for entry in described["added_tokens"]:
        ids[entry["content"]] = entry["id"]
        kinds[entry["id"]] = gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED
    numbers = range(config["vocab_size"])
    tokens = {number: token for token, number in ids.items()}
    merges = [tuple(merge.split(" ", 1)) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]]
    if is_byte_level:
        writer.add_tokenizer_model("gpt2")
        pre = pre_tokenizer_name(described["pre_tokenizer"], place=str(folder))
        if model.get("ignore_merges", False) != (pre in WHOLE_WORDS):
            raise InputError(f"{folder}: the tokenizer has ignore_merges {model.get('ignore_merges')}, which llama.cpp's {pre!r} has not. "
                             "Choose another base in training.base.")
        writer.add_tokenizer_pre(pre)
        writer.add_token_merges([" ".join(merge) for merge in merges])
    else:
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        scores = _scores(merges)
        writer.add_token_scores([scores.get(tokens.get(number, ""), LAST) for number in numbers])
        # llama.cpp looks for such tokens before it spells spaces its own way.
        tokens |= {number: tokens[number].replace(SPACE, " ") for number, kind in kinds.items() if kind == gguf.TokenType.USER_DEFINED}
    writer.add_token_list([tokens.get(number, f"[UNUSED{number}]") for number in numbers])
    writer.add_token_types([kinds.get(number, gguf.TokenType.UNUSED) for number in numbers])
    writer.add_add_space_prefix(normalizer == PREFIXED)
    _add_ids(writer, config, ids[chat_format.end])


def _add_ids(writer: gguf.GGUFWriter, config: dict[str, Any], end: int) -> None:
    """The special tokens. The chat template spells out the one at the beginning, so llama.cpp must not add it."""
    own = config.get("eos_token_id")
    writer.add_eos_token_id(own if isinstance(own, int) else end)
    writer.add_eot_token_id(end)
    for name, add in zip(TOKEN_IDS, (writer.add_bos_token_id, writer.add_pad_token_id, writer.add_unk_token_id), strict=True):
        if config.get(f"{name}_token_id") is not None:
            add(config[f"{name}_token_id"])
    writer.add_add_bos_token(False)


def _scores(merges: list[tuple[str, ...]]) -> dict[str, float]:
    """The score of each token that a merge makes: the earlier the merge, the higher. llama.cpp joins by the highest."""
    scores: dict[str, float] = {}
    for number, (left, right) in enumerate(merges):
        scores.setdefault(left + right, -float(number))
    return scores
