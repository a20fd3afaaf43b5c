"""Run folders and the lock on a work folder."""

import subprocess
import sys

import pytest

from tutelage.core.errors import InputError
from tutelage.core.events import Events
from tutelage.core.settings import Settings
from tutelage.core.store import Store
from tutelage.pipeline.runs import EVENTS, Made, alone, artifacts, new_run, newest_artifact, newest_events, runs, write_made


def finish(store: Store, stage: str, artifact_id: str) -> None:
    with store.making(stage, artifact_id, version=1, recipe="r", settings=Settings(), parents={}, inputs={}, events=Events()):
        pass


def test_the_newest_run_that_has_a_stage_names_its_artifact(tmp_path):
    store = Store(tmp_path)
    for name in ("one", "two"):
        finish(store, "endpoint", name)
    for second, ids in ((1, {"endpoint": "one"}), (2, {"endpoint": "two"}), (3, {})):
        write_made(tmp_path / "runs" / f"2026010{second}T000000-r-1", Made(recipe="r", ids=ids))
    write_made(tmp_path / "runs" / "20260109T000000-other-1", Made(recipe="other", ids={"endpoint": "one"}))
    found = newest_artifact(tmp_path, "r", "endpoint")
    assert found is not None
    assert found.id == "two"
    assert newest_artifact(tmp_path, "r", "scores") is None
    assert len(runs(tmp_path, "r")) == 3


def test_artifacts_come_newest_run_first_each_once_and_only_those_that_are_still_there(tmp_path):
    store = Store(tmp_path)
    for name in ("one", "two"):
        finish(store, "endpoint", name)
    for second, name in enumerate(("one", "gone", "two", "one")):
        write_made(tmp_path / "runs" / f"2026010{second}T000000-r-1", Made(recipe="r", ids={"endpoint": name}))
    assert [found.id for found in artifacts(tmp_path, "r", "endpoint")] == ["one", "two"]
    assert list(artifacts(tmp_path, "other", "endpoint")) == []


def test_the_newest_event_file_is_found(tmp_path):
    assert newest_events(tmp_path, "r") is None
    run = new_run(tmp_path, "r")
    (run / EVENTS).write_text("")
    assert newest_events(tmp_path, "r") == run / EVENTS


def test_two_runs_on_one_work_folder_are_refused(tmp_path):
    script = "import sys; from pathlib import Path; from tutelage.pipeline.runs import alone\nwith alone(Path(sys.argv[1])): print('held')"
    with alone(tmp_path), pytest.raises(InputError, match=r"another run \(process \d+\) is making artifacts here"), alone(tmp_path):
        pass
    held = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True)
    assert held.stdout == "held\n"
