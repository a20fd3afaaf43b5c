"""Rows at which the memory of the second of several processes runs out, once, as soon as there is a checkpoint."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import torch

from tutelage.training.checkpoint import NAME
from tutelage.training.rows import TrainingRow


@dataclass(frozen=True)
class ScarceRow(TrainingRow):
    """A row of a training with this scratch folder."""

    scratch: str

    @property
    def targets(self) -> tuple[int, ...]:
        """The learned tokens; or MemoryError, of which a file says that it was given."""
        said = Path(self.scratch) / "was-scarce"
        if os.environ["RANK"] == "1" and torch.is_grad_enabled() and (said.parent / NAME).exists() and not said.exists():
            said.touch()
            raise MemoryError
        return super().targets


def scarce(row: TrainingRow, scratch: Path) -> ScarceRow:
    """The same row in scarce memory."""
    return ScarceRow(id=row.id, ids=row.ids, supervised=row.supervised, reply_bytes=row.reply_bytes, scratch=str(scratch))
