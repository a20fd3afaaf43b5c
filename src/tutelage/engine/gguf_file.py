"""Reads GGUF files: facts, lists, and weights as fp32; and checks that all of the file is there.

Source of the layout: the GGUF specification, version 3, in the documents of ggml.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import BinaryIO

import numpy as np
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tutelage.core.errors import InputError

MAGIC = b"GGUF"
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
ALIGNMENT = 32
Value = str | int | float | bool


@dataclass(frozen=True)
class Tensor:
    """Where a weight lies. `shape` is (out, in) as in PyTorch; `offset` counts from where the weights begin."""

    name: str
    shape: tuple[int, ...]
    kind: GGMLQuantizationType
    offset: int

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        weights, size = GGML_QUANT_SIZES[self.kind]
        return prod(self.shape) // weights * size


@dataclass(frozen=True)
class Head:
    """The head of a GGUF file: facts, lists, tensors, and where the weights begin."""

    path: Path
    facts: dict[str, Value]
    lists: dict[str, list[Value]]
    tensors: tuple[Tensor, ...]
    data: int

    def weights(self) -> Iterator[tuple[str, np.ndarray]]:
        """Each weight by llama.cpp's name, as fp32."""
        from gguf.quants import dequantize

        for tensor in self.tensors:
            raw = np.memmap(self.path, np.uint8, "r", self.data + tensor.offset, (tensor.bytes,))
            rows = raw.reshape(*tensor.shape[:-1], -1)
            yield tensor.name, dequantize(rows, tensor.kind).astype(np.float32, copy=False).reshape(tensor.shape)


def read_metadata(path: Path) -> dict[str, Value]:
    """The facts of a GGUF file. Raises InputError for a file that is absent, of another kind, or cut short."""
    return read_head(path).facts


def read_head(path: Path) -> Head:
    """The head of a GGUF file. Raises InputError for a file that is absent, of another kind, or cut short."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected a GGUF model.")
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(4)
        if magic != MAGIC:
            raise InputError(f"{path}: is no GGUF file: it begins with {magic!r}, not with {MAGIC!r}. Give a model in GGUF format.")
        try:
            _version, tensor_count, pair_count = struct.unpack("<IQQ", file.read(20))
            facts, lists = _read_pairs(file, pair_count)
            tensors = tuple(_read_tensor(file) for _ in range(tensor_count))
        except (struct.error, KeyError, ValueError, OverflowError, MemoryError) as error:
            raise InputError(f"{path}: its head cannot be read ({error}); the file has {size:,} bytes and may be cut short. "
                             "Copy or make it again.") from None
        alignment = int(facts.get("general.alignment", ALIGNMENT))
        data = -(-file.tell() // alignment) * alignment
    needed = data + max((tensor.offset + tensor.bytes for tensor in tensors), default=0)
    if size < needed:
        raise InputError(f"{path}: is cut short: it has {size:,} bytes; its head announces {needed:,}. Copy or make it again.")
    return Head(path=path, facts=facts, lists=lists, tensors=tensors, data=data)


def _number(file: BinaryIO, code: str) -> int | float | bool:
    value: int | float | bool = struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0]
    return value


def _string(file: BinaryIO) -> str:
    return file.read(int(_number(file, "Q"))).decode("utf-8")


def _read_pairs(file: BinaryIO, count: int) -> tuple[dict[str, Value], dict[str, list[Value]]]:
    facts: dict[str, Value] = {}
    lists: dict[str, list[Value]] = {}
    for _ in range(count):
        key = _string(file)
        kind = int(_number(file, "I"))
        if kind == ARRAY:
            lists[key] = _read_list(file)
        else:
            facts[key] = _string(file) if kind == STRING else _number(file, NUMBERS[kind])
    return facts, lists


def _read_list(file: BinaryIO) -> list[Value]:
    kind, length = struct.unpack("<IQ", file.read(12))
    if kind == STRING:
        return [_string(file) for _ in range(length)]
    return [_number(file, NUMBERS[kind]) for _ in range(length)]


def _read_tensor(file: BinaryIO) -> Tensor:
    name = _string(file)
    shape = tuple(int(_number(file, "Q")) for _ in range(int(_number(file, "I"))))
    kind = GGMLQuantizationType(int(_number(file, "I")))
    return Tensor(name=name, shape=shape[::-1], kind=kind, offset=int(_number(file, "Q")))
