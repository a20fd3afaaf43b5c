"""The training loop: steps, measurements on the validation rows, early stopping, checkpoints, and stopping on request."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

import torch

from tutelage.core.errors import InputError, Paused, TutelageError
from tutelage.core.events import Events
from tutelage.core.memory import MB, resident_mb
from tutelage.training.batches import BatchOrder
from tutelage.training.checkpoint import NAME, CurveRow, State, read_checkpoint, write_checkpoint
from tutelage.training.objectives import Measured, Objective
from tutelage.training.rows import R
from tutelage.training.schedule import highest_rate, learning_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.shortage import MemoryShort, Shrunk, free_memory, is_out_of_memory
from tutelage.training.signals import StopRequests
from tutelage.training.team import Alone

ROUGH_AFTER = 2  # steps after which the time that is left is told


T = TypeVar("T")


class _Stopped(Exception):
    """Unwinds a step that a signal interrupted; its text is the signal's name."""


class Loop(Generic[R]):
    """One training of a model's trainable weights. `run` goes on from a checkpoint in `scratch` if there is one.

    `origin` names what the weights are learned from: a checkpoint of another is refused. `team` is who computes, this process alone if
    left out; of several processes each runs such a loop on the same rows, and the first writes and tells. `shrunk` is what was found
    of the memory in earlier starts.
    """

    def __init__(self, *, model: torch.nn.Module, objective: Objective[R], train: Sequence[R], validation: Sequence[R],
                 settings: TrainingSettings, scratch: Path, events: Events, origin: str = "", team: Alone[R] | None = None,
                 shrunk: Sequence[Shrunk] = ()) -> None:
        self._model = model
        self._team: Alone[R] = team or Alone(model, objective, rate=highest_rate(settings))
        self._order = BatchOrder(train, batch_rows=settings.batch_rows, seed=settings.seed)
        self._validation = validation
        self._settings, self._checkpoint, self._events = settings, scratch / NAME, events
        self._origin, self._shrunk = origin, shrunk
        self._rough_at = ROUGH_AFTER

    def run(self) -> State:
        """Train to the end; afterwards the model carries the best weights.

        Raises Paused after SIGTERM or SIGINT, with a checkpoint written, TutelageError for a loss that is no number,
        InputError where the memory does not suffice for a single row, and MemoryShort where several compute and it ran out in this process.
        """
        state = self._begin()
        with StopRequests() as stop:
            try:
                while state.step < self._settings.maximum_steps and state.stale < self._settings.patience:
                    if asked := self._team.agreed(stop.asked):
                        raise _Stopped(asked)
                    self._advance(state, stop)
            except _Stopped as stopped:
                self._team.forget()
                self._save(state)
                raise Paused(f"training: stopped by {stopped} after step {state.step} of {self._settings.maximum_steps}; the state is "
                             "saved. Run the same command again to go on from there.") from None
        self._team.finish(state.best)
        return state

    def _begin(self) -> State:
        self._model.train()
        if self._checkpoint.exists():
            state, weights, memory = read_checkpoint(self._checkpoint, origin=self._origin)
            self._shrink(state, self._shrunk)
            self._team.put(weights)
            self._team.recall(memory)
            torch.set_rng_state(state.random)
            self._team.refresh()
            self._rough_at = state.step + ROUGH_AFTER
            self._events.note("training", "training.resumed", step=state.step, total=self._settings.maximum_steps)
            return state
        self._team.refresh()
        state = State(micro_batch_tokens=self._settings.micro_batch_tokens)
        self._shrink(state, self._shrunk)
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
        loss = self._within_memory(state, rows, lambda tokens: self._gradients(rows, state.step + 1, stop, tokens=tokens))
        norm = self._team.update(rate)
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

    def _gradients(self, rows: Sequence[R], step: int, stop: StopRequests, *, tokens: int) -> float:
        """Leave the gradient of the mean loss a unit in the weights, and give that loss."""
        def check() -> None:
            if stop.asked:
                raise _Stopped(stop.asked)

        total = self._team.gradients(rows, tokens=tokens, step=step, check=check)
        if not math.isfinite(total):
            raise TutelageError(f"training: the loss of step {step} is {total}; it must be a finite number. The weights have gone astray: "
                                f"lower training.learning_rate (it is {highest_rate(self._settings):g}) or raise training.warmup_steps "
                                f"(it is {self._settings.warmup_steps}), and run again.")
        return total

    def _within_memory(self, state: State, rows: Sequence[R], compute: Callable[[int], T]) -> T:
        """What `compute` gives with so many tokens at once; where memory runs out, the same once more with half as many.

        The weights are as before, and no gradient is left of what failed, so the result does not change. Raises MemoryShort where
        several processes compute: the others wait for this one.
        """
        random, longest = torch.get_rng_state(), max(len(row.ids) for row in rows)
        while True:
            try:
                return compute(state.micro_batch_tokens)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            self._team.forget()
            torch.set_rng_state(random)
            free_memory()
            before = state.micro_batch_tokens
            if before <= longest:
                raise InputError(f"training: out of memory in step {state.step + 1}, though one row at a time is computed (the longest "
                                 f"has {longest} tokens). Lower training.maximum_tokens (it is {self._settings.maximum_tokens}), train "
                                 "less of the model (method lora or last_layers), or free memory; then run the same command again.")
            together = longest * -(-len(rows) // self._team.size)
            short = Shrunk(step=state.step + 1, before=before, after=max(longest, min(before, together) // 2))
            if self._team.size > 1:
                raise MemoryShort(short)
            self._shrink(state, (short,))
            self._events.warning("training", "training.memory_short", **short.model_dump())

    def _shrink(self, state: State, found: Sequence[Shrunk]) -> None:
        """Compute fewer tokens at once from now on, unless the state knows it already."""
        for short in found:
            if short.after < state.micro_batch_tokens:
                state.micro_batch_tokens = short.after
                state.shrunk_at.append(short.step)

    def _measure(self, state: State) -> Measured:
        """Measure on all validation rows, and keep the weights if they are the best so far."""
        self._model.eval()
        rows = self._validation
        measured = self._within_memory(state, rows, lambda tokens: self._team.measure(rows, tokens=tokens))
        self._model.train()
        watched = self._watched(measured)
        if watched < state.best_watched:
            state.best_step, state.best_watched, state.best = state.step, watched, self._team.weights()
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
        weights, memory = self._team.weights(), self._team.memory()
        if self._team.rank == 0:
            write_checkpoint(self._checkpoint, state, weights, memory, origin=self._origin)
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
