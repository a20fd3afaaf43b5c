"""What a run has told so far: stages, time left, the training curve; read from its event file as it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from tutelage.core.curve import Point
from tutelage.core.events import Event

State = Literal["waiting", "running", "done", "failed"]
RUN, TRAINING = "run", "training"
FIGURES = ("loss", "validation_loss", "bits_per_byte", "score", "learning_rate", "gradient_norm", "tokens_per_second", "memory_mb",
           "gpu_memory_mb")
LONGEST_LINE = 100_000
NOTES_KEPT = 60


@dataclass
class StageProgress:
    """One stage. `done` of `total` units of work are done; `seconds` is how long it took, in an earlier run if not `is_new`, or None.

    `told_left` is what the stage itself says to be left, which knows of time before a pause.
    """

    name: str
    state: State = "waiting"
    rough_seconds: float = 0.0
    started_at: float | None = None
    seconds: float | None = None
    done: float = 0.0
    total: float = 0.0
    at: float = 0.0
    told_left: float | None = None
    is_new: bool = True

    @property
    def share(self) -> float:
        """How much is done, 0..1."""
        return 1.0 if self.state == "done" else min(1.0, self.done / self.total) if self.total > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        """As told, else at the pace so far; before the first step, by the rough figure; None when nothing is known or left."""
        if self.state != "running" or self.started_at is None:
            return self.rough_seconds if self.state == "waiting" and self.rough_seconds else None
        if self.told_left is not None:
            return self.told_left
        if self.share > 0:
            return (self.at - self.started_at) * (1 - self.share) / self.share
        return self.rough_seconds or None


@dataclass
class Progress:
    """A run so far. `figures` are the points of each of FIGURES, `step` of `steps` is how far the training is."""

    stages: dict[str, StageProgress] = field(default_factory=dict)
    notes: list[Event] = field(default_factory=list)
    figures: dict[str, list[Point]] = field(default_factory=dict)
    step: float = 0.0
    steps: float = 0.0
    state: State = "waiting"

    @property
    def running(self) -> StageProgress | None:
        """The stage at work."""
        return next((stage for stage in self.stages.values() if stage.state == "running"), None)

    @property
    def seconds_left(self) -> float:
        """Of all stages that are not done, as far as known."""
        return sum(stage.seconds_left or 0.0 for stage in self.stages.values())

    def hear(self, event: Event) -> None:
        """Take in one event."""
        if event.kind in ("note", "warning", "verdict", "failed") and event.key:
            self.notes = [*self.notes, event][-NOTES_KEPT:]
        if event.stage == RUN:
            self._hear_run(event)
            return
        self.state = "running"
        stage = self.stages.setdefault(event.stage, StageProgress(event.stage))
        stage.at = event.at
        if event.kind == "plan":
            stage.rough_seconds = _number(event, "rough_seconds") or 0.0
        elif event.kind == "started":
            stage.state, stage.started_at = "running", event.at
        elif event.kind == "step":
            stage.state = "running"
            stage.started_at = stage.started_at or event.at
            stage.done, stage.total = _number(event, "done") or 0.0, _number(event, "total") or 0.0
            stage.told_left = _number(event, "seconds_left")
            if event.stage == TRAINING:
                self._hear_figures(event)
        elif event.kind == "finished":
            stage.state, stage.is_new = "done", event.facts.get("is_new") is not False
            stage.seconds = _number(event, "seconds" if stage.is_new else "made_in")
        elif event.kind == "failed":
            stage.state = "failed"

    def _hear_run(self, event: Event) -> None:
        if event.kind in ("finished", "failed"):
            self.state = "done" if event.kind == "finished" else "failed"
            for stage in self.stages.values():
                if stage.state == "running":
                    stage.state = "failed"

    def _hear_figures(self, event: Event) -> None:
        self.step, self.steps = _number(event, "done") or 0.0, _number(event, "total") or 0.0
        add_figures(self.figures, self.step, event.facts)


def finished_figures(rows: Iterable[Mapping[str, object]]) -> Progress:
    """The progress of a training that has ended, from the rows of its `curve.jsonl`."""
    progress = Progress(state="done")
    for row in rows:
        step = row["step"]
        assert isinstance(step, int)
        progress.step = progress.steps = step
        add_figures(progress.figures, step, row)
    return progress


def add_figures(figures: dict[str, list[Point]], step: float, told: Mapping[str, object]) -> None:
    """Add what is told of FIGURES at a step."""
    for name in FIGURES:
        value = told.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            figures.setdefault(name, []).append(Point(step, float(value)))


def _number(event: Event, name: str) -> float | None:
    value = event.facts.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


class Follower:
    """Follows the newest event file: each call reads only what was added. Safe with threads."""

    def __init__(self, newest: Callable[[], Path | None]) -> None:
        self._newest = newest
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._offset = 0
        self._progress = Progress()

    def progress(self) -> Progress | None:
        """The newest run so far, or None if there was none."""
        with self._lock:
            path = self._newest()
            if path is None or not path.exists():
                return None
            if path != self._path or path.stat().st_size < self._offset:
                self._path, self._offset, self._progress = path, 0, Progress()
            with path.open("rb") as file:
                file.seek(self._offset)
                added = file.read()
            whole = added.rfind(b"\n") + 1
            self._offset += whole
            for line in added[:whole].splitlines():
                if line.strip():
                    self._hear(line)
            return self._progress

    def _hear(self, line: bytes) -> None:
        try:
            event = Event.model_validate_json(line)
        except ValidationError:
            # A line cut short by a kill says nothing; the lines after it do.
            return
        self._progress.hear(event)
