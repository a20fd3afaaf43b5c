"""DeepSpeed's ZeRO in two processes learns what one process learns, and either goes on from the other."""

import json
import signal
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_stage import make_dataset, run_training, signal_at, small_examples
from two_processes import CASES, CLOSE, compare_with_one, train_all

from tutelage.core.errors import Paused
from tutelage.training.team import LARGEST_NORM
from tutelage.training.zero import WHOLE_NUMBERS, zero_config

pytestmark = [pytest.mark.real,  # starting processes with torch and DeepSpeed takes more than a minute on two cores
              pytest.mark.skipif(find_spec("deepspeed") is None, reason="DeepSpeed is not installed: pip install tutelage[deepspeed]")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder in which two processes have trained all cases."""
    return train_all(tmp_path_factory.mktemp("zero"), "deepspeed")


@pytest.mark.parametrize("case", CASES["deepspeed"], ids=lambda case: case.name)
def test_two_processes_of_deepspeed_learn_what_one_learns_and_either_goes_on_from_the_other(trained, tmp_path, case):
    compare_with_one(trained, tmp_path, case)


@pytest.mark.parametrize("stage", [2, 3])
def test_the_configuration_is_one_that_deepspeed_knows(stage, monkeypatch):
    from deepspeed.runtime.config import DeepSpeedConfig

    monkeypatch.setenv("WORLD_SIZE", "1")
    read = DeepSpeedConfig(zero_config(stage))
    assert (read.zero_optimization_stage, read.gradient_clipping) == (stage, LARGEST_NORM)
    assert read.zero_config.param_persistence_threshold == WHOLE_NUMBERS


def test_a_training_paused_under_zero_3_goes_on_and_saves_the_adapter_of_one_process(tmp_path, base, calm):
    dataset, devices = make_dataset(tmp_path, small_examples()), {"processes": 2, "sharing": "zero3"}
    with pytest.raises(Paused, match="stopped by SIGTERM after step"):
        run_training(tmp_path, base, dataset, signal_at(2, signal.SIGTERM), devices=devices)
    made = run_training(tmp_path, base, dataset, devices=devices)
    learned, expected = load_file(made.file("adapter/adapter_model.safetensors")), load_file(calm.file("adapter/adapter_model.safetensors"))
    for name, weight in expected.items():
        torch.testing.assert_close(learned[name], weight, rtol=CLOSE, atol=CLOSE)
    summary = json.loads(made.file("training.json").read_text())
    assert [(one["setting"], one["value"]) for one in summary["chosen"]] == [("devices", "2 x ZeRO-3")]
    assert summary["path"] == "padded"
