"""A probe: the real loop on a few of the real rows, chosen by length, to measure what a training takes. Nothing of it is kept."""

from __future__ import annotations

import gc
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch

from tutelage.core.events import Events
from tutelage.core.memory import PeakMemory, room_mb
from tutelage.engine.bases import folder_sha256
from tutelage.training.batches import BatchOrder, by_length
from tutelage.training.bodies import bare
from tutelage.training.checkpoint import State
from tutelage.training.devices import Device
from tutelage.training.loop import Loop
from tutelage.training.objectives import Objective
from tutelage.training.preflight import Ready
from tutelage.training.promise import MB_A_GB, ROOM, Pace, tokens_of
from tutelage.training.rows import R
from tutelage.training.settings import TrainingSettings
from tutelage.training.start import start_model
from tutelage.training.targets import layer_names
from tutelage.training.tasks import TASKS

SECONDS = 20.0  # about how long a probe takes; two steps and the largest group of rows of a slow model may take longer
STEP_SECONDS = 4.0  # a longer step is probed with fewer rows
FEWEST_STEPS, MOST_STEPS = 2, 8
VALIDATION_SECONDS = 2.5
LOOKED_AT = 200  # steps among which the largest group of rows is sought
STILL = 1e-9  # the step size: the weights hardly move, so that nothing can diverge

T = TypeVar("T")


@dataclass(frozen=True)
class _Sample:
    """The rows that are probed, all in `ready`: those of typical steps, and the largest group that the training computes at once."""

    ready: Ready[Any]
    typical: list[Any]
    rows_a_step: int
    largest: list[Any]


def probe(settings: TrainingSettings, ready: Ready[Any], *, folder: Path, device: Device, seconds: float = SECONDS) -> Pace:
    """Measure on a sample of the rows. Uses torch's random state. Raises what a training would raise."""
    with tempfile.TemporaryDirectory() as scratch, PeakMemory() as memory:
        pace = _Probe(settings, ready, folder=folder, device=device, scratch=Path(scratch), memory=memory, seconds=seconds).run()
    gc.collect()
    if device.name == "cuda":
        torch.cuda.empty_cache()
    return pace


def spread(rows: Sequence[R], count: int) -> list[R]:
    """So many of the rows, or all, evenly from the shortest to the longest."""
    ordered = by_length(rows)
    return ordered if count >= len(ordered) else [ordered[int((place + 0.5) * len(ordered) / count)] for place in range(count)]


def once_for_all(few: float, sample: float, *, few_tokens: int, sample_tokens: int, all_tokens: int) -> float:
    """Seconds of what is computed once, for all rows: by a line through what it took for a few rows and for the sample, not falling."""
    a_token = max(0.0, (sample - few) / (sample_tokens - few_tokens)) if sample_tokens > few_tokens else sample / sample_tokens
    return sample + a_token * max(0, all_tokens - sample_tokens)


class _Probe:
    """One probe. The model moves by next to nothing, so that its parts may follow each other on the same model."""

    def __init__(self, settings: TrainingSettings, ready: Ready[Any], *, folder: Path, device: Device, scratch: Path, memory: PeakMemory,
                 seconds: float) -> None:
        self._settings = settings.model_copy(update={"learning_rate": STILL})
        self._ready, self._folder, self._device, self._scratch, self._memory = ready, folder, device, scratch, memory
        self._started = time.monotonic()
        self._deadline = self._started + seconds
        self._room = room_mb()
        self._few = replace(ready, train=tuple(spread(ready.train, 2)), validation=tuple(by_length(ready.validation)[:1]))
        self._model, self._seconds_start = _timed(lambda: start_model(self._settings, ready, folder=folder, device=device))

    def run(self) -> Pace:
        """Two rows give a first idea of the speed; then come some typical steps, the largest group of rows, validation and proof."""
        once_few, a_token, few_mb = self._first_idea()
        sample = self._choose(a_token)
        objective, once = _timed(lambda: self._objective(sample.ready))
        if before := self._kept_bytes(sample.ready):
            once = once_for_all(once_few, once, few_tokens=_all_tokens(self._few), sample_tokens=_all_tokens(sample.ready),
                                all_tokens=_all_tokens(self._ready))
        with PeakMemory() as typical_memory:
            state = self._train(objective, sample.typical, rows_a_step=sample.rows_a_step)
        validation = self._measure(objective, sample.ready.validation)
        if self._kept_bytes(sample.ready) > before:  # rows that are seen again are faster: what was kept of them is computed once
            first, state = state, self._train(objective, sample.typical, rows_a_step=sample.rows_a_step)
            first_measured, validation = validation, self._measure(objective, sample.ready.validation)
            once += max(0.0, first.step_seconds - state.step_seconds) / state.tokens * tokens_of(self._ready.train)
            once += max(0.0, first_measured - validation) * tokens_of(self._ready.validation)
        expected, mb_a_token = self._expected(sample, few_mb=few_mb, typical_mb=typical_memory.peak_mb)
        is_measured = self._room is None or expected <= ROOM * self._room
        if is_measured:
            self._train(objective, sample.largest, rows_a_step=len(sample.largest))
        proof = self._measure(self._objective(sample.ready, plain=True), self._few.train)
        return Pace(
            seconds_start=self._seconds_start, seconds_once=once, seconds_hash=_timed(lambda: folder_sha256(self._folder))[1],
            seconds_token=state.step_seconds / state.tokens, seconds_validation_token=validation, seconds_proof_token=proof,
            seconds_checkpoint=max(0.0, state.seconds - state.curve[-1].seconds), gb_a_token=mb_a_token / MB_A_GB,
            memory_gb=(self._memory.peak_mb if is_measured else max(expected, self._memory.peak_mb)) / MB_A_GB,
            room_gb=None if self._room is None else self._room / MB_A_GB,
            gpu_memory_gb=torch.cuda.max_memory_reserved() / (MB_A_GB * 1e6) if self._device.name == "cuda" else None,
            widest=tokens_of(sample.largest), is_measured=is_measured, layers=_layers(self._model), steps=state.step,
            seconds=time.monotonic() - self._started)

    def _first_idea(self) -> tuple[float, float, float]:
        """Seconds to make the objective of two rows and of one of their tokens, and the memory in MB that this took at most."""
        objective, once = _timed(lambda: self._objective(self._few))
        with PeakMemory() as memory:
            state = self._train(objective, self._few.train, rows_a_step=len(self._few.train))
        return once, state.step_seconds / state.tokens, memory.peak_mb

    def _choose(self, a_token: float) -> _Sample:
        """As many typical rows as the time allows at so many seconds a token, in steps that are not too long."""
        all_rows, batch_rows = self._ready.train, self._settings.batch_rows
        row_seconds = a_token * tokens_of(all_rows) / len(all_rows)
        rows_a_step = max(1, min(batch_rows, int(STEP_SECONDS / row_seconds)))
        largest = self._largest()
        left = self._deadline - time.monotonic() - a_token * tokens_of(largest) - VALIDATION_SECONDS
        steps = max(FEWEST_STEPS, min(MOST_STEPS, int(left / (row_seconds * rows_a_step))))
        typical = spread(all_rows, steps * rows_a_step)
        mean = tokens_of(self._ready.validation) / len(self._ready.validation)
        validation = spread(self._ready.validation, max(2, int(2 * VALIDATION_SECONDS / a_token / mean)))  # no gradient: twice as fast
        train = {row.id: row for row in (*typical, *largest, *self._few.train)}
        seen = {row.id: row for row in (*validation, *self._few.validation)}
        rows = replace(self._ready, train=tuple(train.values()), validation=tuple(seen.values()))
        return _Sample(rows, typical, rows_a_step, largest)

    def _largest(self) -> list[Any]:
        """The rows that are computed at once in the step with most tokens, or in that with the longest row: what takes most memory."""
        order = BatchOrder(self._ready.train, batch_rows=self._settings.batch_rows, seed=self._settings.seed)
        batches = [order.batch(step) for step in range(min(self._settings.maximum_steps, order.steps_per_epoch, LOOKED_AT))]
        found = []
        for rows in (max(batches, key=tokens_of), max(batches, key=lambda rows: len(rows[-1].ids))):  # a batch ends with its longest row
            count = max(1, min(len(rows), self._settings.micro_batch_tokens // len(rows[-1].ids)))
            found.append(list(rows[-count:]))
        return max(found, key=tokens_of)

    def _objective(self, ready: Ready[Any], *, plain: bool = False) -> Objective[Any]:
        """The objective of these rows, told of so many steps that they are seen as often as all rows will be."""
        steps = max(1, self._settings.maximum_steps * len(ready.train) // len(self._ready.train))
        settings = self._settings.model_copy(update={"maximum_steps": steps})
        objective = TASKS[settings.task].objective(self._model, settings, ready=ready, base_folder=self._folder, scratch=self._kept(ready),
                                                   plain=plain)
        objective.refresh()
        return objective

    def _kept(self, ready: Ready[Any]) -> Path:
        """Where an objective keeps what it computes once for these rows."""
        folder = self._scratch / f"once-{len(ready.train)}-{len(ready.validation)}"
        folder.mkdir(exist_ok=True)
        return folder

    def _kept_bytes(self, ready: Ready[Any]) -> int:
        return sum(path.stat().st_size for path in self._kept(ready).rglob("*") if path.is_file())

    def _train(self, objective: Objective[Any], rows: Sequence[Any], *, rows_a_step: int) -> State:
        """Train on each of the rows once; the loop's own measurements are on the shortest validation row alone."""
        steps = -(-len(rows) // rows_a_step)
        settings = self._settings.model_copy(update={"maximum_steps": steps, "batch_rows": rows_a_step, "validate_every": steps,
                                                     "checkpoint_every": steps, "patience": steps + 2})
        with tempfile.TemporaryDirectory(dir=self._scratch) as scratch:
            return Loop(model=self._model, objective=objective, train=rows, validation=self._few.validation, settings=settings,
                        scratch=Path(scratch), events=Events()).run()

    def _expected(self, sample: _Sample, *, few_mb: float, typical_mb: float) -> tuple[float, float]:
        """The memory in MB that the largest group will need, by a line through what two rows and the typical steps needed; its slope."""
        few, limit = tokens_of(self._few.train), self._settings.micro_batch_tokens
        typical = min(limit, tokens_of(sample.typical) * sample.rows_a_step // len(sample.typical))
        slope = max(0.0, (typical_mb - few_mb) / (typical - few)) if typical > few else 0.0
        return typical_mb + slope * max(0, tokens_of(sample.largest) - typical), slope

    def _measure(self, objective: Objective[Any], rows: Sequence[Any]) -> float:
        """Seconds a token of a measurement."""
        self._model.eval()
        seconds = _timed(lambda: objective.measure(rows, tokens=self._settings.micro_batch_tokens))[1]
        self._model.train()
        return seconds / tokens_of(rows)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    started = time.monotonic()
    done = work()
    return done, time.monotonic() - started


def _all_tokens(ready: Ready[Any]) -> int:
    return tokens_of(ready.train) + tokens_of(ready.validation)


def _layers(model: torch.nn.Module) -> int:
    """Number of the model's layers; of the shorter part in a model of encoder and decoder."""
    counts = Counter(name.rpartition(".")[0] for name in layer_names(bare(model), "all", setting="layers"))
    return min(counts.values(), default=0)
