"""Who computes a step: this process alone, or several that share its rows. The loop asks for gradients, and need not know which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic

import torch

from tutelage.training.adapters import copy_weights, put_weights, trainable
from tutelage.training.objectives import Measured, Objective
from tutelage.training.rows import R

LARGEST_NORM = 1.0  # gradients are scaled down to it; usual in fine-tuning, and the norm seen here is about 0.4


def adamw(model: torch.nn.Module, rate: float) -> torch.optim.AdamW:
    """The optimiser of the learned weights."""
    return torch.optim.AdamW(trainable(model).values(), lr=rate, weight_decay=0.0)


class Alone(Generic[R]):
    """One process with its model, what is learned, and the optimiser. Several processes override how parts become a whole."""

    rank = 0
    size = 1

    def __init__(self, model: torch.nn.Module, objective: Objective[R], *, rate: float) -> None:
        self._model, self._objective = model, objective
        self._optimiser = self._make_optimiser(rate)

    def _make_optimiser(self, rate: float) -> torch.optim.Optimizer:
        """What takes the steps."""
        return adamw(self._model, rate)

    def refresh(self) -> None:
        """Take over changed weights."""
        self._objective.refresh()

    def agreed(self, asked: str) -> str:
        """The signal by which all processes shall stop now, "" if they go on. `asked` is what this process was told."""
        return asked

    def gradients(self, rows: Sequence[R], *, tokens: int, step: int, check: Callable[[], None]) -> float:
        """Leave the gradient of the mean loss a unit in the weights, and give that loss. `check` is called before each micro-batch."""
        units, total = self._objective.count(rows), 0.0
        for group in self._objective.micro_batches(rows, tokens=tokens):
            check()
            loss = self._objective.loss(group) / units
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        return total

    def update(self, rate: float) -> float:
        """Take an optimiser step of this size by the gradients, scaled down to `LARGEST_NORM`, and forget them. Gives their norm before."""
        norm = float(torch.nn.utils.clip_grad_norm_(trainable(self._model).values(), LARGEST_NORM))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self.forget()
        self.refresh()
        return norm

    def forget(self) -> None:
        """Drop the gradients."""
        self._optimiser.zero_grad()

    def measure(self, rows: Sequence[R], *, tokens: int) -> Measured:
        """What the rows are worth as the model stands."""
        return self._objective.measure(rows, tokens=tokens)

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the learned weights on the processor; empty but for the first process."""
        return copy_weights(self._model)

    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Give the learned weights these values."""
        put_weights(self._model, weights)

    def memory(self) -> dict[str, Any]:
        """What the optimiser remembers."""
        return self._optimiser.state_dict()

    def recall(self, memory: dict[str, Any]) -> None:
        """Give the optimiser that memory back."""
        self._optimiser.load_state_dict(memory)

    def finish(self, best: Mapping[str, torch.Tensor]) -> None:
        """Leave the best weights in the model."""
        self.put(best)
        self.refresh()
