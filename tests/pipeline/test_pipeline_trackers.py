"""Figures go to trackers, nothing else does, and no tracker can stop or delay a training."""

import json
import os
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
from tracked import STEP, Told

from tutelage.core.errors import ExtraMissing, RecipeError
from tutelage.pipeline import tracker_process
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.trackers import FIGURES, TRACKERS, TrackerName, require
from tutelage.training.settings import TrainingSettings

FAKES = Path(__file__).parents[1] / "support" / "fake_trackers"


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Weights & Biases is the fake; gives what it wrote down, and lets a test choose how it behaves."""
    place = tmp_path / "told.jsonl"
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    monkeypatch.setenv("WANDB_FAKE_FILE", str(place))
    monkeypatch.setenv("WANDB_FAKE", "well")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    return lambda: [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def test_the_recipe_offers_the_trackers_that_there_are():
    assert set(get_args(TrackerName)) == set(TRACKERS) == set(tracker_process.TRACKERS)


def test_a_tracker_gets_every_step_and_how_the_training_ended(tmp_path, fake):
    told = Told(tmp_path)
    told.steps(0, 3)
    told.end()
    opening, *steps, last = fake()
    assert [row["step"] for row in steps] == [0, 1, 2, 3]
    assert steps[2]["figures"] == STEP
    assert set(STEP) == set(FIGURES)
    assert last == {"exit_code": 0}
    assert opening["init"]["id"] == "training1"
    assert opening["init"]["config"]["dataset_id"] == "dataset1"
    assert [(event.kind, event.key) for event in told.recorder.events] == [("note", "run.tracker_here")]


def test_a_training_that_failed_or_was_paused_is_told_so(tmp_path, fake):
    told = Told(tmp_path)
    told.steps(0, 1)
    told.events.send("run", "failed", "run.failed", exit_code=5, error="paused")
    told.trackers.close()
    assert fake()[-1] == {"exit_code": 5}


def test_numbers_and_ids_go_to_a_tracker_and_nothing_else(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("TUTELAGE_DESK_PASSWORD", "hunter2")
    monkeypatch.setenv("HF_TOKEN", "hunter3")
    monkeypatch.setenv("WANDB_API_KEY", "its own")
    told = Told(tmp_path, settings=TrainingSettings(base="/clients/acme/base", rank=8))
    told.events.note("training", "training.told", text="The tenant Smith pays.")
    told.steps(1, 1, row="The tenant Smith pays.", loss="The tenant Smith pays.", tokens=None, other=12345.5)
    told.events.step("dataset", done=1, total=2, loss=777.5)
    told.end()
    rows = fake()
    everything = json.dumps(rows)
    for hidden in ("hunter2", "hunter3", "Smith", "acme", "12345.5", "777.5"):
        assert hidden not in everything
    assert rows[0]["environment"]["WANDB_API_KEY"] == "its own"
    assert rows[0]["init"]["config"]["rank"] == 8
    assert rows[0]["init"]["config"]["method"] == "lora"
    given = rows[0]["init"]["settings"]["given"]
    assert (given["mode"], given["console"], given["disable_git"], given["x_disable_meta"]) == ("offline", "off", True, True)
    assert all(isinstance(value, int | float) for value in rows[1]["figures"].values())


def test_only_the_users_environment_sends_figures_away_and_the_run_says_so(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "online")
    told = Told(tmp_path)
    told.end()
    assert fake()[0]["init"]["settings"]["given"]["mode"] == "online"
    [note] = told.recorder.events
    assert (note.key, note.facts) == ("run.tracker_away", {"tracker": "Weights & Biases", "variable": "WANDB_MODE"})


@pytest.mark.parametrize(("how", "reason"), [("breaks at the start", "ConnectionError: no such project"),
                                             ("breaks at step 2", "ConnectionError: the service is gone")])
def test_a_tracker_that_breaks_is_warned_of_once_and_the_training_goes_on(tmp_path, fake, monkeypatch, how, reason):
    monkeypatch.setenv("WANDB_FAKE", how)
    told = Told(tmp_path)
    until = time.monotonic() + 60
    while not told.warnings() and time.monotonic() < until:
        told.steps(0, 4)
        time.sleep(0.02)
    assert told.warnings(), "warned of while the training runs"
    told.steps(5, 9)
    told.end()
    [warning] = told.warnings()
    assert warning == {"tracker": "Weights & Biases", "reason": reason, "log": str(tmp_path / "trackers" / "wandb" / "training1.log")}


def test_a_tracker_that_hangs_delays_no_step_and_is_stopped_at_the_end(tmp_path, fake, monkeypatch):
    monkeypatch.setenv("WANDB_FAKE", "hangs")
    told = Told(tmp_path, finishing_seconds=0.5)
    # Some 500 kB; a pipe holds 64, and the fake never reads on: whoever waited for it would wait for ever.
    told.steps(0, 2000)
    told.end()
    assert told.warnings()[0]["reason"] == "it did not finish within 0.5 seconds"


def test_more_steps_than_a_pipe_holds_all_arrive(tmp_path, fake):
    told = Told(tmp_path)
    told.steps(0, 2000)
    told.end()
    assert [row["step"] for row in fake()[1:-1]] == list(range(2001))
    assert told.warnings() == []


def test_a_folder_that_cannot_be_written_is_warned_of(tmp_path, fake):
    (tmp_path / "trackers").write_text("a file in the way")
    told = Told(tmp_path)
    told.steps(0, 1)
    told.end()
    [warning] = told.warnings()
    assert "trackers" in warning["reason"]
    assert fake() == []


def test_a_tracker_that_is_not_installed_is_told_by_line_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ExtraMissing, match=r"Weights & Biases is not installed. Run `pip install wandb`, or `pip install tutelage\[tra"):
        require("wandb")
    path = tmp_path / "r.yaml"
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {base: no-such-model}\ntrackers:\n  - wandb\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:5: trackers\.0: Weights & Biases is not installed"):
        check(load_recipe(path))
    path.write_text("name: r\ndocuments: {sources: [a]}\ntraining: {}\ntrackers: [wandbb]\n")
    with pytest.raises(RecipeError, match=r"r\.yaml:4: trackers\.0: must be one of 'wandb', 'mlflow', 'tensorboard', 'trackio'"):
        load_recipe(path)
