"""Distillation: a student learns what its teacher says at each learned position, and the right answer as well."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tutelage.training.batches import MicroBatch, by_length, micro_batches
from tutelage.training.bodies import Body
from tutelage.training.class_rows import ClassRow
from tutelage.training.objectives import Measured
from tutelage.training.objectives.classification import class_logits, class_targets, cut_padded
from tutelage.training.objectives.distillation_loss import Terms, distil_loss, distil_terms, mixed
from tutelage.training.rows import TrainingRow
from tutelage.training.teacher import TeacherCache


class TextDistillation:
    """A decoder learns from a decoder: divergence and cross-entropy of each learned token, mixed."""

    unit = "token"

    def __init__(self, body: Body, weight: torch.Tensor, cache: TeacherCache, *, temperature: float, share: float) -> None:
        self._body, self._weight, self._cache = body, weight, cache
        self._temperature, self._share = temperature, share
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
        """Sum of the mixed loss over all learned tokens. A float64 scalar."""
        batch, device = MicroBatch(tuple(rows)), self._weight.device
        return distil_loss(self._body.hidden(batch), self._weight, batch.targets.to(device), self._cache.taught(rows, device),
                           temperature=self._temperature, share=self._share)

    @torch.no_grad()
    def measure(self, rows: Sequence[TrainingRow], *, tokens: int) -> Measured:
        """The mean mixed loss, and the bits a byte that the student itself gives to the replies."""
        total = nats = 0.0
        for group in self.micro_batches(by_length(rows), tokens=tokens):
            batch, device = MicroBatch(tuple(group)), self._weight.device
            terms = distil_terms(self._body.hidden(batch), self._weight, batch.targets.to(device), self._cache.taught(group, device),
                                 temperature=self._temperature)
            total += float(mixed(terms, temperature=self._temperature, share=self._share))
            nats += float(terms.nats)
        return Measured(loss=total / self.count(rows), score=None,
                        bits_per_byte=nats / math.log(2) / max(1, sum(row.reply_bytes for row in rows)))


class ClassDistillation:
    """A classifier learns from a classifier: divergence and cross-entropy of each row's class, mixed. The score is the accuracy."""

    unit = "row"
    path = "padded"

    def __init__(self, model: torch.nn.Module, cache: TeacherCache, *, padding: int, temperature: float, share: float) -> None:
        self._model, self._cache, self._padding = model, cache, padding
        self._temperature, self._share = temperature, share

    def refresh(self) -> None:
        """Nothing to do: the layers read their weights themselves."""

    def count(self, rows: Sequence[ClassRow]) -> int:
        """Number of rows."""
        return len(rows)

    def micro_batches(self, rows: Sequence[ClassRow], *, tokens: int) -> list[Sequence[ClassRow]]:
        """The rows, in their order, cut where the next one would make more than `tokens` padded tokens."""
        return cut_padded(rows, tokens=tokens)

    def loss(self, rows: Sequence[ClassRow]) -> torch.Tensor:
        """Sum of the rows' mixed losses. A float64 scalar."""
        return self._mixed(class_logits(self._model, rows, padding=self._padding), rows)

    @torch.no_grad()
    def measure(self, rows: Sequence[ClassRow], *, tokens: int) -> Measured:
        """The mean mixed loss, and the share of rows whose likeliest class is theirs."""
        total, right = 0.0, 0
        for group in self.micro_batches(by_length(rows), tokens=tokens):
            logits = class_logits(self._model, group, padding=self._padding)
            total += float(self._mixed(logits, group))
            right += int((logits.argmax(1) == class_targets(group, logits.device)).sum())
        return Measured(loss=total / len(rows), bits_per_byte=None, score=right / len(rows))

    def _mixed(self, logits: torch.Tensor, rows: Sequence[ClassRow]) -> torch.Tensor:
        """The classes are few: the teacher's answer has all of them, so nothing is left over."""
        taught = self._cache.taught(rows, logits.device)
        said = F.log_softmax(logits.double() / self._temperature, 1).gather(1, taught.ids)
        divergence = (taught.logprobs.exp() * (taught.logprobs - said)).sum()
        nats = F.cross_entropy(logits.double(), class_targets(rows, logits.device), reduction="sum")
        return mixed(Terms(divergence, nats), temperature=self._temperature, share=self._share)
