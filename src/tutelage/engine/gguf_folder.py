"""Writes the Llama in a GGUF file as a model folder in fp32: configuration, weights, tokenizer."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors.numpy import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.engine.gguf_file import Head, Value
from tutelage.engine.llama_names import folder_name, is_rotary, part_rotary
from tutelage.engine.vocabulary import PRE_TOKENIZERS

ARCHITECTURE = "llama"
CONTROL, USER_DEFINED = 3, 4  # types of token: special ones, and plain ones that are cut out before all else
TOKEN_IDS = {"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding", "unk_token_id": "unknown"}


def write_folder(head: Head, folder: Path) -> None:
    """Write config.json, model.safetensors and tokenizer.json.

    Raises InputError for another architecture or tokenizer than a Llama with byte-level BPE.
    """
    _check(head)
    write_whole(folder / "config.json", json.dumps(_config(head), indent=1))
    heads = {"attn_q": _whole(head, "attention.head_count"), "attn_k": _kv_heads(head)}
    weights = {}
    for theirs, weight in head.weights():
        ours = folder_name(theirs)
        if ours is None:
            raise InputError(f"{head.path}: the weight {theirs!r} is not one of a plain Llama. Give the model as a folder.")
        weights[ours] = part_rotary(weight, heads[theirs.split(".")[-2]]) if is_rotary(theirs) else weight
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    _tokenizer(head).save(str(folder / "tokenizer.json"))


def _check(head: Head) -> None:
    architecture, kind, pre = (str(head.facts.get(key, "")) for key in
                               ("general.architecture", "tokenizer.ggml.model", "tokenizer.ggml.pre"))
    scaled = str(head.facts.get(f"{ARCHITECTURE}.rope.scaling.type", "none"))
    found = [] if architecture == ARCHITECTURE else [f"architecture {architecture!r}"]
    found += [] if kind == "gpt2" and pre in PRE_TOKENIZERS else [f"tokenizer {kind!r} with {pre!r}"]
    found += [] if scaled == "none" else [f"scaled rotary positions ({scaled!r})"]
    if found:
        raise InputError(f"{head.path}: has {', '.join(found)}; GGUF files to train on must be Llamas with a byte-level tokenizer "
                         f"({', '.join(PRE_TOKENIZERS)}). Give the model as a folder.")


def _config(head: Head) -> dict[str, object]:
    """config.json as transformers reads it."""
    heads = _whole(head, "attention.head_count")
    names = {tensor.name for tensor in head.tensors}
    ids = {ours: head.facts[f"tokenizer.ggml.{theirs}_token_id"] for ours, theirs in TOKEN_IDS.items()
           if f"tokenizer.ggml.{theirs}_token_id" in head.facts}
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "dtype": "float32",
        "hidden_size": _whole(head, "embedding_length"), "intermediate_size": _whole(head, "feed_forward_length"),
        "num_hidden_layers": _whole(head, "block_count"), "num_attention_heads": heads, "num_key_value_heads": _kv_heads(head),
        "head_dim": head.facts.get(f"{ARCHITECTURE}.attention.key_length", _whole(head, "embedding_length") // heads),
        "vocab_size": len(head.lists["tokenizer.ggml.tokens"]), "max_position_embeddings": _whole(head, "context_length"),
        "rms_norm_eps": _fact(head, "attention.layer_norm_rms_epsilon"),
        "rope_parameters": {"rope_type": "default", "rope_theta": head.facts.get(f"{ARCHITECTURE}.rope.freq_base", 10000.0)},
        "tie_word_embeddings": "output.weight" not in names, "attention_bias": False, "mlp_bias": False, **ids}


def _tokenizer(head: Head) -> Tokenizer:
    tokens = [str(token) for token in head.lists["tokenizer.ggml.tokens"]]
    merges = [(left, right) for left, right in (str(merge).split(" ", 1) for merge in head.lists["tokenizer.ggml.merges"])]
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.decoder = decoders.ByteLevel()
    kinds = head.lists["tokenizer.ggml.token_type"]
    for token, kind in zip(tokens, kinds, strict=True):
        if kind in (CONTROL, USER_DEFINED):
            added = AddedToken(token, special=kind == CONTROL, normalized=False)
            (tokenizer.add_special_tokens if kind == CONTROL else tokenizer.add_tokens)([added])
    described = json.loads(tokenizer.to_str())
    described["pre_tokenizer"] = PRE_TOKENIZERS[str(head.facts["tokenizer.ggml.pre"])]
    return Tokenizer.from_str(json.dumps(described))


def _fact(head: Head, name: str) -> Value:
    if f"{ARCHITECTURE}.{name}" not in head.facts:
        raise InputError(f"{head.path}: its head has no {ARCHITECTURE}.{name}. Make the file again.")
    return head.facts[f"{ARCHITECTURE}.{name}"]


def _whole(head: Head, name: str) -> int:
    return int(_fact(head, name))


def _kv_heads(head: Head) -> int:
    return int(head.facts.get(f"{ARCHITECTURE}.attention.head_count_kv", _whole(head, "attention.head_count")))
