"""Which format each weight of a GGUF copy gets: llama.cpp's own mixtures, and what stands in where a row does not divide.

Source: llama.cpp's llama-quant.cpp (Q4_K_M, Q5_K_M, and the formats it falls back to).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gguf.constants import GGML_QUANT_SIZES, LlamaFileType
from gguf.constants import GGMLQuantizationType as Kind

from tutelage.engine.onnx_folder import OnnxKind

Quantisation = Literal["q4_k_m", "q5_k_m", "q8_0", "f16"]
# Where a row is no multiple of 256, the nearest format of blocks of 32 that loses no more; where it is none of 32, 16 bits.
STAND_IN = {Kind.Q4_K: Kind.Q5_0, Kind.Q5_K: Kind.Q5_1, Kind.Q6_K: Kind.Q8_0, Kind.Q8_0: Kind.F16, Kind.Q5_0: Kind.F16, Kind.Q5_1: Kind.F16}
WEIGHED: tuple[Quantisation, ...] = ("q4_k_m", "q5_k_m")  # those whose rounding an importance matrix guides
SENSITIVE = ("attn_v", "ffn_down")  # an error here costs most


@dataclass(frozen=True)
class Mixture:
    """The formats of one quantisation: `most` for matrices, `finer` for the embedding and for sensitive matrices of some layers."""

    most: Kind
    finer: Kind
    file_type: LlamaFileType


MIXTURES: dict[Quantisation, Mixture] = {
    "q4_k_m": Mixture(Kind.Q4_K, Kind.Q6_K, LlamaFileType.MOSTLY_Q4_K_M),
    "q5_k_m": Mixture(Kind.Q5_K, Kind.Q6_K, LlamaFileType.MOSTLY_Q5_K_M),
    "q8_0": Mixture(Kind.Q8_0, Kind.Q8_0, LlamaFileType.MOSTLY_Q8_0),
    "f16": Mixture(Kind.F16, Kind.F16, LlamaFileType.MOSTLY_F16),
}
SEARCH: tuple[Quantisation, ...] = ("q4_k_m", "q5_k_m", "q8_0", "f16")  # smallest first: the order in which larger copies are tried
ONNX_SEARCH: tuple[OnnxKind, ...] = ("int4", "int8_blocks", "int8", "fp32")  # the same of ONNX copies


def format_of(name: str, shape: tuple[int, ...], quantisation: Quantisation, layers: int) -> Kind:
    """The format of the weight of llama.cpp's `name`. Norms and biases stay in fp32."""
    if len(shape) == 1:
        return Kind.F32
    mixture = MIXTURES[quantisation]
    parts = name.split(".")
    is_top = parts[0] != "blk"
    is_finer = is_top or (parts[2] in SENSITIVE and _has_more_bits(int(parts[1]), layers))
    kind = mixture.finer if is_finer else mixture.most
    while kind != Kind.F16 and shape[-1] % GGML_QUANT_SIZES[kind][0]:
        kind = STAND_IN[kind]
    return kind


def _has_more_bits(layer: int, layers: int) -> bool:
    """The first and the last eighth of the layers, and every third between them."""
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2
