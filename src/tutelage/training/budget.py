"""What is settled before the first step: choices that fit the time and the memory there is, each with its reason, and the promise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.language import text
from tutelage.core.records import Record
from tutelage.training.batches import BatchOrder
from tutelage.training.checkpoint import NAME as CHECKPOINT
from tutelage.training.devices import Device
from tutelage.training.preflight import Ready
from tutelage.training.promise import ROOM, Pace, Promise, promise_of, seconds_around, tokens_of, work_of
from tutelage.training.settings import TrainingSettings

FILE = "promise.json"
AIM = 0.9  # share of the time that is planned with: a machine is not always as fast as when it was probed
MEASURING = 0.2  # share of the time that measurements on the validation rows may take
MOST_MEASUREMENTS = 10  # besides the first, before any step
LEAST_STEPS = 5
EPOCHS = 4  # "up to 4 epochs yields negligible changes to loss compared to having unique data": arXiv 2305.16264, abstract
FEW_STEPS = 20  # below it fewer layers are tried
FASTER = 1.2  # what fewer layers must gain in steps
MORE_RANK = 2
LORA = ("lora", "qlora")


class Chosen(Record):
    """A setting, the value that it got before the first step, and why, in the run's language."""

    setting: str
    value: int | str
    why: str


class Settled(Record):
    """`promise.json`: what was chosen, the settings of the recipe that this changes, and what is promised of the training then.

    Nothing is promised (None) where several processes train.
    """

    chosen: tuple[Chosen, ...]
    changed: dict[str, int]
    promise: Promise | None

    def apply(self, settings: TrainingSettings) -> TrainingSettings:
        """The recipe's settings with what was chosen."""
        return settings.model_copy(update=self.changed)


Probe = Callable[[TrainingSettings], Pace]


def settle(settings: TrainingSettings, ready: Ready[Any], *, probe: Probe, scratch: Path, device: Device, before: float,
           language: str) -> Settled:
    """What `scratch` holds from an earlier plan or an interrupted run on such a device; else choose, by probing, and keep it there.

    `before` are the seconds that were needed for what comes before the model. Raises InputError if the time is too short for anything.
    """
    path = scratch / FILE
    if path.exists():
        found = Settled.model_validate_json(path.read_text("utf-8"))
        is_same = found.promise is not None and (found.promise.device, found.promise.threads) == (device.name, device.threads)
        if is_same or (scratch / CHECKPOINT).exists():  # what a begun training does must not change
            return found
    chosen: list[Chosen] = []
    fitted, pace = _fit_memory(settings, ready, probe=probe, chosen=chosen, language=language)
    if fitted.minutes is not None:
        fitted, pace = _fit_time(fitted, pace, ready, probe=probe, before=before, chosen=chosen, language=language)
    settled = Settled(chosen=tuple(chosen), changed={name: value for name, value in fitted if value != getattr(settings, name)},
                      promise=promise_of(fitted, ready, pace, before=before, device=device.name, threads=device.threads))
    write_whole(path, settled.model_dump_json(indent=1))
    return settled


def fitting_tokens(pace: Pace, settings: TrainingSettings, ready: Ready[Any]) -> int:
    """Tokens to compute at once so that the memory suffices, but at least those of the longest row."""
    assert pace.room_gb is not None
    longest: int = max(row.longest for row in (*ready.train, *ready.validation))
    surplus = int((pace.memory_gb - ROOM * pace.room_gb) / pace.gb_a_token) + 1 if pace.gb_a_token else settings.micro_batch_tokens
    return min(settings.micro_batch_tokens, max(longest, pace.widest - surplus))


@dataclass(frozen=True)
class Fit:
    """What fits the time. `possible` steps would; `steps` are taken. Seconds of a step and of a measurement, with their checkpoints."""

    possible: int
    steps: int
    validate_every: int
    step_seconds: float
    measured_seconds: float


def fit_steps(settings: TrainingSettings, pace: Pace, ready: Ready[Any], *, before: float) -> Fit:
    """Steps and measurements within `minutes`: measurements take at most a fifth, rows are learned from at most four times.

    `maximum_steps` and `validate_every` stand if they are not the defaults. Raises InputError if not even five steps fit.
    """
    assert settings.minutes is not None
    work, steps_per_epoch = work_of(settings, ready), _steps_per_epoch(settings, ready)
    around = seconds_around(pace, work, before=before)
    left = AIM * 60 * settings.minutes - around
    step = tokens_of(ready.train) / steps_per_epoch * pace.seconds_token + pace.seconds_checkpoint / settings.checkpoint_every
    measured = work.validation_tokens * pace.seconds_validation_token + pace.seconds_checkpoint
    if _is_open(settings, "validate_every"):
        count = max(1, min(MOST_MEASUREMENTS, int(MEASURING * left / measured)))
        possible = int((left - (count + 1) * measured) / step)  # one more stands before the first step
    else:
        possible = int((left - 2 * measured) / (step + measured / settings.validate_every))
    if possible < LEAST_STEPS:
        needed = (around + 2 * measured + LEAST_STEPS * step) / AIM / 60
        raise InputError(f"training.minutes: is {settings.minutes:g}; here loading and proof take {around:.0f} seconds, each of two "
                         f"measurements {measured:.0f} and each step {step:.1f}, so {LEAST_STEPS} steps need {needed:.1f} minutes. Allow "
                         "at least that, or choose a smaller base, or lower training.batch_rows.")
    most = EPOCHS * steps_per_epoch if _is_open(settings, "maximum_steps") else settings.maximum_steps
    steps = min(possible, most)
    every = -(-steps // min(count, steps)) if _is_open(settings, "validate_every") else settings.validate_every
    return Fit(possible, steps, every, step_seconds=step, measured_seconds=measured)


def _fit_memory(settings: TrainingSettings, ready: Ready[Any], *, probe: Probe, chosen: list[Chosen],
                language: str) -> tuple[TrainingSettings, Pace]:
    """The settings with fewer tokens computed at once if the memory asks for it, and their pace."""
    pace = probe(settings)
    if pace.is_measured:
        return settings, pace
    tokens = fitting_tokens(pace, settings, ready)
    chosen.append(Chosen(setting="micro_batch_tokens", value=tokens, why=text(
        "training.why_memory", language, before=settings.micro_batch_tokens, needed=f"{pace.memory_gb:.1f}", room=f"{pace.room_gb:.1f}")))
    fitted = settings.model_copy(update={"micro_batch_tokens": tokens})
    return fitted, probe(fitted)


def _fit_time(settings: TrainingSettings, pace: Pace, ready: Ready[Any], *, probe: Probe, before: float, chosen: list[Chosen],
              language: str) -> tuple[TrainingSettings, Pace]:
    """The settings with layers, rank, steps and measurements that fit `minutes`, and their pace."""
    fit = fit_steps(settings, pace, ready, before=before)
    most = EPOCHS * _steps_per_epoch(settings, ready)
    if settings.method in LORA and _is_open(settings, "layers"):
        settings, pace, fit = _fewer_layers(settings, pace, fit, ready, probe=probe, before=before, chosen=chosen, language=language)
    if settings.method in LORA and _is_open(settings, "rank") and _is_open(settings, "alpha"):
        if fit.possible >= most and _is_open(settings, "maximum_steps"):
            settings = settings.model_copy(update={"rank": MORE_RANK * settings.rank, "alpha": MORE_RANK * settings.alpha})
            pace = probe(settings)
            fit = fit_steps(settings, pace, ready, before=before)
            chosen += [Chosen(setting=name, value=getattr(settings, name), why=text("training.why_rank_more", language, epochs=EPOCHS))
                       for name in ("rank", "alpha")]
        else:
            chosen.append(Chosen(setting="rank", value=settings.rank, why=text("training.why_rank", language, epochs=EPOCHS)))
    epochs = f"{fit.steps / _steps_per_epoch(settings, ready):.2f}"
    key = "training.why_steps" if fit.steps == fit.possible else (
        "training.why_epochs" if _is_open(settings, "maximum_steps") else "training.why_given")
    chosen.append(Chosen(setting="maximum_steps", value=fit.steps, why=text(
        key, language, minutes=f"{settings.minutes:g}", seconds=f"{fit.step_seconds:.2f}", epochs=epochs, possible=fit.possible)))
    if _is_open(settings, "validate_every"):
        count = -(-fit.steps // fit.validate_every)
        chosen.append(Chosen(setting="validate_every", value=fit.validate_every, why=text(
            "training.why_validate", language, count=count + 1, seconds=f"{fit.measured_seconds:.1f}", share=round(100 * MEASURING))))
    return settings.model_copy(update={"maximum_steps": fit.steps, "validate_every": fit.validate_every}), pace


def _fewer_layers(settings: TrainingSettings, pace: Pace, fit: Fit, ready: Ready[Any], *, probe: Probe, before: float,
                  chosen: list[Chosen], language: str) -> tuple[TrainingSettings, Pace, Fit]:
    """The last third of the layers where all of them would leave few steps and fewer would leave clearly more."""
    few = pace.layers // 3
    if fit.steps < FEW_STEPS and fit.steps == fit.possible and few:
        tried = settings.model_copy(update={"layers": few})
        faster = probe(tried)
        gained = fit_steps(tried, faster, ready, before=before)
        if gained.possible >= FASTER * fit.possible:
            chosen.append(Chosen(setting="layers", value=few, why=text("training.why_layers_few", language, layers=pace.layers,
                                                                       steps=gained.possible, before=fit.possible)))
            return tried, faster, gained
    chosen.append(Chosen(setting="layers", value="all", why=text("training.why_layers", language, layers=pace.layers, steps=fit.possible)))
    return settings, pace, fit


def _steps_per_epoch(settings: TrainingSettings, ready: Ready[Any]) -> int:
    return BatchOrder(ready.train, batch_rows=settings.batch_rows, seed=settings.seed).steps_per_epoch


def _is_open(settings: TrainingSettings, name: str) -> bool:
    """Whether a choice is free: the recipe leaves the setting at its default."""
    return bool(getattr(settings, name) == type(settings).model_fields[name].default)
