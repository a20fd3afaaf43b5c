"""Distillation: a student learns what its teacher says at each learned position, and the right answer as well."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F

from tutelage.training.batches import MicroBatch, by_length
from tutelage.training.bodies import Body
from tutelage.training.class_rows import ClassRow
from tutelage.training.objectives import Measured
from tutelage.training.objectives.classification import ClassObjective
from tutelage.training.objectives.distillation_loss import Terms, distil_loss, distil_terms, mixed
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.rows import TrainingRow
from tutelage.training.teacher import TeacherCache


class TextDistillation(LanguageObjective):
    """A decoder learns from a decoder: divergence and cross-entropy of each learned token, mixed."""

    def __init__(self, body: Body, weight: torch.Tensor, cache: TeacherCache, *, temperature: float, share: float) -> None:
        super().__init__(body, weight)
        self._cache, self._temperature, self._share = cache, temperature, share

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


class ClassDistillation(ClassObjective):
    """A classifier learns from a classifier: divergence and cross-entropy of each row's class, mixed."""

    def __init__(self, model: torch.nn.Module, cache: TeacherCache, *, padding: int, temperature: float, share: float) -> None:
        super().__init__(model, padding=padding)
        self._cache, self._temperature, self._share = cache, temperature, share

    def of_logits(self, logits: torch.Tensor, rows: Sequence[ClassRow]) -> torch.Tensor:
        """The sum of the mixed loss. The classes are few: the teacher's answer has all of them, so nothing is left over."""
        taught = self._cache.taught(rows, logits.device)
        said = F.log_softmax(logits.double() / self._temperature, 1).gather(1, taught.ids)
        divergence = (taught.logprobs.exp() * (taught.logprobs - said)).sum()
        return mixed(Terms(divergence, super().of_logits(logits, rows)), temperature=self._temperature, share=self._share)
