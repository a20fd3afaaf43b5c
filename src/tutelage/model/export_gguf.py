"""Writes a model folder as a GGUF file for llama.cpp: weights, tokenizer and chat template.

Source: the GGUF specification.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import gguf
import numpy as np
from gguf.quants import quantize
from safetensors import safe_open

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.engine.llama_names import gguf_name, is_rotary, pair_rotary
from tutelage.engine.vocabulary import pre_tokenizer_name

SUPPORTED = ("llama",)
Quantisation = Literal["q8_0", "f16"]
TYPES = {"q8_0": gguf.GGMLQuantizationType.Q8_0, "f16": gguf.GGMLQuantizationType.F16}
FILE_TYPES = {"q8_0": gguf.LlamaFileType.MOSTLY_Q8_0, "f16": gguf.LlamaFileType.MOSTLY_F16}
BLOCK = 32  # weights of a row that share a scale in q8_0


def export_gguf(folder: Path, path: Path, *, quantisation: Quantisation, name: str, chat_format: ChatFormat) -> None:
    """Write the model in `folder` to `path`.

    Matrices are kept in `quantisation`, norms in fp32; a matrix whose rows are no multiple of 32 stays in 16 bits.
    Raises InputError for an architecture or a tokenizer that cannot be written.
    """
    config = json.loads((folder / "config.json").read_text("utf-8"))
    check_supported(config, folder)
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(name)
    _add_shape(writer, config)
    _add_tokenizer(writer, folder, config, chat_format)
    writer.add_file_type(FILE_TYPES[quantisation])
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for tensor_name, tensor in _tensors(folder, config):
        kind = gguf.GGMLQuantizationType.F32
        if tensor.ndim == 2:
            kind = TYPES[quantisation] if tensor.shape[1] % BLOCK == 0 else gguf.GGMLQuantizationType.F16
        writer.add_tensor(tensor_name, quantize(tensor, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def check_supported(config: dict[str, Any], folder: Path) -> None:
    """Raise InputError for a configuration that this writer cannot express."""
    kind = config["model_type"]
    if kind not in SUPPORTED:
        raise InputError(f"{folder}: the architecture is {kind!r}; GGUF files are written for {', '.join(SUPPORTED)}. "
                         "Choose a Llama-like base in training.base.")
    rope = config["rope_parameters"]["rope_type"]
    extras = [f"rope_type {rope!r}"] if rope != "default" else []
    extras += [field for field in ("attention_bias", "mlp_bias") if config.get(field)]
    if extras:
        raise InputError(f"{folder}: this Llama has {', '.join(extras)}, which the GGUF writer does not know. "
                         "Choose another base in training.base.")


def chat_template(chat_format: ChatFormat) -> str:
    """The format as a Jinja template, for servers that render for themselves."""
    names = ", ".join(f"{json.dumps(role)}: {json.dumps(name)}" for role, name in chat_format.roles.items())
    start, end = json.dumps(chat_format.start), json.dumps(chat_format.end)
    reply = json.dumps(f"{chat_format.start}{chat_format.roles['assistant']}\n")
    return (f"{{% set names = {{{names}}} %}}{{{{ {json.dumps(chat_format.begin)} }}}}"
            f"{{% for message in messages %}}{{{{ {start} + names[message['role']] + \"\\n\" + message['content'] + {end} + \"\\n\" }}}}"
            f"{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {reply} }}}}{{% endif %}}")


def _add_shape(writer: gguf.GGUFWriter, config: dict[str, Any]) -> None:
    heads = config["num_attention_heads"]
    head = config.get("head_dim") or config["hidden_size"] // heads
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])


def _add_tokenizer(writer: gguf.GGUFWriter, folder: Path, config: dict[str, Any], chat_format: ChatFormat) -> None:
    described = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    model = described["model"]
    if model["type"] != "BPE" or described["normalizer"] is not None:
        raise InputError(f"{folder}: the tokenizer is {model['type']} with the normalizer {described['normalizer']}; "
                         "GGUF files are written for byte-level BPE without one. Choose another base in training.base.")
    ids = dict(model["vocab"])
    kinds = dict.fromkeys(ids.values(), gguf.TokenType.NORMAL)
    for entry in described["added_tokens"]:
        ids[entry["content"]] = entry["id"]
        kinds[entry["id"]] = gguf.TokenType.CONTROL if entry["special"] else gguf.TokenType.USER_DEFINED
    tokens = {number: token for token, number in ids.items()}
    size = config["vocab_size"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer_name(described["pre_tokenizer"], place=str(folder)))
    writer.add_token_list([tokens.get(number, f"[UNUSED{number}]") for number in range(size)])
    writer.add_token_types([kinds.get(number, gguf.TokenType.UNUSED) for number in range(size)])
    writer.add_token_merges([merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(ids[chat_format.end])
    for field, add in (("bos_token_id", writer.add_bos_token_id), ("pad_token_id", writer.add_pad_token_id)):
        if config.get(field) is not None:
            add(config[field])
    writer.add_add_bos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(chat_template(chat_format))
    writer.add_string("tutelage.chat_format", chat_format.hash)


def _tensors(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """All weights under llama.cpp's names, in fp32. A shared output layer is left out: llama.cpp takes the embedding."""
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="numpy") as weights:
            for name in sorted(weights.keys()):
                if name == "lm_head.weight" and config["tie_word_embeddings"]:
                    continue
                theirs = gguf_name(name)
                if theirs is None:
                    raise InputError(f"{file}: the weight {name!r} is not one of a Llama; it cannot be written as GGUF.")
                tensor = weights.get_tensor(name).astype(np.float32)
                yield theirs, pair_rotary(tensor, heads[theirs.split(".")[-2]]) if is_rotary(theirs) else tensor
