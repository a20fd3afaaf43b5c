"""Writes the model in a GGUF file as a model folder in fp32: configuration, weights, tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.engine.families import GEMMA3, GEMMA3_LOCAL_THETA, GEMMA3_PERIOD, LLAMA, OF_ARCHITECTURE, QWEN2, Family, gemma3_layer_types
from tutelage.engine.gguf_file import Head, Value
from tutelage.engine.gguf_tokenizer import READERS, read_tokenizer, tokenizer_kind
from tutelage.engine.vocabulary import PRE_TOKENIZERS

TOKEN_IDS = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding", "unk_token_id": "unknown"}


def write_folder(head: Head, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.json.

    Raises InputError for an architecture or a tokenizer that is not known here.
    """
    family = _family(head)
    heads, groups = _whole(head, "attention.head_count"), _kv_heads(head)
    weights = {}
    for theirs, weight in head.weights():
        ours = family.folder_name(theirs)
        if ours is None:
            raise InputError(f"{head.path}: the weight {theirs!r} is not one of a plain {family.architecture}. Give the model as a folder.")
        weights[ours] = family.from_gguf(theirs, weight, heads=heads, groups=groups)
    if "lm_head.weight" in weights and np.array_equal(weights["lm_head.weight"], weights["model.embed_tokens.weight"]):
        del weights["lm_head.weight"]  # a second copy of a shared layer
    write_whole(folder / "config.json", json.dumps(_config(head, family, shared="lm_head.weight" not in weights), indent=1))
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    read_tokenizer(head).save(str(folder / "tokenizer.json"))


def _family(head: Head) -> Family:
    architecture, kind, pre = (str(head.facts.get(key, "")) for key in
                               ("general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.pre"))
    known = OF_ARCHITECTURE
    scaled = str(head.facts.get(f"{architecture}.rope.scaling.type", "none"))
    period = head.facts.get(f"{architecture}.attention.sliding_window_pattern", GEMMA3_PERIOD)
    found = [] if architecture in known else [f"architecture {architecture!r}"]
    found += [] if tokenizer_kind(head) in READERS else [f"tokenizer {kind!r} with {pre!r}"]
    found += [] if scaled == "none" else [f"scaled rotary positions ({scaled!r})"]
    found += [] if period == GEMMA3_PERIOD else [f"a full layer every {period} layers"]
    if found:
        raise InputError(f"{head.path}: has {', '.join(found)}; GGUF files to train on must be {', '.join(known)} with a byte-level "
                         f"tokenizer ({', '.join(PRE_TOKENIZERS)}) or one like Gemma's. Give the model as a folder.")
    return known[architecture]


def _config(head: Head, family: Family, *, shared: bool) -> dict[str, object]:
    """config.json as transformers reads it. `shared`: the embedding is the output layer too."""
    heads = _whole(head, "attention.head_count")
    ids = {ours: head.facts[f"tokenizer.ggml.{theirs}_token_id"] for ours, theirs in TOKEN_IDS.items()
           if f"tokenizer.ggml.{theirs}_token_id" in head.facts}
    size = int(_optional(head, "attention.key_length", _whole(head, "embedding_length") // heads))
    own = _gemma3(head, size) if family is GEMMA3 else _plain(head)
    own |= {} if family is QWEN2 else {"attention_bias": False}
    own |= {"mlp_bias": False} if family is LLAMA else {}
    return {
        "architectures": [family.model_class], "model_type": family.model_type, "dtype": "float32",
        "hidden_size": _whole(head, "embedding_length"), "intermediate_size": _whole(head, "feed_forward_length"),
        "num_hidden_layers": _whole(head, "block_count"), "num_attention_heads": heads, "num_key_value_heads": _kv_heads(head),
        "head_dim": size, "vocab_size": len(head.lists["tokenizer.ggml.tokens"]), "max_position_embeddings": _whole(head, "context_length"),
        "rms_norm_eps": _fact(head, "attention.layer_norm_rms_epsilon"), "tie_word_embeddings": shared,
        **own, **ids}


def _plain(head: Head) -> dict[str, object]:
    theta = _optional(head, "rope.freq_base", 10_000.0)
    return {"hidden_act": "silu", "rope_parameters": {"rope_type": "default", "rope_theta": theta}}


def _gemma3(head: Head, size: int) -> dict[str, object]:
    local = _optional(head, "rope.freq_base_swa", GEMMA3_LOCAL_THETA)
    rotary = {"full_attention": _fact(head, "rope.freq_base"), "sliding_attention": local}
    return {"hidden_activation": "gelu_pytorch_tanh", "sliding_window": _whole(head, "attention.sliding_window"),
            "layer_types": gemma3_layer_types(_whole(head, "block_count")), "query_pre_attn_scalar": size,
            "rope_parameters": {kind: {"rope_type": "default", "rope_theta": theta} for kind, theta in rotary.items()}}


def _fact(head: Head, name: str) -> Value:
    key = f"{head.facts['general.architecture']}.{name}"
    if key not in head.facts:
        raise InputError(f"{head.path}: its head has no {key}. Make the file again.")
    return head.facts[key]


def _optional(head: Head, name: str, otherwise: Value) -> Value:
    return head.facts.get(f"{head.facts['general.architecture']}.{name}", otherwise)


def _whole(head: Head, name: str) -> int:
    return int(_fact(head, name))


def _kv_heads(head: Head) -> int:
    return int(_optional(head, "attention.head_count_kv", _whole(head, "attention.head_count")))
