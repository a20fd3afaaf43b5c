"""The step size over the course of a training, and the range in which it is sane."""

from __future__ import annotations

import math
from collections.abc import Callable

from tutelage.training.settings import TrainingSettings

SANE_RATES: dict[str, tuple[float, float]] = {"lora": (1e-4, 2e-3)}
RATE_SOURCE = "about ten times the 1e-5 to 1e-4 of full tuning: arXiv 2602.06204"

SCHEDULES: dict[str, Callable[[float], float]] = {
    "cosine": lambda share: 0.5 * (1 + math.cos(math.pi * share)),
    "linear": lambda share: 1 - share,
    "constant": lambda share: 1.0,
}


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """The step size of a step (the first is 0): rising in equal parts through the warm-up, then by the schedule."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / (settings.warmup_steps + 1)
    left = settings.maximum_steps - settings.warmup_steps
    return settings.learning_rate * SCHEDULES[settings.schedule]((step - settings.warmup_steps) / max(left, 1))


def is_sane(method: str, rate: float) -> bool:
    """Whether the step size lies in the range that is usual for the method."""
    low, high = SANE_RATES[method]
    return low <= rate <= high
