"""What a training will take, reckoned from a probe: minutes and memory that are promised before it, and whether they were kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tutelage.core.records import Record
from tutelage.training.batches import BatchOrder
from tutelage.training.preflight import Ready
from tutelage.training.proof import ROWS
from tutelage.training.rows import Row
from tutelage.training.settings import TrainingSettings

TOLERANCE = 0.2  # a promise counts as kept within this share of it
ROOM = 0.9  # share of the memory there is that a training may plan with
MB_A_GB = 1e3
COUNTED = 200  # steps whose rows are looked up: each look-up shuffles all rows
SLACK_SECONDS, SLACK_GB = 15.0, 0.25  # differences below these are no news, whatever their share


class Pace(Record):
    """What a probe measured, in seconds: of the parts that happen once, of one token of each kind of work, of one checkpoint.

    `seconds_start` loads the model and attaches the method; `seconds_once` is what the objective computes once for all rows.
    `memory_gb` is the most memory that was held (10^9 bytes), with the largest group of rows that the training will compute at
    once, of `widest` tokens; reckoned and not measured where that would not have fitted (`is_measured`). It grows by `gb_a_token`.
    `gpu_memory_gb` was held of a GPU; `room_gb` could have been held (None where unknown). `layers` counts those of the model.
    `steps` and `seconds` are those of the probe itself.
    """

    seconds_start: float
    seconds_once: float
    seconds_hash: float
    seconds_token: float
    seconds_validation_token: float
    seconds_proof_token: float
    seconds_checkpoint: float
    memory_gb: float
    gb_a_token: float
    room_gb: float | None
    gpu_memory_gb: float | None
    widest: int
    is_measured: bool
    layers: int
    steps: int
    seconds: float


class Work(Record):
    """What a training has to do: tokens of all its steps, of one measurement and of the proof, and how often it measures and saves."""

    steps: int
    tokens: int
    measurements: int
    validation_tokens: int
    checkpoints: int
    proof_tokens: int


class Promise(Record):
    """What is promised of a training: minutes at most, without the probe itself, and the peak of its memory in GB.

    `seconds_before` were needed for what precedes the model: rows rendered and checked. `device` and `threads` are where it was probed.
    """

    minutes: float
    memory_gb: float
    tokens_per_second: float
    work: Work
    pace: Pace
    seconds_before: float
    device: str
    threads: int

    def told(self) -> dict[str, int | float]:
        """The figures that a person is told."""
        return {"minutes": self.minutes, "memory_gb": self.memory_gb, "steps": self.work.steps, "measurements": self.work.measurements,
                "tokens_per_second": round(self.tokens_per_second), "probed": self.pace.steps, "seconds": round(self.pace.seconds)}


class Kept(Record):
    """What was promised and what it was. A training that stopped early is compared with what its own steps should have taken."""

    promised_minutes: float
    minutes: float
    promised_memory_gb: float
    memory_gb: float
    is_kept: bool


def work_of(settings: TrainingSettings, ready: Ready[Any], *, steps: int | None = None) -> Work:
    """What is to be done in so many steps, or in all of `maximum_steps`."""
    count = settings.maximum_steps if steps is None else steps
    due = [step for step in range(1, count + 1) if step % settings.validate_every == 0 or step == settings.maximum_steps]
    saved = {step for step in range(1, count + 1) if step % settings.checkpoint_every == 0} | set(due)
    return Work(steps=count, tokens=step_tokens(settings, ready, count), measurements=1 + len(due),
                validation_tokens=tokens_of(ready.validation), checkpoints=len(saved), proof_tokens=2 * tokens_of(ready.train[:ROWS]))


def step_tokens(settings: TrainingSettings, ready: Ready[Any], steps: int) -> int:
    """Tokens of the first so many steps. In the last epoch only the first `COUNTED` steps are counted; the others are taken for average."""
    order = BatchOrder(ready.train, batch_rows=settings.batch_rows, seed=settings.seed)
    epochs, rest = divmod(steps, order.steps_per_epoch)
    whole = tokens_of(ready.train)
    counted = sum(tokens_of(order.batch(epochs * order.steps_per_epoch + step)) for step in range(min(rest, COUNTED)))
    return epochs * whole + counted + round(max(0, rest - COUNTED) / order.steps_per_epoch * whole)


def tokens_of(rows: Sequence[Row]) -> int:
    """Number of tokens of all rows."""
    return sum(len(row.ids) for row in rows)


def seconds_around(pace: Pace, work: Work, *, before: float) -> float:
    """Seconds of all that does not depend on the number of steps and measurements: the proof loads the model once more."""
    return before + pace.seconds_hash + 2 * pace.seconds_start + pace.seconds_once + work.proof_tokens * pace.seconds_proof_token


def seconds_of(pace: Pace, work: Work, *, before: float) -> float:
    """Seconds of the whole training."""
    return (seconds_around(pace, work, before=before) + work.tokens * pace.seconds_token + work.checkpoints * pace.seconds_checkpoint
            + work.measurements * work.validation_tokens * pace.seconds_validation_token)


def promise_of(settings: TrainingSettings, ready: Ready[Any], pace: Pace, *, before: float, device: str, threads: int) -> Promise:
    """The promise for these settings at this pace."""
    work = work_of(settings, ready)
    return Promise(minutes=round(seconds_of(pace, work, before=before) / 60, 3), memory_gb=round(pace.memory_gb, 3),
                   tokens_per_second=round(1 / pace.seconds_token, 1), work=work, pace=pace, seconds_before=round(before, 3),
                   device=device, threads=threads)


def compare(promise: Promise, settings: TrainingSettings, ready: Ready[Any], *, steps: int, seconds: float, memory_gb: float) -> Kept:
    """The promise beside what the training took: kept within 20 %, or where the difference is too small to matter."""
    promised = seconds_of(promise.pace, work_of(settings, ready, steps=steps), before=promise.seconds_before)
    is_kept = (abs(seconds - promised) <= max(TOLERANCE * promised, SLACK_SECONDS)
               and abs(memory_gb - promise.memory_gb) <= max(TOLERANCE * promise.memory_gb, SLACK_GB))
    return Kept(promised_minutes=round(promised / 60, 3), minutes=round(seconds / 60, 3), promised_memory_gb=promise.memory_gb,
                memory_gb=round(memory_gb, 3), is_kept=is_kept)
