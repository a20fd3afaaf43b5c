"""Next-token loss on learned tokens: of replies (supervised fine-tuning), or of whole texts (continued pre-training)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from tutelage.training.batches import MicroBatch, by_length, micro_batches
from tutelage.training.bodies import Body
from tutelage.training.losses import head_loss
from tutelage.training.objectives import Measured
from tutelage.training.rows import TrainingRow


class LanguageObjective:
    """Cross-entropy of each learned token, by a body that gives hidden states and the output layer's weight."""

    unit = "token"

    def __init__(self, body: Body, weight: torch.Tensor) -> None:
        self._body, self._weight = body, weight
        self.path = body.name

    def refresh(self) -> None:
        """Take over changed weights."""
        self._body.refresh()

    def count(self, rows: Sequence[TrainingRow]) -> int:
        """Number of learned tokens."""
        return sum(row.trained for row in rows)

    def micro_batches(self, rows: Sequence[TrainingRow], *, tokens: int) -> list[Sequence[TrainingRow]]:
        """The rows, cut where the next one would make more than `tokens` padded tokens."""
        return [batch.rows for batch in micro_batches(rows, tokens=tokens)]

    def loss(self, rows: Sequence[TrainingRow]) -> torch.Tensor:
        """Sum of the cross-entropies of all learned tokens, in nats. A float64 scalar."""
        batch = MicroBatch(tuple(rows))
        return head_loss(self._body.hidden(batch), self._weight, batch.targets.to(self._weight.device))

    @torch.no_grad()
    def measure(self, rows: Sequence[TrainingRow], *, tokens: int) -> Measured:
        """Nats a learned token, and bits a byte of the learned texts."""
        nats = sum(float(self.loss(group)) for group in self.micro_batches(by_length(rows), tokens=tokens))
        return Measured(loss=nats / self.count(rows), bits_per_byte=nats / math.log(2) / max(1, sum(row.reply_bytes for row in rows)),
                        score=None)
