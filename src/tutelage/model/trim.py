"""A model folder with only the tokens that the owner's texts use: a smaller embedding, and a tokenizer that goes with nothing else."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from tutelage.core.chat import ChatFormat, render
from tutelage.core.errors import InputError
from tutelage.core.files import whole_folder, write_whole
from tutelage.core.records import Example
from tutelage.engine.vocabulary import VOCABULARY_MARK, Vocabulary, open_tokenizer, vocabulary_hash
from tutelage.model.importance import training_rows
from tutelage.model.reshape import Fact, Given, Reshaping
from tutelage.model.trim_tokens import trim_tokenizer

BY_TOKEN = ("model.embed_tokens.weight", "lm_head.weight")  # weights with a row for each token
CONFIGS = ("config.json", "generation_config.json")
OFFERED_SHARE = 0.2  # of all parameters, from which on trimming is worth an offer
IDS = ("_token_id", "_token_ids", "_token_index", "suppress_tokens", "begin_suppress_tokens")  # how fields end that hold token ids


def trim_step(given: Given, folder: Path) -> dict[str, Fact]:
    """Write the model with a trimmed vocabulary to `folder`. Gives numbers of tokens before and after, of the vocabulary and of texts."""
    rows = training_rows(given.making, None, given.model, given.chat_format)
    trim(given.model, folder, {token for row in rows for token in row}, given.chat_format, least=given.settings.trim_tokens)
    before, after = Vocabulary(given.model), Vocabulary(folder)
    old, new = (_length(given.held_out, given.chat_format, vocabulary) for vocabulary in (before, after))
    facts: dict[str, Fact] = {"training_rows": len(rows), "vocabulary_before": before.size, "vocabulary": after.size,
                              "held_out_tokens_before": old, "held_out_tokens": new}
    saved = sum(path.stat().st_size for path in given.model.glob("*.safetensors")) - sum(
        path.stat().st_size for path in folder.glob("*.safetensors"))
    given.making.events.warning("model", "model.trimmed", before=before.size, after=after.size, megabytes=round(saved / 1e6),
                                rows=len(given.held_out), more=round(100 * (new / old - 1), 2))
    return facts


def trim(model: Path, folder: Path, counted: Collection[int], chat_format: ChatFormat, *, least: int) -> None:
    """Write the model folder with only the tokens in `counted`, what else its texts need, and common ones up to `least`.

    It is written whole or not at all.

    Raises InputError for a tokenizer that cannot be trimmed, for an embedding under a name that is not known here, and for weights that
    have no row for each token.
    """
    described = json.loads((model / "tokenizer.json").read_text("utf-8"))
    configs = {name: json.loads((model / name).read_text("utf-8")) for name in CONFIGS if (model / name).is_file()}
    vocabulary = Vocabulary(model)
    named = {number for config in configs.values() for number in _named(config)} | _framed(chat_format, vocabulary)
    trimmed, kept = trim_tokenizer(described, counted, named, least=least, place=str(model / "tokenizer.json"))
    renamed = {old: new for new, old in enumerate(kept)}
    with whole_folder(folder) as beside:
        write_whole(beside / "tokenizer.json", json.dumps(trimmed, ensure_ascii=False))
        mark = vocabulary_hash(open_tokenizer(beside))
        for name, config in configs.items():
            changed = _with_ids(config, renamed)
            if name == "config.json":
                changed |= {"vocab_size": len(kept), VOCABULARY_MARK: mark}
            write_whole(beside / name, json.dumps(changed, indent=1))
        _write_weights(model, beside, kept, configs["config.json"]["vocab_size"])
        shutil.copyfile(model / "chat.json", beside / "chat.json")


def share_by_token(model: Path) -> float:
    """Share of all parameters of a model folder that stand in weights with a row for each token, an output layer of its own included."""
    sizes: Counter[bool] = Counter()
    for file in sorted(model.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as weights:
            for name in weights.keys():  # noqa: SIM118 - it is no dict
                sizes[name in BY_TOKEN] += int(np.prod(weights.get_slice(name).get_shape()))
    return sizes[True] / sizes.total()


def _length(rows: Sequence[Example], chat_format: ChatFormat, vocabulary: Vocabulary) -> int:
    return sum(len(render(row.messages, chat_format, vocabulary, reply=False).ids) for row in rows)


def _framed(chat_format: ChatFormat, vocabulary: Vocabulary) -> set[int]:
    """The special tokens by which the chat format frames turns."""
    marks = (chat_format.begin, chat_format.start, chat_format.end, chat_format.head_end,
             chat_format.instruct.close if chat_format.instruct else "")
    return {vocabulary.specials[mark] for mark in marks if mark in vocabulary.specials}


def _named(config: Mapping[str, Any]) -> set[int]:
    """The token ids that a configuration names."""
    found: set[int] = set()
    for field, value in config.items():
        if field.endswith(IDS):
            found.update(number for number in (value if isinstance(value, list) else [value]) if isinstance(number, int) and number >= 0)
    return found


def _with_ids(config: Mapping[str, Any], renamed: Mapping[int, int]) -> dict[str, Any]:
    """The configuration with new ids. One that is no token's stays away."""
    changed = dict(config)
    for field, value in config.items():
        if field.endswith(IDS) and isinstance(value, list):
            changed[field] = [renamed[number] for number in value if number in renamed]
        elif field.endswith(IDS) and isinstance(value, int):
            changed[field] = renamed.get(value)
    return changed


def _write_weights(model: Path, folder: Path, kept: Sequence[int], size: int) -> None:
    rows, known = np.array(kept), 0
    for file in sorted(model.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as weights:
            tensors = {name: weights.get_tensor(name) for name in weights.keys()}  # noqa: SIM118 - it is no dict
            metadata = weights.metadata()
        for name in (name for name in BY_TOKEN if name in tensors):
            if len(tensors[name]) != size:
                raise InputError(f"{file}: {name} has {len(tensors[name]):,} rows; config.json announces {size:,} tokens. The folder is "
                                 "not whole. Make the model again.")
            tensors[name] = tensors[name][rows]
            known += 1
        save_file(tensors, folder / file.name, metadata=metadata)
    if not known:
        raise InputError(f"{model}: its weights name no {BY_TOKEN[0]}, so it is not known which of them have a row for each token. Models "
                         "built as Llama, Mistral, Qwen and Gemma can be trimmed. Leave trim out of the recipe, or choose such a base.")
    for index in model.glob("*.safetensors.index.json"):
        shutil.copyfile(index, folder / index.name)


TRIM = Reshaping(name="trim", folder="trimmed", is_wanted=lambda settings: settings.trim == "vocabulary",
                 margin=lambda settings: settings.trim_margin, make=trim_step)
