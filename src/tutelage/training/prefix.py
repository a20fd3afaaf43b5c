"""What frozen layers compute of each row, kept on the disk in 16 bits: computed once, read in every later epoch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from tutelage.core.files import write_whole
from tutelage.training.batches import MicroBatch, by_length, micro_batches
from tutelage.training.rows import TrainingRow

STATES, KEPT, KEY = "states.bin", "kept.bin", "key.txt"
FORMAT = "1"
LARGEST = 15  # fp16 ends at 65,504: the largest number of a position is scaled to between 2**14 and 2**15


class PrefixStates:
    """States that enter the first layer that learns, row by row, as fp16 with one scale (a power of two) a position.

    A number keeps 11 bits (it is off by at most 1 in 2,048), down to 2**-28 of the largest of its position; smaller ones keep fewer.
    Rows are computed in groups that depend on `rows` and `tokens` alone, and are always read back from 16 bits: whether a run was
    killed, and which rows it has met before, changes no bit.
    """

    def __init__(self, rows: Sequence[TrainingRow], folder: Path, *, width: int, tokens: int,
                 compute: Callable[[MicroBatch], torch.Tensor], fingerprint: str) -> None:
        self._width, self._compute = width, compute
        self._groups = micro_batches(by_length(rows), tokens=tokens)
        self._group_of = {row: number for number, group in enumerate(self._groups) for row in group.rows}
        self._offsets: dict[TrainingRow, int] = {}
        self.size_bytes = 0
        for row in self._group_of:
            self._offsets[row] = self.size_bytes
            self.size_bytes += len(row.inputs) * self._position_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._states, self._kept = folder / STATES, folder / KEPT
        self._begin(folder / KEY, fingerprint)

    @property
    def _position_bytes(self) -> int:
        return 2 * self._width + 4

    def _begin(self, key_file: Path, fingerprint: str) -> None:
        """Go on with what is kept if it is of the same rows and weights, else start empty."""
        key = hashlib.sha256(FORMAT.encode())
        for text in (fingerprint, *(f"{row.id} {row.ids} {len(row.inputs)} {group}" for row, group in self._group_of.items())):
            key.update(text.encode() + b"\n")
        if not (key_file.is_file() and key_file.read_text("utf-8") == key.hexdigest()):
            key_file.unlink(missing_ok=True)
            self._states.write_bytes(b"")
            self._kept.write_bytes(bytes(len(self._groups)))
            write_whole(key_file, key.hexdigest())
        self._is_kept = bytearray(self._kept.read_bytes())

    def states(self, batch: MicroBatch) -> torch.Tensor | None:
        """The states of a micro-batch in fp32, packed as `batch.packed_ids` is. None if a row is not among those that are kept.

        Shape (packed, width).
        """
        if not all(row in self._group_of for row in batch.rows):
            return None
        for number in sorted({self._group_of[row] for row in batch.rows}):
            if not self._is_kept[number]:
                self._keep(number)
        with self._states.open("rb") as file:
            parts = [self._read(file.fileno(), batch.rows[0], 0, batch.shared)] if batch.shared else []
            parts += [self._read(file.fileno(), row, batch.shared, len(row.inputs)) for row in batch.rows]
        return torch.cat(parts)

    def _keep(self, number: int) -> None:
        """Compute the rows of a group and write them; only then are they marked as kept."""
        group = self._groups[number]
        states = self._compute(group)
        common, *rests = torch.split(states, [group.shared, *group.lengths])
        with self._states.open("r+b") as file:
            for row, rest in zip(group.rows, rests, strict=True):
                file.seek(self._offsets[row])
                file.write(to_16_bits(torch.cat((common, rest))))
            file.flush()
            os.fsync(file.fileno())
        self._is_kept[number] = 1
        with self._kept.open("r+b") as file:
            file.seek(number)
            file.write(b"\1")

    def _read(self, file: int, row: TrainingRow, start: int, end: int) -> torch.Tensor:
        size = self._position_bytes
        return from_16_bits(os.pread(file, (end - start) * size, self._offsets[row] + start * size), self._width)


def to_16_bits(states: torch.Tensor) -> bytes:
    """For each position an int32 exponent and `width` fp16 numbers, which times two to the exponent are the states (n, width)."""
    exponents = torch.frexp(states.abs().amax(1)).exponent.numpy().astype(np.int32)[:, None] - LARGEST
    scaled = np.ldexp(states.numpy(), -exponents).astype(np.float16)
    return np.concatenate((exponents.view(np.uint8), scaled.view(np.uint8)), 1).tobytes()


def from_16_bits(data: bytes, width: int) -> torch.Tensor:
    """The reverse of `to_16_bits`, in fp32. Shape (n, width)."""
    positions = np.frombuffer(data, np.uint8).reshape(-1, 4 + 2 * width)
    exponents, scaled = positions[:, :4].copy().view(np.int32), positions[:, 4:].copy().view(np.float16)
    return torch.from_numpy(np.ldexp(scaled.astype(np.float32), exponents))
