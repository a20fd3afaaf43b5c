"""What the tests of steps that take parts out of a model share: rows, a step's start, logits, and a healing that spoils the model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from model_stage import held_out_row

from tutelage.core.chat import CHATML
from tutelage.core.events import Events
from tutelage.core.files import write_rows
from tutelage.core.records import Example
from tutelage.core.settings import Settings
from tutelage.core.store import Making, Store
from tutelage.engine.torch_base import load_causal
from tutelage.model.reshape import Given
from tutelage.model.settings import ModelSettings
from tutelage.training.heal import Healing

PROBE = torch.tensor([[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]])


def rows() -> list[Example]:
    """Twelve rows for training, four for validation, eight held out."""
    parts = ["train"] * 12 + ["validation"] * 4 + ["held_out"] * 8
    return [held_out_row(number).model_copy(update={"part": part}) for number, part in enumerate(parts)]


def logits(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = load_causal(folder)(input_ids=PROBE).logits
    return found


def heal_badly(making: Making, *, teacher: Path, student: Path, folder: Path, steps: int, keep_zeros: bool) -> Healing:
    """Writes a model that is far too sure of what it says."""
    model = load_causal(student)
    with torch.no_grad():
        model.get_decoder().norm.weight.mul_(3)
    model.save_pretrained(folder)
    return Healing(steps=steps, rows=1, loss_before=1.0, loss_after=0.5)


def given(model: Path, work: Path, examples: Sequence[Example], **settings: object) -> Given:
    """The start of a step on the model in a folder, as the stage hands it over."""
    store = Store(work)
    with store.making("dataset", "d1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", examples)
    dataset = store.look_up("dataset", "d1")
    assert dataset is not None
    (work / "scratch").mkdir()
    chosen = ModelSettings.model_validate(settings)
    made = Making(settings=chosen, parents={"dataset": dataset}, folder=work, scratch=work / "scratch", work=work, events=Events())
    return Given(model, made, chosen, CHATML, examples[-8:])
