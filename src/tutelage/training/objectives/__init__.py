"""What is learned from rows: each objective turns a model's answers on some rows into one loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch

from tutelage.training.rows import R


@dataclass(frozen=True)
class Measured:
    """What was measured on rows.

    `loss` is the mean over units, in nats. `bits_per_byte` is the loss in bits by the UTF-8 bytes of what is learned (end tokens
    included), None where that is no text. `score` is the share that is right, 0..1, None where nothing is right or wrong.
    """

    loss: float
    bits_per_byte: float | None
    score: float | None


class Objective(Protocol[R]):
    """What is learned from rows of one kind.

    `unit` says what the mean loss is taken over: "token" or "row". `path` names the way that is computed on ("packed" or
    "padded"); it changes nothing but the speed.
    """

    unit: str
    path: str

    def count(self, rows: Sequence[R]) -> int:
        """How many units the mean loss of these rows is taken over."""
        ...

    def micro_batches(self, rows: Sequence[R], *, tokens: int) -> list[Sequence[R]]:
        """The rows, in their order, in groups that are computed at once, of at most `tokens` tokens with their padding."""
        ...

    def loss(self, rows: Sequence[R]) -> torch.Tensor:
        """The sum of the loss over all units of these rows: a float64 scalar that can be differentiated."""
        ...

    def measure(self, rows: Sequence[R], *, tokens: int) -> Measured:
        """What the rows are worth as the model stands, without a gradient. Their order does not matter."""
        ...

    def refresh(self) -> None:
        """Take over changed weights: to be called before the first use and after each optimiser step."""
        ...


__all__ = ["Measured", "Objective"]
