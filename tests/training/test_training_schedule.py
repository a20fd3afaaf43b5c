"""The step size over the course of a training."""

from typing import get_args

import pytest

from tutelage.training.schedule import RATES, SCHEDULES, highest_rate, learning_rate
from tutelage.training.settings import TrainingSettings


def rates(schedule: str) -> list[float]:
    settings = TrainingSettings(learning_rate=1e-3, warmup_steps=2, maximum_steps=12, schedule=schedule)
    return [learning_rate(step, settings) for step in range(12)]


def test_the_step_size_rises_then_falls_along_a_line():
    """Halfway, after 5 of the 10 steps that follow the warm-up, half of it is left."""
    found = rates("linear")
    assert found[:3] == [1e-3 / 3, 2e-3 / 3, 1e-3]
    assert found[7] == 0.5e-3
    assert found == sorted(found[:3]) + sorted(found[3:], reverse=True)


def test_a_cosine_falls_slowly_first_and_a_constant_not_at_all():
    """A quarter of the way a cosine has (1 + cos 45 degrees) / 2 = 0.8536 left; step 4.5 lies between steps 4 and 5."""
    found = rates("cosine")
    assert found[4] > 0.8536e-3 > found[5]
    assert found[7] == pytest.approx(0.5e-3)
    assert rates("constant")[2:] == [1e-3] * 10


def test_schedules_are_the_choices_of_the_settings():
    assert set(SCHEDULES) == set(TrainingSettings.model_json_schema()["properties"]["schedule"]["enum"])


def test_each_method_has_a_rate_of_its_own_within_its_sane_range_and_a_source():
    methods = set(get_args(TrainingSettings.model_fields["method"].annotation))
    assert set(RATES) == methods
    for method in methods:
        usual = RATES[method]
        assert usual.low <= highest_rate(TrainingSettings.model_validate({"method": method})) == usual.default <= usual.high
        assert "arXiv" in usual.source
    assert highest_rate(TrainingSettings()) == 2e-3
    assert highest_rate(TrainingSettings(learning_rate=5e-4)) == 5e-4
    assert (RATES["full"].low, RATES["full"].high) == (1e-5, 1e-4)
