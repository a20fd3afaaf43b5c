"""The process of one tracker: reads figures from its input, line by line, and hands them to the tracker's own package.

It is given numbers and ids only, so whatever the package records of its surroundings, no document, prompt or secret is among it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

PROJECT = "tutelage"
PAUSED = 5  # the exit code of a run that will go on


@dataclass(frozen=True)
class Opening:
    """What a training is called, where the tracker may write, and the settings: numbers and words of our own choices."""

    training: str
    folder: Path
    settings: Mapping[str, float | str]


class Tracker(Protocol):
    """One training in a tracker."""

    def log(self, step: int, figures: Mapping[str, float], at: float) -> None:
        """The figures of a step; `at` is in seconds since 1970."""
        ...

    def finish(self, exit_code: int) -> None:
        """The training ended: 0 well, 5 paused, else it failed."""
        ...


class WandbTracker:
    """Weights & Biases: off line in the folder, unless WANDB_MODE says otherwise. What it would record by itself is switched off."""

    def __init__(self, opening: Opening) -> None:
        import wandb

        silent = wandb.Settings(
            mode=os.environ.get("WANDB_MODE", "offline"), root_dir=str(opening.folder), console="off", disable_git=True, disable_code=True,
            disable_job_creation=True, save_code=False, silent=True, program=PROJECT, host="-", x_disable_meta=True, x_disable_stats=True,
            x_disable_machine_info=True, x_save_requirements=False)
        self._run = wandb.init(project=os.environ.get("WANDB_PROJECT", PROJECT), id=opening.training, name=opening.training, resume="allow",
                               config=dict(opening.settings), settings=silent)

    def log(self, step: int, figures: Mapping[str, float], at: float) -> None:
        """As a row of the history."""
        self._run.log(dict(figures), step=step)

    def finish(self, exit_code: int) -> None:
        """Mark the run and flush it."""
        self._run.finish(exit_code=exit_code)


class MlflowTracker:
    """MLflow: an SQLite store in the folder, unless MLFLOW_TRACKING_URI names another."""

    def __init__(self, opening: Opening) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param

        self._metric = Metric
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{opening.folder / 'mlflow.db'}")
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        experiment = self._client.get_experiment_by_name(name)
        place = None if os.environ.get("MLFLOW_TRACKING_URI") else (opening.folder / "artifacts").as_uri()
        group = experiment.experiment_id if experiment else self._client.create_experiment(name, artifact_location=place)
        found = self._client.search_runs([group], filter_string=f"tags.`tutelage.training` = '{opening.training}'", max_results=1)
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, status="RUNNING")
        else:
            made = self._client.create_run(group, run_name=opening.training, tags={"tutelage.training": opening.training})
            self._run = made.info.run_id
            self._client.log_batch(self._run, params=[Param(key, str(value)) for key, value in opening.settings.items()])

    def log(self, step: int, figures: Mapping[str, float], at: float) -> None:
        """All figures at once."""
        self._client.log_batch(self._run, metrics=[self._metric(key, value, int(at * 1000), step) for key, value in figures.items()])

    def finish(self, exit_code: int) -> None:
        """Mark the run."""
        self._client.set_terminated(self._run, {0: "FINISHED", PAUSED: "KILLED"}.get(exit_code, "FAILED"))


class TensorboardTracker:
    """TensorBoard: event files in the folder."""

    def __init__(self, opening: Opening) -> None:
        from tensorboard.summary import Writer

        self._writer = Writer(str(opening.folder / opening.training))

    def log(self, step: int, figures: Mapping[str, float], at: float) -> None:
        """A scalar each, on the disk at once."""
        for key, value in figures.items():
            self._writer.add_scalar(key, value, step, wall_time=at)
        self._writer.flush()

    def finish(self, exit_code: int) -> None:
        """Close the file."""
        self._writer.close()


class TrackioTracker:
    """Trackio: a database in the folder, unless TRACKIO_SPACE_ID or TRACKIO_SERVER_URL names another place."""

    def __init__(self, opening: Opening) -> None:
        import trackio

        self._run = trackio.init(project=os.environ.get("TRACKIO_PROJECT", PROJECT), name=opening.training, config=dict(opening.settings),
                                 resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False)

    def log(self, step: int, figures: Mapping[str, float], at: float) -> None:
        """As a row."""
        self._run.log(dict(figures), step=step)

    def finish(self, exit_code: int) -> None:
        """Flush what is waiting."""
        self._run.finish()


TRACKERS: dict[str, Callable[[Opening], Tracker]] = {
    "wandb": WandbTracker, "mlflow": MlflowTracker, "tensorboard": TensorboardTracker, "trackio": TrackioTracker}


def follow(name: str, lines: Iterable[str]) -> None:
    """Hand each line to the tracker as it comes. Without a last line that says how it ended, the training was killed: it failed."""
    tracker: Tracker | None = None
    exit_code = 1
    for line in lines:
        told = json.loads(line)
        if tracker is None:
            tracker = TRACKERS[name](Opening(told["training"], Path(told["folder"]), told["settings"]))
        elif "exit_code" in told:
            exit_code = told["exit_code"]
        else:
            tracker.log(told["step"], told["figures"], told["at"])
    if tracker is not None:
        tracker.finish(exit_code)


if __name__ == "__main__":
    follow(sys.argv[1], sys.stdin)
