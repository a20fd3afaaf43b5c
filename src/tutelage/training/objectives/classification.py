"""Sequence classification: cross-entropy of each row's class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from tutelage.training.batches import by_length, cut_padded
from tutelage.training.class_rows import ClassRow
from tutelage.training.objectives import Measured


class ClassObjective:
    """Cross-entropy over the classes, by a model whose last layer gives one number a class. The score is the accuracy."""

    unit = "row"
    path = "padded"

    def __init__(self, model: torch.nn.Module, *, padding: int) -> None:
        self._model: Any = model
        self._padding = padding

    def refresh(self) -> None:
        """Nothing to do: the layers read their weights themselves."""

    def count(self, rows: Sequence[ClassRow]) -> int:
        """Number of rows."""
        return len(rows)

    def micro_batches(self, rows: Sequence[ClassRow], *, tokens: int) -> list[Sequence[ClassRow]]:
        """The rows, in their order, cut where the next one would make more than `tokens` padded tokens."""
        return cut_padded(rows, tokens=tokens)

    def loss(self, rows: Sequence[ClassRow]) -> torch.Tensor:
        """Sum of the rows' losses, in nats. A float64 scalar."""
        return self.of_logits(class_logits(self._model, rows, padding=self._padding), rows)

    @torch.no_grad()
    def measure(self, rows: Sequence[ClassRow], *, tokens: int) -> Measured:
        """The mean loss, and the share of rows whose likeliest class is theirs."""
        total, right = 0.0, 0
        for group in self.micro_batches(by_length(rows), tokens=tokens):
            logits = class_logits(self._model, group, padding=self._padding)
            total += float(self.of_logits(logits, group))
            right += int((logits.argmax(1) == class_targets(group, logits.device)).sum())
        return Measured(loss=total / len(rows), bits_per_byte=None, score=right / len(rows))

    def of_logits(self, logits: torch.Tensor, rows: Sequence[ClassRow]) -> torch.Tensor:
        """The sum of the loss over the rows, whose logits these are."""
        return F.cross_entropy(logits.double(), class_targets(rows, logits.device), reduction="sum")


def class_logits(model: Any, rows: Sequence[ClassRow], *, padding: int) -> torch.Tensor:
    """The model's logits of rows padded on the right, which it is told not to look at. Shape (rows, classes)."""
    longest = max(len(row.ids) for row in rows)
    ids = torch.tensor([[*row.ids, *[padding] * (longest - len(row.ids))] for row in rows])
    mask = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    logits: torch.Tensor = model(input_ids=ids.to(model.device), attention_mask=mask.to(model.device)).logits
    return logits


def class_targets(rows: Sequence[ClassRow], device: torch.device) -> torch.Tensor:
    """The class of each row. Shape (rows,)."""
    return torch.tensor([row.label for row in rows], device=device)
