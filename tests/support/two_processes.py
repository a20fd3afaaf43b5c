"""Trains a tiny model as one of two processes: a script that torch's launcher starts, the same alone for comparison, and the comparison.

Usage: two_processes.py FOLDER KIND: trains each of CASES[KIND] from FOLDER/base, or on from FOLDER/<case>/checkpoint.pt if it is there.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.distributed as dist
from tiny_model import make_tiny_model
from training_stage import settings_of, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.checkpoint import CurveRow, State, read_checkpoint
from tutelage.training.devices import Device
from tutelage.training.fitting import Lost
from tutelage.training.loop import Loop
from tutelage.training.objectives import Objective
from tutelage.training.preflight import Ready
from tutelage.training.rows import TrainingRow, render_row
from tutelage.training.schedule import highest_rate
from tutelage.training.settings import TrainingSettings
from tutelage.training.sharing import TEAMS
from tutelage.training.start import start_model
from tutelage.training.tasks import TASKS

STEPS = 6
EXACT = 1e-9  # fp64 has 16 digits, and a training of a few steps multiplies an error of the last one by far less than 1e6
CLOSE = 1e-4  # what fp32 leaves of the same


class Case(NamedTuple):
    """How the processes share the model, and what they train of it."""

    sharing: str
    method: str
    dtype: torch.dtype = torch.float64

    @property
    def tolerance(self) -> float:
        """How far the numbers may differ from those of one process."""
        return EXACT if self.dtype == torch.float64 else CLOSE

    @property
    def name(self) -> str:
        """Its folder."""
        return f"{self.sharing}-{self.method}"


CASES = {
    "torch": [Case("ddp", "lora"), Case("ddp", "last_layers"), Case("ddp", "full"), Case("fsdp", "lora"), Case("fsdp", "full"),
              Case("fsdp", "frozen_embeddings")],
    "deepspeed": [Case(sharing, method, torch.float32)  # it keeps no number in fp64
                  for sharing in ("zero2", "zero3") for method in ("lora", "full", "frozen_embeddings")],
}
GO_ON = (Case("fsdp", "lora"), Case("zero2", "lora", torch.float32), Case("zero3", "full", torch.float32))  # from a state of one process


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


def train(base: Path, scratch: Path, case: Case, *, steps: int, is_alone: bool = True) -> State:
    """Train alone, by the layers that the case takes, or as one of those that share the model."""
    chosen, ready, kind = settings(case.method, steps=steps), small_ready(base), TEAMS[case.sharing]
    model = start_model(chosen, ready, folder=base, device=Device("cpu", torch.float32, 1)).to(case.dtype)

    def objective() -> Objective[Any]:
        return TASKS["sft"].objective(model, chosen, ready=ready, base_folder=base, scratch=scratch, plain=kind.plain)

    team = None if is_alone else kind(model, objective, rate=highest_rate(chosen), stop_file=scratch / "stop")
    return Loop(model=model, objective=team.objective if team else objective(), train=ready.train, validation=ready.validation,
                settings=chosen, scratch=scratch, events=Events(), team=team).run()


def figures(row: CurveRow) -> tuple[float, ...]:
    """What is compared of a step; NaN where nothing was measured."""
    return tuple(math.nan if value is None else value for value in (row.loss, row.validation_loss, row.gradient_norm))


def train_all(folder: Path, kind: str) -> Path:
    """Let two processes train all cases of a kind in this folder."""
    make_tiny_model(folder / "base")
    for case in CASES[kind]:
        (folder / case.name).mkdir()
        if case in GO_ON:
            train(folder / "base", folder / case.name, case, steps=3)
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", __file__, str(folder), kind]
    ended = subprocess.run(words, check=False, capture_output=True, text=True, timeout=400,
                           env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)})
    assert ended.returncode == 0, ended.stderr[-3000:]
    return folder


def compare_with_one(trained: Path, tmp_path: Path, case: Case) -> None:
    """Assert that both processes tell what one alone tells and save what it saves, and that one goes on from it as from its own."""
    near = {"rtol": case.tolerance, "atol": case.tolerance}
    alone = train(trained / "base", tmp_path, case, steps=STEPS)
    curves = [torch.load(trained / case.name / f"curve-{rank}.pt") for rank in (0, 1)]
    assert repr(curves[0]) == repr(curves[1])  # so both stop at the same step and keep the same weights
    assert len(curves[0]) == STEPS + 1
    for told, row in zip(curves[0], alone.curve, strict=True):
        assert told == pytest.approx(figures(row), rel=case.tolerance, nan_ok=True)
    state, _, _ = read_checkpoint(trained / case.name / "checkpoint.pt", origin="")
    assert state.best_step == alone.best_step
    for name, weight in alone.best.items():
        torch.testing.assert_close(state.best[name], weight, **near)
    longer = train(trained / "base", tmp_path, case, steps=STEPS + 2)
    gone_on = train(trained / "base", trained / case.name, case, steps=STEPS + 2)
    for name, weight in longer.best.items():
        torch.testing.assert_close(gone_on.best[name], weight, **near)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    for case in CASES[sys.argv[2]]:
        state = train(folder / "base", folder / case.name, case, steps=STEPS, is_alone=False)
        torch.save([figures(row) for row in state.curve], folder / case.name / f"curve-{os.environ['RANK']}.pt")
    dist.destroy_process_group()
