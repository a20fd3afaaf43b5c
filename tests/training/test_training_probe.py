"""The probe on a tiny model: it measures, it leaves no trace in what is learned, and the training reports whether the promise was kept."""

import json
import signal

import pytest
import training_stage
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.errors import Paused
from tutelage.core.events import Events, Recorder
from tutelage.core.store import Making
from tutelage.pipeline.skills import trim_base
from tutelage.training.budget import Settled
from tutelage.training.devices import choose_device
from tutelage.training.fitting import Lost
from tutelage.training.make import foresee
from tutelage.training.preflight import Ready
from tutelage.training.probe import probe
from tutelage.training.settings import TrainingSettings

WEIGHTS = "adapter/adapter_model.safetensors"


def summary_of(artifact) -> dict:
    return json.loads(artifact.file("training.json").read_text())


def foreseen(work, base, dataset, **changed: object) -> Settled:
    """What is settled for the training that `run_training` would make, kept where that finds it."""
    asked = training_stage.settings_of(**changed)
    folder = work / "unused"
    folder.mkdir()
    making = Making(settings=asked, parents={"dataset": dataset}, folder=folder, work=work, events=Events(),
                    scratch=training_stage.scratch_of(work, asked, dataset))
    return foresee(making, base_folder=lambda: base, trim=trim_base)


def test_the_promise_stands_beside_what_the_training_took(calm):
    summary = summary_of(calm)
    kept, promise = summary["kept"], summary["promise"]
    assert promise["work"]["steps"] == summary["steps"] == 6
    assert promise["work"]["tokens"] == summary["tokens"]
    assert promise["work"]["measurements"] == 4
    assert kept["promised_minutes"] == pytest.approx(promise["minutes"], abs=2e-3)
    assert 0 < kept["minutes"] < 10
    # The process alone, with torch, holds over 0.1 GB; a model of 0.3 MB adds next to nothing.
    assert 0.1 < kept["memory_gb"] == pytest.approx(promise["memory_gb"], rel=0.2)
    assert calm.manifest.facts["promised_minutes"] == kept["promised_minutes"]
    assert calm.manifest.facts["minutes"] == kept["minutes"]
    assert calm.manifest.facts["memory_gb"] == kept["memory_gb"]


def test_promise_and_outcome_are_told(tmp_path, base):
    recorder = Recorder()
    run_training(tmp_path, base, make_dataset(tmp_path, small_examples()), recorder, maximum_steps=2)
    keys = [event.key for event in recorder.events]
    assert keys.index("training.promise") < keys.index("training.took")
    assert keys[-1] in ("training.kept", "training.not_kept")
    told = recorder.events[-1].facts
    assert set(told) == {"promised_minutes", "minutes", "promised_memory_gb", "memory_gb"}


def test_a_probe_measures_all_parts_on_rows_of_all_lengths(base, rows):
    settings = TrainingSettings.model_validate({**training_stage.SMALL, "base": "tiny"})
    ready = Ready(tuple(rows[:12]), tuple(rows[12:]), Lost())
    pace = probe(settings, ready, folder=base, device=choose_device(1), seconds=1)
    assert pace.steps >= 2
    assert pace.layers == 2
    assert pace.is_measured
    for name in ("seconds_start", "seconds_hash", "seconds_token", "seconds_validation_token", "seconds_proof_token", "seconds_checkpoint"):
        assert 0 < getattr(pace, name) < 5, name
    # 256 tokens at once are allowed, and the longest rows of a batch of four together have fewer.
    assert max(len(row.ids) for row in rows) <= pace.widest <= 256
    assert pace.memory_gb > 0.1
    assert 0 <= pace.gb_a_token < 0.01


def test_the_probe_leaves_no_trace_and_the_training_takes_over_what_the_plan_promised(tmp_path, base, calm):
    dataset = make_dataset(tmp_path, small_examples())
    settled = foreseen(tmp_path, base, dataset)
    made = run_training(tmp_path, base, dataset)
    assert summary_of(made)["promise"] == settled.promise.model_dump(mode="json")
    assert summary_of(calm)["promise"] != summary_of(made)["promise"]  # the other run probed for itself
    assert made.file(WEIGHTS).read_bytes() == calm.file(WEIGHTS).read_bytes()


def test_the_time_decides_the_steps_and_a_paused_run_keeps_the_decision(tmp_path, base):
    dataset = make_dataset(tmp_path, small_examples())
    free = {"minutes": 2, "maximum_steps": 70, "validate_every": 20}
    with pytest.raises(Paused):
        run_training(tmp_path, base, dataset, training_stage.signal_at(2, signal.SIGTERM), **free)
    recorder = Recorder()
    made = run_training(tmp_path, base, dataset, recorder, **free)
    summary = summary_of(made)
    # Twelve rows, four a step: three steps go through them, and four times through are enough; ten measurements after them.
    assert summary["steps"] == 12
    assert {chosen["setting"]: chosen["value"] for chosen in summary["chosen"]} == {
        "layers": "all", "maximum_steps": 12, "validate_every": 2}
    assert made.manifest.settings["maximum_steps"] == 70
    told = [event.facts["setting"] for event in recorder.events if event.key == "training.chosen"]
    assert told == ["layers", "maximum_steps", "validate_every"]
    assert sum(event.key == "training.resumed" for event in recorder.events) == 1
