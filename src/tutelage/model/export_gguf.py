"""Writes a model folder as a GGUF file for llama.cpp: weights, tokenizer (export_tokenizer.py) and chat template.

Source: the GGUF specification.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors import safe_open

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.engine.families import FAMILIES, GEMMA3, GEMMA3_LOCAL_THETA, Family, gemma3_layer_types
from tutelage.engine.llama_quantise import quantise
from tutelage.model.export_template import chat_template
from tutelage.model.export_tokenizer import add_tokenizer
from tutelage.model.mixture import MIXTURES, Quantisation, format_of

SUPPORTED = {family.model_type: family for family in FAMILIES}
NO_IMPORTANCE: Mapping[str, np.ndarray] = {}


def export_gguf(folder: Path, path: Path, *, quantisation: Quantisation, name: str, chat_format: ChatFormat,
                importance: Mapping[str, np.ndarray] = NO_IMPORTANCE) -> None:
    """Write the model in `folder` to `path`.

    Matrices are kept in `quantisation` (see mixture.py), norms in fp32. `importance` has that of columns, by the name of the weight
    in `folder`. Raises InputError for an architecture or a tokenizer that cannot be written, and for numbers that are not finite;
    then nothing is left at `path`.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    family = check_supported(config, folder)
    writer = gguf.GGUFWriter(path, family.architecture)
    writer.add_name(name)
    _add_shape(writer, config, family)
    add_tokenizer(writer, folder, config, chat_format)
    writer.add_chat_template(chat_template(chat_format))
    writer.add_string("tutelage.chat_format", chat_format.hash)
    writer.add_file_type(MIXTURES[quantisation].file_type)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for ours, theirs, tensor in _tensors(folder, config, family):
        kind = format_of(theirs, tensor.shape, quantisation, config["num_hidden_layers"])
        writer.add_tensor(theirs, quantise(tensor, kind, name=ours, importance=importance.get(ours)), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_supported(config: dict[str, Any], folder: Path) -> Family:
    """The family of a configuration. Raises InputError for one that this writer cannot express."""
    kind = config["model_type"]
    if kind not in SUPPORTED:
        raise InputError(f"{folder}: the architecture is {kind!r}; GGUF files are written for {', '.join(SUPPORTED)}. "
                         "Choose such a base in training.base.")
    family = SUPPORTED[kind]
    extras = [field for field in ("attention_bias", "mlp_bias") if config.get(field)]
    extras += _gemma3_extras(config) if family is GEMMA3 else _plain_extras(config)
    if extras:
        raise InputError(f"{folder}: this {kind} has {', '.join(extras)}, which the GGUF writer does not know. "
                         "Choose another base in training.base.")
    return family


def _rotary_extras(layers: str, rotary: dict[str, Any]) -> list[str]:
    return [] if rotary["rope_type"] == "default" else [f"{layers}rope_type {rotary['rope_type']!r}"]


def _plain_extras(config: dict[str, Any]) -> list[str]:
    """What llama.cpp takes for granted in a Llama, Mistral or Qwen, and this one has otherwise."""
    extras = [] if config["hidden_act"] == "silu" else [f"hidden_act {config['hidden_act']!r}"]
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    if window is not None and window < config["max_position_embeddings"]:
        extras.append(f"sliding_window {window}")
    return extras + _rotary_extras("", config["rope_parameters"])


def _gemma3_extras(config: dict[str, Any]) -> list[str]:
    """What llama.cpp takes for granted in a Gemma 3, and this one has otherwise."""
    rotary = config["rope_parameters"]
    granted = {"query_pre_attn_scalar": config["head_dim"], "layer_types": gemma3_layer_types(config["num_hidden_layers"]),
               "hidden_activation": "gelu_pytorch_tanh", "attn_logit_softcapping": None, "final_logit_softcapping": None,
               "use_bidirectional_attention": False}
    extras = [f"{field} {config[field]!r}" for field, value in granted.items() if field in config and config[field] != value]
    extras += [extra for kind in rotary for extra in _rotary_extras(f"{kind} ", rotary[kind])]
    local = rotary["sliding_attention"]["rope_theta"]
    return extras + ([] if local == GEMMA3_LOCAL_THETA else [f"sliding_attention rope_theta {local}"])


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any], family: Family) -> None:
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    rotary = config["rope_parameters"]["full_attention"] if family is GEMMA3 else config["rope_parameters"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(rotary["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    if family is GEMMA3:
        writer.add_sliding_window(config["sliding_window"])


def _tensors(folder: Path, config: dict[str, Any], family: Family) -> Iterator[tuple[str, str, np.ndarray]]:
    """All weights by our name and llama.cpp's, in fp32. A shared output layer is left out: llama.cpp takes the embedding."""
    heads, groups = config["num_attention_heads"], config["num_key_value_heads"]
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as weights:
            for name in sorted(weights.keys()):
                if name == "lm_head.weight" and config["tie_word_embeddings"]:
                    continue
                theirs = family.gguf_name(name)
                if theirs is None:
                    raise InputError(f"{file}: the weight {name!r} is not one of a {config['model_type']}; it cannot be written as GGUF.")
                tensor = weights.get_tensor(name).astype(np.float32)
                yield name, theirs, family.to_gguf(theirs, tensor, heads=heads, groups=groups)
