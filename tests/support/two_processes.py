"""Trains a tiny model in fp64 as one of several processes: a script that torch's launcher starts, and the same alone for comparison.

Usage: two_processes.py FOLDER: trains each of CASES from FOLDER/base with FOLDER/<case>/checkpoint.pt as the state to go on from, if any.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from training_stage import settings_of, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.checkpoint import CurveRow, State
from tutelage.training.devices import Device
from tutelage.training.fitting import Lost
from tutelage.training.loop import Loop
from tutelage.training.objectives import Objective
from tutelage.training.preflight import Ready
from tutelage.training.rows import TrainingRow, render_row
from tutelage.training.schedule import highest_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.start import start_model
from tutelage.training.tasks import TASKS
from tutelage.training.together import TEAMS

STEPS = 6


class Case(NamedTuple):
    """How the processes share the model, and what they train of it."""

    sharing: str
    method: str

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.sharing}-{self.method}"


CASES = [Case("ddp", "lora"), Case("ddp", "last_layers"), Case("ddp", "full"), Case("fsdp", "lora"), Case("fsdp", "full"),
         Case("fsdp", "frozen_embeddings")]
GOES_ON = Case("fsdp", "lora")  # goes on from a state that one process alone left; the others start


def small_ready(base: Path) -> Ready[TrainingRow]:
    """Eleven rows in steps of five: the last step of each epoch has one row for two processes; and five rows to measure on."""
    vocabulary = Vocabulary(base)
    rows: Sequence[TrainingRow] = [render_row(example, CHATML, vocabulary) for example in small_examples()]
    return Ready(tuple(rows[:11]), tuple(rows[12:17]), Lost())


def settings(method: str, *, steps: int) -> TrainingSettings:
    """Constant steps, so that a longer training begins as a shorter one does."""
    own = {"last_layers": {"last_layers": 1, "prefix_cache": False}}.get(method, {})
    return settings_of(method=method, batch_rows=5, maximum_steps=steps, schedule="constant", warmup_steps=0, validate_every=3,
                       learning_rate=2e-3 if method == "lora" else 1e-4,
                       micro_batch_tokens=100, **own)


def train(base: Path, scratch: Path, method: str, *, steps: int, sharing: str = "", plain: bool = False) -> State:
    """Train in fp64: alone (`plain`: by the model's own layers, whose rotations are of fp32), or as one that shares the model."""
    chosen, ready = settings(method, steps=steps), small_ready(base)
    model = start_model(chosen, ready, folder=base, device=Device("cpu", torch.float32, 1)).double()
    kind = TEAMS.get(sharing)

    def objective() -> Objective[Any]:
        return TASKS["sft"].objective(model, chosen, ready=ready, base_folder=base, scratch=scratch, plain=kind.plain if kind else plain)

    team = kind and kind(model, objective, rate=highest_rate(chosen), stop_file=scratch / "stop")
    return Loop(model=model, objective=team.objective if team else objective(), train=ready.train, validation=ready.validation,
                settings=chosen, scratch=scratch, events=Events(), team=team).run()


def figures(row: CurveRow) -> tuple[float, ...]:
    """What is compared of a step; NaN where nothing was measured."""
    return tuple(math.nan if value is None else value for value in (row.loss, row.validation_loss, row.gradient_norm))


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for case in CASES:
        state = train(folder / "base", folder / case.name, case.method, steps=STEPS, sharing=case.sharing)
        torch.save([figures(row) for row in state.curve], folder / case.name / f"curve-{os.environ['RANK']}.pt")
    dist.destroy_process_group()
