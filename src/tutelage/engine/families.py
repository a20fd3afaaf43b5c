"""Families of decoders: their weights as a model folder has them and as llama.cpp has them, by name and by value.

Source: llama.cpp's documentation of tensor names.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

TOP = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
MATRICES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
            "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down"}
OF_FOLDER = re.compile(r"(?:model\.layers\.(\d+)\.)?(.+)\.(weight|bias)")
OF_GGUF = re.compile(r"(?:blk\.(\d+)\.)?(.+)\.(weight|bias)")


@dataclass(frozen=True)
class Family:
    """What differs between families.

    `architecture` is llama.cpp's name; `model_type` and `model_class` are those of transformers; `layer` has the weights of a
    layer, ours to llama.cpp's; those in `biased` have a bias too. `pairs_rotary`: llama.cpp has the two rows of a rotary pair
    side by side, not half a head apart. `norm_offset` is what its norms are larger by.
    """

    architecture: str
    model_type: str
    model_class: str
    layer: dict[str, str]
    pairs_rotary: bool = False
    norm_offset: float = 0.0
    biased: tuple[str, ...] = ()

    def gguf_name(self, name: str) -> str | None:
        """llama.cpp's name of a weight of a model folder, or None if it is none of this family."""
        found = OF_FOLDER.fullmatch(name)
        known = (self.layer if found[1] else TOP).get(found[2]) if found else None
        if not found or known is None or (found[3] == "bias" and found[2] not in self.biased):
            return None
        return f"blk.{found[1]}.{known}.{found[3]}" if found[1] else f"{known}.{found[3]}"

    def folder_name(self, name: str) -> str | None:
        """The name in a model folder of a weight of llama.cpp, or None if it is none of this family."""
        found = OF_GGUF.fullmatch(name)
        if not found:
            return None
        names = {theirs: ours for ours, theirs in (self.layer if found[1] else TOP).items()}
        known = names.get(found[2])
        if known is None or (found[3] == "bias" and known not in self.biased):
            return None
        return f"model.layers.{found[1]}.{known}.{found[3]}" if found[1] else f"{known}.{found[3]}"

    def to_gguf(self, name: str, weight: np.ndarray, *, heads: int, groups: int) -> np.ndarray:
        """A weight of a model folder as llama.cpp has it. `name` is llama.cpp's; `heads` of queries, `groups` of keys."""
        if weight.ndim == 1:
            return weight + np.float32(self.norm_offset) if self.norm_offset else weight
        rotary = self._rotary(name, heads, groups)
        return pair_rotary(weight, rotary) if rotary else weight

    def from_gguf(self, name: str, weight: np.ndarray, *, heads: int, groups: int) -> np.ndarray:
        """The reverse of `to_gguf`."""
        if weight.ndim == 1:
            return weight - np.float32(self.norm_offset) if self.norm_offset else weight
        rotary = self._rotary(name, heads, groups)
        return part_rotary(weight, rotary) if rotary else weight

    def _rotary(self, name: str, heads: int, groups: int) -> int:
        """How many heads have rows in another order; 0 for a weight whose order is the same."""
        return {"attn_q": heads, "attn_k": groups}.get(name.split(".")[-2], 0) if self.pairs_rotary else 0


TWO_NORMS = MATRICES | {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm"}
HEAD_NORMS = {"self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm"}
LLAMA = Family(architecture="llama", model_type="llama", model_class="LlamaForCausalLM", pairs_rotary=True, layer=TWO_NORMS)
MISTRAL = Family(architecture="llama", model_type="mistral", model_class="MistralForCausalLM", pairs_rotary=True, layer=TWO_NORMS)
QWEN2 = Family(architecture="qwen2", model_type="qwen2", model_class="Qwen2ForCausalLM", layer=TWO_NORMS,
               biased=("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"))
QWEN3 = Family(architecture="qwen3", model_type="qwen3", model_class="Qwen3ForCausalLM", layer=TWO_NORMS | HEAD_NORMS)
GEMMA3 = Family(architecture="gemma3", model_type="gemma3_text", model_class="Gemma3ForCausalLM", norm_offset=1.0,
                layer=MATRICES | HEAD_NORMS | {
                    "input_layernorm": "attn_norm", "post_attention_layernorm": "post_attention_norm",
                    "pre_feedforward_layernorm": "ffn_norm",
                    "post_feedforward_layernorm": "post_ffw_norm"})
FAMILIES = (LLAMA, GEMMA3, QWEN2, QWEN3, MISTRAL)
OF_ARCHITECTURE = {family.architecture: family for family in reversed(FAMILIES)}  # a file of a Mistral reads as the Llama that it is
GEMMA3_PERIOD = 6  # every sixth layer sees all tokens, the others a window: fixed in llama.cpp
GEMMA3_LOCAL_THETA = 10_000.0  # rotary base of the layers with a window: llama.cpp's default


def pair_rotary(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in llama.cpp's order: the two rows of a rotary pair side by side, not half a head apart."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns))


def part_rotary(weight: np.ndarray, heads: int) -> np.ndarray:
    """The reverse of `pair_rotary`."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, rows // heads // 2, 2, columns).swapaxes(1, 2).reshape(rows, columns))


def gemma3_layer_types(layers: int) -> list[str]:
    """The kind of attention of each layer, in transformers' words."""
    return ["sliding_attention" if number % GEMMA3_PERIOD else "full_attention" for number in range(1, layers + 1)]
