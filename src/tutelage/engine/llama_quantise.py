"""Weights in llama.cpp's own formats of 4 to 16 bits, made by its own functions, with or without what matters most of each row."""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import quantize

from tutelage.core.errors import InputError
from tutelage.engine.llama_library import library

FLOATS = ctypes.POINTER(ctypes.c_float)
PLAIN = (GGMLQuantizationType.F32, GGMLQuantizationType.F16)


def quantise(weight: np.ndarray, kind: GGMLQuantizationType, *, name: str, importance: np.ndarray | None = None) -> np.ndarray:
    """The weight as bytes of this format, or as fp32 or fp16 numbers.

    Shapes: weight (out, in) or (in,), fp32; importance (in,): how much an error in this column counts, larger is more.
    Raises InputError if a weight is no finite number, before or after.
    """
    if not np.isfinite(weight).all():
        broken = int(weight.size - np.isfinite(weight).sum())
        raise InputError(f"the weight {name!r} has {broken:,} of {weight.size:,} numbers that are not finite; a copy of it would answer "
                         "nonsense. Nothing was kept. Train again with a lower training.learning_rate.")
    if kind in PLAIN:
        packed: np.ndarray = quantize(weight, kind)
        _check_half(packed, name)
        return packed
    rows, columns = weight.shape
    block, size = GGML_QUANT_SIZES[kind]
    source = np.ascontiguousarray(weight, np.float32)
    weighed = None if importance is None else np.ascontiguousarray(importance, np.float32)
    if weighed is not None and weighed.shape != (columns,):
        raise InputError(f"the importance of {name!r} has the shape {weighed.shape}; expected ({columns},), one number a column.")
    packed = np.empty((rows, columns // block * size), np.uint8)
    written = _ggml().ggml_quantize_chunk(int(kind), source.ctypes.data_as(FLOATS), packed.ctypes.data, 0, rows, columns,
                                          None if weighed is None else weighed.ctypes.data_as(FLOATS))
    if written != packed.nbytes or not _ggml().ggml_validate_row_data(int(kind), packed.ctypes.data, packed.nbytes):
        raise InputError(f"the weight {name!r} cannot be kept as {kind.name}: its numbers are not finite afterwards. Nothing was kept. "
                         "Set model.quantisation to f16.")
    return packed


def _check_half(packed: np.ndarray, name: str) -> None:
    if not np.isfinite(packed).all():
        raise InputError(f"the weight {name!r} has numbers beyond 65,504, which 16 bits cannot hold. Nothing was kept. "
                         "Set model.quantisation to q8_0.")


@cache
def _ggml() -> ctypes.CDLL:
    """The library with the types of the functions used here."""
    loaded = library()
    loaded.ggml_quantize_chunk.restype = ctypes.c_size_t
    loaded.ggml_quantize_chunk.argtypes = [ctypes.c_int, FLOATS, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64, FLOATS]
    loaded.ggml_validate_row_data.restype = ctypes.c_bool
    loaded.ggml_validate_row_data.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    return loaded
