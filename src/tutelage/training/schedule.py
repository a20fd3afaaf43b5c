"""The step size over the course of a training, and the range in which it is sane."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from tutelage.training.settings import TrainingSettings


@dataclass(frozen=True)
class Rates:
    """Step sizes of a method: the usual range, what is taken when nothing is said, and where this is from."""

    low: float
    high: float
    default: float
    source: str


_LORA = Rates(1e-4, 2e-3, 2e-3, "about ten times the 1e-5 to 1e-4 of full tuning: arXiv 2602.06204")
_OWN = Rates(1e-5, 1e-4, 1e-4, "the usual range of full tuning, a tenth of that of LoRA: arXiv 2602.06204")
RATES: dict[str, Rates] = {
    "full": _OWN, "frozen_embeddings": _OWN, "last_layers": _OWN, "lora": _LORA, "qlora": _LORA,
    "adapter": Rates(3e-5, 3e-3, 1e-3, "the range that was searched for bottleneck adapters: arXiv 1902.00751, section 3.1")}

SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1 - share,
    "constant": lambda share: 1.0,
}


def highest_rate(settings: TrainingSettings) -> float:
    """The step size that the schedule rises to: what the recipe says, else the method's own."""
    return RATES[settings.method].default if settings.learning_rate is None else settings.learning_rate


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """The step size of a step (the first is 0): rising in equal parts through the warm-up, then by the schedule."""
    highest = highest_rate(settings)
    if step < settings.warmup_steps:
        return highest * (step + 1) / (settings.warmup_steps + 1)
    left = settings.maximum_steps - settings.warmup_steps
    return highest * SCHEDULES[settings.schedule]((step - settings.warmup_steps) / max(left, 1))
