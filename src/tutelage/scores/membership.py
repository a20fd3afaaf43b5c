"""Membership: can it be told from outside whether a row was trained on?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tutelage.scores import statistics
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Floats, Interval

FALSE_ALARMS = 0.01
RESAMPLES = 2_000


@dataclass(frozen=True)
class Membership:
    """How well training rows are told from others, with intervals: see `auc` and `found_at`."""

    auc: float
    auc_between: Interval
    found: float
    found_between: Interval


def membership(train: Floats, held_out: Floats, settings: ScoresSettings) -> Membership:
    """From what tuning gained on each row of both parts; the gain says more than the tuned model's surprise alone.

    Source: Carlini et al. 2022, arXiv:2112.03570: the base stands for a model without the row, and an average hides the few rows that
    are surely known. Intervals resample rows.
    """
    rng = np.random.default_rng(settings.seed)
    draws = [(rng.choice(train, len(train)), rng.choice(held_out, len(held_out))) for _ in range(min(settings.bootstrap, RESAMPLES))]
    between = [statistics.percentile_interval(np.array([figure(*draw) for draw in draws]), settings.alpha) for figure in (auc, found_at)]
    return Membership(auc(train, held_out), between[0], found_at(train, held_out), between[1])


def auc(train: Floats, held_out: Floats) -> float:
    """Chance that a value of the first is above one of the second, ties counted half. Source: Mann and Whitney 1947."""
    return float(np.mean((train[:, None] > held_out[None, :]) + 0.5 * (train[:, None] == held_out[None, :])))


def found_at(train: Floats, held_out: Floats) -> float:
    """Share of training rows above a limit that at most 1 % of the others exceed; of fewer than 100 others none does."""
    exceeding = int(FALSE_ALARMS * len(held_out))
    limit = np.sort(held_out)[len(held_out) - 1 - exceeding]
    return float(np.mean(train > limit))
