"""Reads the head of a GGUF file: its facts (strings and numbers, no arrays), and whether all of its weights are there.

Source of the layout: the GGUF specification, version 3, in the documents of ggml.
"""

from __future__ import annotations

import struct
from math import prod
from pathlib import Path
from typing import BinaryIO

from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType

from tutelage.core.errors import InputError

MAGIC = b"GGUF"
STRING, ARRAY = 8, 9
NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
ALIGNMENT = 32
Value = str | int | float | bool


def read_metadata(path: Path) -> dict[str, Value]:
    """The facts of a GGUF file. Raises InputError for a file that is absent, of another kind, or cut short."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file; expected a GGUF model.")
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(4)
        if magic != MAGIC:
            raise InputError(f"{path}: is no GGUF file: it begins with {magic!r}, not with {MAGIC!r}. Give a model in GGUF format.")
        try:
            _version, tensors, pairs = struct.unpack("<IQQ", file.read(20))
            metadata = _read_pairs(file, pairs)
            needed = _read_end(file, tensors, int(metadata.get("general.alignment", ALIGNMENT)))
        except (struct.error, UnicodeDecodeError, KeyError, ValueError) as error:
            raise InputError(f"{path}: its head cannot be read ({error}); the file has {size:,} bytes and may be cut short. "
                             "Copy or make it again.") from None
    if size < needed:
        raise InputError(f"{path}: is cut short: it has {size:,} bytes; its head announces {needed:,}. Copy or make it again.")
    return metadata


def _number(file: BinaryIO, code: str) -> int | float | bool:
    value: int | float | bool = struct.unpack("<" + code, file.read(struct.calcsize("<" + code)))[0]
    return value


def _string(file: BinaryIO) -> str:
    return file.read(int(_number(file, "Q"))).decode("utf-8")


def _read_pairs(file: BinaryIO, count: int) -> dict[str, Value]:
    metadata: dict[str, Value] = {}
    for _ in range(count):
        key = _string(file)
        kind = int(_number(file, "I"))
        if kind == ARRAY:
            _skip_array(file)
        else:
            metadata[key] = _string(file) if kind == STRING else _number(file, NUMBERS[kind])
    return metadata


def _skip_array(file: BinaryIO) -> None:
    kind, length = struct.unpack("<IQ", file.read(12))
    if kind == STRING:
        for _ in range(length):
            file.seek(int(_number(file, "Q")), 1)
    elif kind == ARRAY:
        for _ in range(length):
            _skip_array(file)
    else:
        file.seek(length * struct.calcsize("<" + NUMBERS[kind]), 1)


def _read_end(file: BinaryIO, tensors: int, alignment: int) -> int:
    """Bytes that the whole file must have, from the list of its tensors."""
    end = 0
    for _ in range(tensors):
        _string(file)
        shape = [int(_number(file, "Q")) for _ in range(int(_number(file, "I")))]
        weights, size = GGML_QUANT_SIZES[GGMLQuantizationType(int(_number(file, "I")))]
        end = max(end, int(_number(file, "Q")) + prod(shape) // weights * size)
    return -(-file.tell() // alignment) * alignment + end
