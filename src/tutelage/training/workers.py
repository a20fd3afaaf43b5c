"""Has several processes train together, and hears what they tell until they end; where memory runs out in one, all begin again."""

from __future__ import annotations

import pickle
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from signal import Signals
from typing import Any

from tutelage.core import errors
from tutelage.core.errors import TutelageError
from tutelage.core.events import Event, Events
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.training.checkpoint import NAME, State, read_checkpoint
from tutelage.training.launch import JOB, LOGS, POLLED, Launch
from tutelage.training.meeting import STOP, calling, gather, new_call
from tutelage.training.preflight import Ready
from tutelage.training.settings import TrainingSettings
from tutelage.training.shortage import Shrunk
from tutelage.training.signals import StopRequests

TOLD, DONE = "told.jsonl", "done.json"
LEFT = ("failed-*.json", "short-*.json", TOLD, DONE)  # what processes of an earlier start may have left


@dataclass(frozen=True)
class Job:
    """All that each process needs. `scratch` holds the checkpoint, and what parent and processes tell each other; `work` is the store.

    `shrunk` is what earlier starts found of the memory.
    """

    settings: TrainingSettings
    ready: Ready[Any]
    base_folder: Path
    scratch: Path
    work: Path
    origin: str
    sharing: str
    threads: int
    shrunk: tuple[Shrunk, ...] = ()

    def seen_from(self, scratch: Path) -> Job:
        """The same on a machine where the work folder is at another place."""
        work = scratch.parents[1]
        base = work / self.base_folder.relative_to(self.work) if self.base_folder.is_relative_to(self.work) else self.base_folder
        return replace(self, scratch=scratch, work=work, base_folder=base)


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


def short_file(rank: int) -> str:
    """Name of the file in which a process says that memory ran out."""
    return f"short-{rank}.json"


def train_together(job: Job, processes: int, events: Events) -> tuple[State, Done]:
    """Train in so many processes on all machines together; the state has the best weights.

    SIGTERM and SIGINT are passed on. Raises Paused after one of them, the error of a process that gave one, and TutelageError naming
    process and signal if one was killed or broke; none is left then, and the checkpoint stands. Where memory runs out in one process,
    all are started again from the checkpoint with half the tokens at once.
    """
    (job.scratch / STOP).unlink(missing_ok=True)
    with calling(job.scratch):
        while (short := _train_once(job, processes, events)) is not None:
            events.warning("training", "training.memory_short_together", **short.model_dump(), processes=processes)
            job = replace(job, shrunk=(*job.shrunk, short))
    state, _, _ = read_checkpoint(job.scratch / NAME, origin=job.origin)
    return state, Done.model_validate_json((job.scratch / DONE).read_text("utf-8"))


def _train_once(job: Job, processes: int, events: Events) -> Shrunk | None:
    """Start the processes and wait for their end. What is to be changed before the next start, None if they have trained to the end."""
    scratch = job.scratch
    _tidy(scratch)
    write_whole(scratch / JOB, pickle.dumps(job))
    call = new_call(job.settings.devices, processes)
    launch, told = Launch(scratch, call), _Told(scratch / TOLD, events)
    with StopRequests() as stop:
        gather(scratch, call, stop, events)
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
    shorts = [Shrunk.model_validate_json(path.read_text("utf-8")) for path in scratch.glob("short-*.json")]
    if shorts:
        return min(shorts, key=lambda short: short.after)
    if launch.failure is not None:
        raise TutelageError(launch.told()) from launch.failure
    return None


def _tidy(scratch: Path) -> None:
    for path in (path for pattern in LEFT for path in scratch.glob(pattern)):
        path.unlink()
    for folder in scratch.glob(f"{LOGS}-*"):
        shutil.rmtree(folder)


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
