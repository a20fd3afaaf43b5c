"""Heals a model that lost parts: it learns from the whole model that it was, as any student does, on a part of the rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tutelage.core.events import Event, Events
from tutelage.core.files import ID_LENGTH, read_rows, short_hash
from tutelage.core.history import Ledger
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import put_weights, trainable
from tutelage.training.devices import choose_device
from tutelage.training.loop import Loop
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings
from tutelage.training.shortage import disk_told
from tutelage.training.tasks import TASKS
from tutelage.training.tasks_distillation import distil_objective

VALIDATION = 40  # rows that tell which weights are the best
MEASURED = 4  # times in a healing


@dataclass(frozen=True)
class Healing:
    """How a healing went. Losses are the mixed loss of the distillation, nats a token, on the same validation rows."""

    steps: int
    rows: int
    loss_before: float
    loss_after: float


def heal(making: Making, *, recipe: TrainingSettings, teacher: Path, student: Path, folder: Path, steps: int, keep_zeros: bool) -> Healing:
    """Write to `folder` the weights and configuration of `student` after so many steps of learning from `teacher`, which has the same
    vocabulary.

    What the recipe says of threads, row lengths and seed holds. `making` is that of the stage that asks: the rows come from its
    dataset, a killed healing goes on from its scratch folder, and its events tell the progress. With `keep_zeros` a weight of a matrix
    that is 0 stays 0. Raises InputError where the rows cannot be learned from, Paused after SIGTERM or SIGINT, and TutelageError if the
    loss is no number.
    """
    settings = _settings(recipe, steps)
    scratch = making.scratch / "heal"
    scratch.mkdir(exist_ok=True)
    own = replace(making, settings=settings, scratch=scratch, ledger=Ledger(), events=Events(lambda event: _retell(making, event)))
    with disk_told(making.work, scratch):
        rows = _draw(read_rows(making.parents["dataset"].file("examples.jsonl"), Example), settings)
        device, chat_format = choose_device(settings.threads), folder_chat_format(student)
        task = TASKS["pretraining" if recipe.task == "pretraining" else "distillation"]
        ready = task.prepare(own, settings, rows, chat_format, Vocabulary(student))
        torch.manual_seed(settings.seed)
        method, whole = METHODS[settings.method], load_causal(student)
        model = method.attach(torch.nn.Module.to(whole, torch.device(device.name), torch.float32), settings)
        if keep_zeros:
            _hold_zeros(model)
        objective = distil_objective(model, settings, ready=ready, base_folder=teacher, scratch=scratch, plain=False)
        state = Loop(model=model, objective=objective, train=ready.train, validation=ready.validation, settings=settings, scratch=scratch,
                     events=own.events, origin=f"the smaller model {folder_sha256(student)[:ID_LENGTH]}").run()
        del model, objective, whole
        healed: Any = method.attach(load_causal(student), settings)
        put_weights(healed, state.best)
        healed.save_pretrained(folder)
    before = state.curve[0].validation_loss
    assert before is not None
    return Healing(steps=state.step, rows=len(ready.train), loss_before=before, loss_after=state.best_watched)


def _settings(recipe: TrainingSettings, steps: int) -> TrainingSettings:
    """Those of the distillation."""
    return TrainingSettings(base=recipe.base, task="distillation", method="frozen_embeddings", batch_rows=recipe.batch_rows,
                            micro_batch_tokens=recipe.micro_batch_tokens, maximum_tokens=recipe.maximum_tokens, maximum_steps=steps,
                            validate_every=-(-steps // MEASURED), threads=recipe.threads, seed=recipe.seed)


def _hold_zeros(model: torch.nn.Module) -> None:
    """Let no gradient reach a weight of a matrix that is 0: the optimiser then leaves it as it is."""
    for weight in trainable(model).values():
        if weight.ndim > 1:
            weight.register_hook((weight.detach() != 0).mul)  # type: ignore[no-untyped-call]


def _draw(examples: Iterable[Example], settings: TrainingSettings) -> list[Example]:
    """As many train rows as the steps see at most, some validation rows, and all held-out rows, which are only compared with these."""
    drawn = sorted(examples, key=lambda one: short_hash(str(settings.seed), one.id))
    parts = {part: [one for one in drawn if one.part == part] for part in ("train", "validation", "held_out")}
    return [*parts["train"][:settings.maximum_steps * settings.batch_rows], *parts["validation"][:VALIDATION], *parts["held_out"]]


def _retell(making: Making, event: Event) -> None:
    """Tell an event of the loop as one of the stage that asked for the healing."""
    making.events.send("model", event.kind, event.key, **event.facts)
