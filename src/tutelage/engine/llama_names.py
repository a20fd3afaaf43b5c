"""The weights of a Llama under two names: those of a model folder and those of llama.cpp; and the order of rotary rows in both.

Source: llama.cpp's documentation of tensor names.
"""

from __future__ import annotations

import re

import numpy as np

TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
LAYER = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down"}
ROTARY = ("attn_q", "attn_k")
OF_FOLDER = re.compile(r"(?:model\.layers\.(\d+)\.)?(.+)\.weight")
OF_GGUF = re.compile(r"(?:blk\.(\d+)\.)?(.+)\.weight")


def gguf_name(name: str) -> str | None:
    """llama.cpp's name of a weight of a model folder, or None if it is none of a Llama."""
    found = OF_FOLDER.fullmatch(name)
    known = (LAYER if found[1] else TOP).get(found[2]) if found else None
    if not found or known is None:
        return None
    return f"blk.{found[1]}.{known}.weight" if found[1] else f"{known}.weight"


def folder_name(name: str) -> str | None:
    """The name in a model folder of a weight of llama.cpp, or None if it is none of a Llama."""
    found = OF_GGUF.fullmatch(name)
    if not found:
        return None
    names = {theirs: ours for ours, theirs in (LAYER if found[1] else TOP).items()}
    known = names.get(found[2])
    if known is None:
        return None
    return f"model.layers.{found[1]}.{known}.weight" if found[1] else f"{known}.weight"


def is_rotary(name: str) -> bool:
    """Whether the rows of a weight of llama.cpp are rotary pairs."""
    return name.split(".")[-2] in ROTARY


def pair_rotary(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in llama.cpp's order: the two rows of a rotary pair side by side, not half a head apart."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns))


def part_rotary(weight: np.ndarray, heads: int) -> np.ndarray:
    """The reverse of `pair_rotary`."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns))
