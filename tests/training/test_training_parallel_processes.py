"""Two real processes: they learn what one learns, save the same adapter, end together when one is killed, and go on from there."""

import json
import os
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from running_workers import environment_of, workers_of
from safetensors.torch import load_file
from scarce_rows import scarce
from training_stage import make_dataset, run_training, scratch_of, settings_of, signal_at, small_examples
from two_processes import CASES, CLOSE, compare_with_one, small_ready, train_all

from tutelage.core.errors import Paused, TutelageError
from tutelage.core.events import Event, Events, Recorder
from tutelage.core.store import Store
from tutelage.training.checkpoint import step_of
from tutelage.training.devices import Device
from tutelage.training.loop import Loop
from tutelage.training.start import start_model
from tutelage.training.tasks import TASKS
from tutelage.training.workers import Job, train_together

WEIGHTS = "adapter/adapter_model.safetensors"
TWO = {"processes": 2}
pytestmark = pytest.mark.real  # starting processes with torch takes a minute and a half on two cores


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """The folder in which two processes have trained all cases."""
    return train_all(tmp_path_factory.mktemp("two"), "torch")


@pytest.mark.parametrize("case", CASES["torch"], ids=lambda case: case.name)
def test_two_processes_learn_what_one_learns_and_either_goes_on_from_the_other(trained, tmp_path, case):
    compare_with_one(trained, tmp_path, case)


def test_a_killed_process_ends_the_training_by_name_and_the_same_command_goes_on(tmp_path, base, calm):
    dataset, recorder = make_dataset(tmp_path, small_examples()), Recorder()
    scratch = scratch_of(tmp_path, settings_of(devices=TWO), dataset)
    killed: list[int] = []

    def kill_second(event: Event) -> None:
        if event.kind == "step" and event.facts["done"] == 3 and not killed:
            killed.append(worker_of(scratch, 1))
            os.kill(killed[0], signal.SIGKILL)

    started = time.monotonic()
    with pytest.raises(TutelageError, match=r"process 1 of 2 \(counted from 0\) was ended by SIGKILL.*The state after step \d is saved. "
                                            "Run the same command again to go on from there."):
        run_training(tmp_path, base, dataset, kill_second, devices=TWO)
    assert time.monotonic() - started < 240
    assert killed
    assert workers_of(scratch) == []
    saved = step_of(scratch / "checkpoint.pt")
    assert saved >= 3
    made = run_training(tmp_path, base, dataset, recorder, devices=TWO)
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [saved]
    learned, expected = load_file(made.file(WEIGHTS)), load_file(calm.file(WEIGHTS))
    assert learned.keys() == expected.keys()
    for name, weight in expected.items():
        torch.testing.assert_close(learned[name], weight, rtol=CLOSE, atol=CLOSE)
    summary, alone = (json.loads(artifact.file("training.json").read_text()) for artifact in (made, calm))
    assert summary["best_loss"] == pytest.approx(alone["best_loss"], abs=CLOSE)
    assert (summary["processes"], summary["promise"], summary["kept"], summary["path"]) == (2, None, None, "packed")
    assert [(one["setting"], one["value"]) for one in summary["chosen"]] == [("devices", "2 x DDP")]
    assert made.file("adapter/adapter_config.json").read_bytes() == calm.file("adapter/adapter_config.json").read_bytes()


def test_sigterm_pauses_all_processes_and_shards_give_the_same_adapter(tmp_path, base, calm):
    dataset, shards = make_dataset(tmp_path, small_examples()), {"processes": 2, "sharing": "fsdp"}
    with pytest.raises(Paused, match="stopped by SIGTERM after step"):
        run_training(tmp_path, base, dataset, signal_at(2, signal.SIGTERM), devices=shards)
    assert workers_of(scratch_of(tmp_path, settings_of(devices=shards), dataset)) == []
    assert Store(tmp_path).all("training") == []
    made = run_training(tmp_path, base, dataset, devices=shards)
    learned, expected = load_file(made.file(WEIGHTS)), load_file(calm.file(WEIGHTS))
    for name, weight in expected.items():
        torch.testing.assert_close(learned[name], weight, rtol=CLOSE, atol=CLOSE)
    assert json.loads(made.file("training.json").read_text())["path"] == "padded"


@pytest.mark.parametrize("sharing", ["ddp", "fsdp"])
def test_where_memory_runs_out_in_one_process_all_begin_again_with_half_the_tokens_and_learn_the_same(tmp_path, base, monkeypatch, sharing):
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))  # so that the processes know the rows
    ready, recorder = small_ready(base), Recorder()
    settings = settings_of(devices=TWO, batch_rows=8, micro_batch_tokens=10_000)
    scratch = tmp_path / "training" / ".x.scratch"
    scratch.mkdir(parents=True)
    job = Job(settings=settings, ready=replace(ready, train=tuple(scarce(row, scratch) for row in ready.train)), base_folder=base,
              scratch=scratch, work=tmp_path, origin="", sharing=sharing, threads=1)
    state, done = train_together(job, 2, Events(recorder))
    [short] = [event.facts for event in recorder.events if event.key == "training.memory_short_together"]
    assert short["step"] > 1  # a checkpoint was there
    assert [event.facts["step"] for event in recorder.events if event.key == "training.resumed"] == [short["step"] - 1]
    assert state.shrunk_at == [short["step"]]
    longest = max(len(row.ids) for row in ready.train)
    assert state.micro_batch_tokens == short["after"] <= 2 * longest  # at most four rows each at once, then two
    model = start_model(settings, ready, folder=base, device=Device("cpu", torch.float32, 1))
    objective = TASKS["sft"].objective(model, settings, ready=ready, base_folder=base, scratch=tmp_path, plain=sharing == "fsdp")
    calm = Loop(model=model, objective=objective, train=ready.train, validation=ready.validation, settings=settings, scratch=tmp_path,
                events=Events()).run()
    assert calm.shrunk_at == []
    assert [row.step for row in state.curve] == [row.step for row in calm.curve]
    for name, weight in calm.best.items():
        torch.testing.assert_close(state.best[name], weight, rtol=CLOSE, atol=CLOSE)
    assert done.unit == "token"


def worker_of(scratch: Path, rank: int) -> int:
    """Process id of one of the training's processes."""
    return next(process for process in workers_of(scratch) if environment_of(process)["RANK"] == str(rank))
