"""The training loop: steps, measurements on the validation rows, early stopping, checkpoints, and stopping on request."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Generic

import torch

from tutelage.core.errors import InputError, Paused, TutelageError
from tutelage.core.events import Events
from tutelage.core.memory import MB, resident_mb
from tutelage.training.adapters import copy_weights, put_weights, trainable
from tutelage.training.batches import BatchOrder
from tutelage.training.checkpoint import NAME, CurveRow, State, read_checkpoint, write_checkpoint
from tutelage.training.objectives import Measured, Objective
from tutelage.training.rows import R
from tutelage.training.schedule import highest_rate, learning_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.signals import StopRequests

LARGEST_NORM = 1.0  # gradients are scaled down to it; usual in fine-tuning, and the norm seen here is about 0.4
ROUGH_AFTER = 2  # steps after which the time that is left is told


class _Stopped(Exception):
    """Unwinds a step that a signal interrupted."""


class Loop(Generic[R]):
    """One training of a model's trainable weights. `run` goes on from a checkpoint in `scratch` if there is one."""

    def __init__(self, *, model: torch.nn.Module, objective: Objective[R], train: Sequence[R], validation: Sequence[R],
                 settings: TrainingSettings, scratch: Path, events: Events) -> None:
        self._model, self._objective = model, objective
        self._order = BatchOrder(train, batch_rows=settings.batch_rows, seed=settings.seed)
        self._validation = validation
        self._settings, self._checkpoint, self._events = settings, scratch / NAME, events
        self._optimiser = torch.optim.AdamW(trainable(model).values(), lr=highest_rate(settings), weight_decay=0.0)
        self._rough_at = ROUGH_AFTER

    def run(self) -> State:
        """Train to the end; afterwards the model carries the best weights.

        Raises Paused after SIGTERM or SIGINT, with a checkpoint written, and TutelageError for a loss that is no number.
        """
        state = self._begin()
        with StopRequests() as stop:
            try:
                while state.step < self._settings.maximum_steps and state.stale < self._settings.patience:
                    self._advance(state, stop)
            except _Stopped:
                self._optimiser.zero_grad()
                self._save(state)
                raise Paused(f"training: stopped by {stop.asked} after step {state.step} of {self._settings.maximum_steps}; the state is "
                             "saved. Run the same command again to go on from there.") from None
        put_weights(self._model, state.best)
        self._objective.refresh()
        return state

    def _begin(self) -> State:
        self._model.train()
        if self._checkpoint.exists():
            state, weights = read_checkpoint(self._checkpoint, self._optimiser)
            put_weights(self._model, weights)
            torch.set_rng_state(state.random)
            self._objective.refresh()
            self._rough_at = state.step + ROUGH_AFTER
            self._events.note("training", "training.resumed", step=state.step, total=self._settings.maximum_steps)
            return state
        self._objective.refresh()
        state = State()
        started = time.monotonic()
        measured = self._measure(state)
        state.seconds = time.monotonic() - started
        state.curve.append(CurveRow(step=0, tokens=0, loss=None, validation_loss=measured.loss,
                                    bits_per_byte=measured.bits_per_byte, score=measured.score, learning_rate=0.0,
                                    gradient_norm=None, seconds=round(state.seconds, 2), tokens_per_second=None,
                                    memory_mb=round(resident_mb(), 1), gpu_memory_mb=self._gpu_memory_mb()))
        self._tell(state)
        return state

    def _advance(self, state: State, stop: StopRequests) -> None:
        """One step with all that belongs to it; `state` changes only when the step is done."""
        started = time.monotonic()
        rate = learning_rate(state.step, self._settings)
        rows = self._order.batch(state.step)
        loss = self._gradients(rows, state.step + 1, stop)
        norm = float(torch.nn.utils.clip_grad_norm_(trainable(self._model).values(), LARGEST_NORM))
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self._optimiser.zero_grad()
        self._objective.refresh()
        state.step += 1
        tokens, seconds = sum(len(row.ids) for row in rows), time.monotonic() - started
        state.tokens += tokens
        state.step_seconds += seconds
        due = state.step % self._settings.validate_every == 0 or state.step == self._settings.maximum_steps
        measured = self._measure(state) if due else None
        state.seconds += time.monotonic() - started
        state.curve.append(CurveRow(step=state.step, tokens=state.tokens, loss=loss, learning_rate=rate, gradient_norm=norm,
                                    validation_loss=measured.loss if measured else None,
                                    bits_per_byte=measured.bits_per_byte if measured else None,
                                    score=measured.score if measured else None, seconds=round(state.seconds, 2),
                                    tokens_per_second=round(tokens / seconds, 1), memory_mb=round(resident_mb(), 1),
                                    gpu_memory_mb=self._gpu_memory_mb()))
        state.random = torch.get_rng_state()
        if state.step % self._settings.checkpoint_every == 0 or due:
            self._save(state)
        self._tell(state)

    def _gradients(self, rows: Sequence[R], step: int, stop: StopRequests) -> float:
        """Leave the gradient of the mean loss a unit in the weights, and give that loss."""
        units = self._objective.count(rows)
        total = 0.0
        for group in self._objective.micro_batches(rows, tokens=self._settings.micro_batch_tokens):
            if stop.asked:
                raise _Stopped
            loss = self._objective.loss(group) / units
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        if not math.isfinite(total):
            raise TutelageError(f"training: the loss of step {step} is {total}; it must be a finite number. The weights have gone astray: "
                                f"lower training.learning_rate (it is {highest_rate(self._settings):g}) or raise training.warmup_steps "
                                f"(it is {self._settings.warmup_steps}), and run again.")
        return total

    def _measure(self, state: State) -> Measured:
        """Measure on all validation rows, and keep the weights if they are the best so far."""
        self._model.eval()
        measured = self._objective.measure(self._validation, tokens=self._settings.micro_batch_tokens)
        self._model.train()
        watched = self._watched(measured)
        if watched < state.best_watched:
            state.best_step, state.best_watched, state.best = state.step, watched, copy_weights(self._model)
        if watched < state.gained - self._settings.minimum_gain:
            state.gained, state.stale = watched, 0
        else:
            state.stale += 1
        return measured

    def _gpu_memory_mb(self) -> float | None:
        """What this process holds of the GPU, or None on a processor."""
        device = next(self._model.parameters()).device
        return round(torch.cuda.memory_reserved(device) / MB, 1) if device.type == "cuda" else None

    def _watched(self, measured: Measured) -> float:
        """What decides, made so that lower is better: the loss, or minus the score."""
        if self._settings.watch == "loss":
            return measured.loss
        if measured.score is None:
            raise InputError(f"training.watch: is score, but the task {self._settings.task} gives none. Use loss.")
        return -measured.score

    def _save(self, state: State) -> None:
        started = time.monotonic()
        write_checkpoint(self._checkpoint, state, copy_weights(self._model), self._optimiser)
        state.seconds += time.monotonic() - started

    def _tell(self, state: State) -> None:
        row, total = state.curve[-1], self._settings.maximum_steps
        left = state.seconds / state.step * (total - state.step) if state.step else None
        self._events.step("training", done=state.step, total=total, loss=row.loss, validation_loss=row.validation_loss,
                          bits_per_byte=row.bits_per_byte, score=row.score, learning_rate=row.learning_rate,
                          gradient_norm=row.gradient_norm, tokens=state.tokens, tokens_per_second=row.tokens_per_second,
                          memory_mb=row.memory_mb, gpu_memory_mb=row.gpu_memory_mb,
                          seconds_left=round(left) if left is not None else None)
        if left is not None and state.step == self._rough_at and state.step < total:
            self._events.note("training", "training.rough_time", minutes=round(left / 60, 1), total=total)
        if state.stale >= self._settings.patience:
            if self._settings.watch == "loss":
                self._events.note("training", "training.stopped_early", step=state.step, best_step=state.best_step,
                                  loss=round(state.best_watched, 4))
            else:
                self._events.note("training", "training.stopped_early_score", step=state.step, best_step=state.best_step,
                                  score=round(-100 * state.best_watched, 1))
