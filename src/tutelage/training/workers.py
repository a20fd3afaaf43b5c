"""Starts the processes that train together, by torch's own launcher (what torchrun calls), and hears what they tell until they end."""

from __future__ import annotations

import logging
import pickle
import shutil
import sys
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import Any

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from tutelage.core import errors
from tutelage.core.errors import TutelageError
from tutelage.core.events import Event, Events
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.training.checkpoint import NAME, State, read_checkpoint, step_of
from tutelage.training.preflight import Ready
from tutelage.training.settings import TrainingSettings
from tutelage.training.signals import StopRequests

JOB, TOLD, STOP, DONE, LOGS = "job.pkl", "told.jsonl", "stop", "done.json", "logs"
POLLED = 0.1  # seconds between two looks at what the processes told
GRACE = 5  # seconds that the others get to end when one has failed


@dataclass(frozen=True)
class Job:
    """All that each process needs. `scratch` holds the checkpoint, and what parent and processes tell each other; `work` is the store."""

    settings: TrainingSettings
    ready: Ready[Any]
    base_folder: Path
    scratch: Path
    work: Path
    origin: str
    sharing: str
    threads: int


class Done(Record):
    """What the first process says at the end: what a unit of the loss is, and by which path it was computed."""

    unit: str
    path: str


class Failed(Record):
    """An error that a process ended with: the name of its class, and what it says."""

    kind: str
    text: str


def failed_file(rank: int) -> str:
    """Name of the file in which a process leaves its error."""
    return f"failed-{rank}.json"


def train_together(job: Job, processes: int, events: Events) -> tuple[State, Done]:
    """Train in so many processes; the state has the best weights.

    SIGTERM and SIGINT are passed on. Raises Paused after one of them, the error of a process that gave one, and TutelageError naming
    process and signal if one was killed or broke; none is left then, and the checkpoint stands.
    """
    scratch = job.scratch
    for name in (*(path.name for path in scratch.glob("failed-*.json")), TOLD, STOP, DONE):
        (scratch / name).unlink(missing_ok=True)
    shutil.rmtree(scratch / LOGS, ignore_errors=True)
    (scratch / LOGS).mkdir()
    write_whole(scratch / JOB, pickle.dumps(job))
    launch, told = _Launch(scratch, processes), _Told(scratch / TOLD, events)
    with StopRequests() as stop:
        launch.start()
        try:
            while launch.is_alive():
                if stop.asked and not (scratch / STOP).exists():
                    write_whole(scratch / STOP, stop.asked)
                told.pass_on()
                time.sleep(POLLED)
        except BaseException:
            write_whole(scratch / STOP, Signals.SIGINT.name)  # no process goes on alone
            raise
    told.pass_on()
    failures = [Failed.model_validate_json(path.read_text("utf-8")) for path in sorted(scratch.glob("failed-*.json"))]
    if failures:
        kind: type[TutelageError] = getattr(errors, failures[0].kind)
        raise kind(failures[0].text)
    if launch.failure is not None:
        raise TutelageError(told_of(launch.failure, job, processes)) from launch.failure
    state, _, _ = read_checkpoint(scratch / NAME, origin=job.origin)
    return state, Done.model_validate_json((scratch / DONE).read_text("utf-8"))


class _Launch(threading.Thread):
    """The launcher in a thread of its own: in the main thread it would take the signals that pause a training."""

    def __init__(self, scratch: Path, processes: int) -> None:
        super().__init__(daemon=True)
        self._config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=processes, run_id=uuid.uuid4().hex, rdzv_backend="c10d", rdzv_endpoint="localhost:0",
            local_addr="localhost", max_restarts=0, shutdown_timeout=GRACE, monitor_interval=POLLED,
            logs_specs=DefaultLogsSpecs(log_dir=str(scratch / LOGS), redirects=Std.ALL))
        self._arguments = ("-m", "tutelage.training.worker", str(scratch / JOB))
        self.failure: Exception | None = None

    def run(self) -> None:
        """Start the processes and wait for their end. What the launcher logs of it is told by `told_of`."""
        logger = logging.getLogger("torch.distributed.elastic")
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        try:
            elastic_launch(self._config, sys.executable)(*self._arguments)
        except Exception as failure:  # noqa: BLE001  (raised by the main thread)
            self.failure = failure
        finally:
            logger.setLevel(level)


class _Told:
    """The events that the first process writes down, passed on as they come."""

    def __init__(self, path: Path, events: Events) -> None:
        self._path, self._events, self._read = path, events, 0

    def pass_on(self) -> None:
        """Send what is new."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        whole = lines[: lines.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            event = Event.model_validate_json(line)
            self._events.send(event.stage, event.kind, event.key, **event.facts)


def told_of(failure: Exception, job: Job, processes: int) -> str:
    """What a person is told of a process that gave no error of its own."""
    path = job.scratch / NAME
    kept = f"The state after step {step_of(path)} is saved" if path.exists() else "No checkpoint was written yet"
    again = f"{kept}. Run the same command again to go on from there."
    if not isinstance(failure, ChildFailedError):
        return f"training: the {processes} processes could not be started ({' '.join(str(failure).split())}). {again}"
    rank, first = min(failure.failures.items(), key=lambda one: (_follows(one[1].exitcode), one[0]))
    if first.exitcode < 0:
        return (f"training: process {rank} of {processes} (counted from 0) was ended by {Signals(-first.exitcode).name}. A system that is "
                "short of memory does so: if it comes again, lower training.micro_batch_tokens or training.devices.processes. "
                f"{again}")
    return (f"training: process {rank} of {processes} (counted from 0) broke off: {_last_line(job.scratch, rank, first)}. Its log is in "
            f"{job.scratch / LOGS}. {again}")


def _follows(exit_code: int) -> int:
    """How likely a process ended so because of another: a killed one breaks the others, and the launcher ends those by SIGTERM."""
    if exit_code == -Signals.SIGTERM:
        return 2
    return 0 if exit_code < 0 else 1


def _last_line(scratch: Path, rank: int, failure: ProcessFailure) -> str:
    """The last line that the process wrote of its error."""
    logs = sorted((scratch / LOGS).glob(f"*/attempt_0/{rank}/stderr.log"))
    lines = [line for line in logs[-1].read_text("utf-8", "replace").splitlines() if line.strip()] if logs else []
    errors_told = [line for line in lines if "Error" in line and not line.startswith((" ", "["))]
    return (errors_told or lines or [f"it ended with the exit code {failure.exitcode}"])[-1].strip()
