"""The step size over the course of a training, and the range in which it is sane."""

from __future__ import annotations

import math
from collections.abc import Callable

from tutelage.training.settings import TrainingSettings

SANE_RATES: dict[str, tuple[float, float]] = {"lora": (1e-4, 2e-3)}
DEFAULT_RATES: dict[str, float] = {"lora": 2e-3}  # the table of docs/stages/training.md
RATE_SOURCE = "about ten times the 1e-5 to 1e-4 of full tuning: arXiv 2602.06204"

SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1 - share,
    "constant": lambda share: 1.0,
}


def highest_rate(settings: TrainingSettings) -> float:
    """The step size that the schedule rises to: what the recipe says, else the method's own."""
    return DEFAULT_RATES[settings.method] if settings.learning_rate is None else settings.learning_rate


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """The step size of a step (the first is 0): rising in equal parts through the warm-up, then by the schedule."""
    highest = highest_rate(settings)
    if step < settings.warmup_steps:
        return highest * (step + 1) / (settings.warmup_steps + 1)
    left = settings.maximum_steps - settings.warmup_steps
    return highest * SCHEDULES[settings.schedule]((step - settings.warmup_steps) / max(left, 1))
