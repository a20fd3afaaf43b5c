"""What a teacher says of the rows, computed once and kept on the disk: its likeliest outcomes at each learned position."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from safetensors.numpy import save

from tutelage.core.files import short_hash, write_whole
from tutelage.training.objectives.distillation_loss import Taught
from tutelage.training.rows import R

PART_ROWS = 64  # rows a file: so many at most are asked again after a kill
SMALL_VOCABULARY = 2**16

Say = Callable[[Sequence[R]], Taught]  # the teacher's answer at all positions of these rows, one row after the other


class TeacherCache:
    """The teacher's answers in `folder`, k outcomes a position.

    A position takes 4 k + 2 bytes: ids of 16 bits (32 where there are more than 65,536 outcomes: 6 k + 2 bytes) and logarithms of
    16 bits, exact to 0.05 % between -1 and 0 and to 0.4 % down to -16. When read they are scaled so that k outcomes and the
    rest together have the probability 1 again.
    """

    def __init__(self, folder: Path, *, outcomes: int) -> None:
        self._folder = folder
        self._kind = np.uint16 if outcomes <= SMALL_VOCABULARY else np.int32
        self._places: dict[str, tuple[Path, int, int]] = {}

    def fill(self, rows: Sequence[R], lengths: Sequence[int], say: Callable[[], Say[R]]) -> None:
        """Make all answers that are not there yet. `lengths` counts the positions of each row; `say` opens the teacher, once, if
        it is needed.
        """
        ask: Say[R] | None = None
        for start in range(0, len(rows), PART_ROWS):
            part, sizes = rows[start : start + PART_ROWS], lengths[start : start + PART_ROWS]
            path = self._folder / f"{short_hash(*(row.id for row in part))}.safetensors"
            if not path.exists():
                ask = ask or say()
                write_whole(path, self._packed(ask(part)))
            ends = np.cumsum(sizes).tolist()
            self._places |= {row.id: (path, end - size, end) for row, size, end in zip(part, sizes, ends, strict=True)}

    def taught(self, rows: Sequence[R], device: torch.device) -> Taught:
        """The answers at all positions of these rows, one row after the other."""
        read = [self._read(*self._places[row.id]) for row in rows]
        said = Taught.joined(read)
        norm = torch.logsumexp(torch.cat((said.logprobs, said.rest[:, None]), 1), 1)
        return Taught(said.ids.to(device), (said.logprobs - norm[:, None]).to(device), (said.rest - norm).to(device))

    def _packed(self, taught: Taught) -> bytes:
        return save({"ids": taught.ids.cpu().numpy().astype(self._kind), "logprobs": taught.logprobs.cpu().numpy().astype(np.float16),
                     "rest": taught.rest.cpu().numpy().astype(np.float16)})

    @staticmethod
    def _read(path: Path, start: int, end: int) -> Taught:
        with safe_open(str(path), framework="np") as file:
            ids, logprobs, rest = (file.get_slice(name)[start:end] for name in ("ids", "logprobs", "rest"))
        return Taught(torch.from_numpy(ids.astype(np.int64)), torch.from_numpy(logprobs).float(), torch.from_numpy(rest).float())
