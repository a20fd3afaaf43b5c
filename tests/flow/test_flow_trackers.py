"""Trackers in a whole run: a broken one stops nothing, and switching them trains nothing anew."""

import os
from pathlib import Path

from small_flow import write_flow

from tutelage.core.events import Recorder
from tutelage.pipeline.conduct import make, plan
from tutelage.pipeline.recipe import load_recipe

FAKES = Path(__file__).parents[1] / "support" / "fake_trackers"


def test_switching_trackers_trains_nothing_anew_and_a_broken_one_stops_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(FAKES))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKES), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep))
    monkeypatch.setenv("WANDB_FAKE", "breaks at step 3")
    monkeypatch.setenv("WANDB_FAKE_FILE", str(tmp_path / "told.jsonl"))
    path, work, recorder = write_flow(tmp_path), tmp_path / "work", Recorder()
    tracked = load_recipe(path, changes=["trackers=[wandb]"])
    made = make(tracked, work, until="training", listeners=[recorder]).artifacts["training"]
    assert made.manifest.counts["steps"] == 6
    assert (tmp_path / "told.jsonl").read_text().count('"figures"') == 3
    warned = [event.facts["reason"] for event in recorder.events if event.key == "run.tracker_failed"]
    assert warned == ["ConnectionError: the service is gone"]
    untracked = plan(load_recipe(path), work, until="training")
    assert untracked == plan(tracked, work, until="training")
    assert untracked[-1].is_made
