"""What steps that take parts out of a model share: what is left is written, healed by the model that it was, and told."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedModel

from tutelage.core.store import Making
from tutelage.model.merge import KEPT
from tutelage.model.reshape import Fact, Given

ROWS = 16  # training rows that tell what matters


class Healed(Protocol):
    """How a healing went: steps, training rows, and the loss on validation rows, in nats a token."""

    @property
    def steps(self) -> int:
        """Steps that were taken."""
        ...

    @property
    def rows(self) -> int:
        """Training rows that were there."""
        ...

    @property
    def loss_before(self) -> float:
        """Before the first step."""
        ...

    @property
    def loss_after(self) -> float:
        """Of the weights that were kept."""
        ...


class Heal(Protocol):
    """Trains the model in `student` to answer as that in `teacher`, and writes its weights and configuration to `folder`."""

    def __call__(self, making: Making, *, teacher: Path, student: Path, folder: Path, steps: int, keep_zeros: bool) -> Healed:
        """So many steps on the rows of the making's dataset. What is needed after a kill stands in its scratch folder.

        With `keep_zeros` a weight of a matrix that is 0 stays 0.
        """
        ...


def write_cut(given: Given, model: PreTrainedModel, folder: Path) -> Path:
    """Write what is left of the model: to `folder`, or beside it if it is to be healed. Gives the place."""
    cut = folder.with_name("cut") if given.settings.heal_steps else folder
    model.save_pretrained(cut)
    keep_vocabulary(given.model, cut)
    return cut


def heal_cut(heal: Heal, given: Given, cut: Path, folder: Path, *, keep_zeros: bool = False) -> dict[str, Fact]:
    """Heal the model in `cut` by the one that the step was given, into `folder`, and tell it. Gives figures; none if nothing is healed."""
    making, steps = given.making, given.settings.heal_steps
    if cut == folder:
        return {}
    scratch = making.scratch / folder.name  # each step's own: what a teacher said of the rows is kept there
    scratch.mkdir(exist_ok=True)
    healed = heal(replace(making, scratch=scratch), teacher=given.model, student=cut, folder=folder, steps=steps, keep_zeros=keep_zeros)
    keep_vocabulary(given.model, folder)
    shutil.rmtree(cut)
    making.events.note("model", "model.healed", steps=healed.steps, rows=healed.rows, before=round(healed.loss_before, 4),
                       after=round(healed.loss_after, 4))
    return {"heal_steps": healed.steps, "heal_rows": healed.rows, "loss_before": healed.loss_before, "loss_after": healed.loss_after}


def keep_vocabulary(source: Path, folder: Path) -> None:
    """Give a model folder tokenizer and chat format of another."""
    for name in KEPT:
        shutil.copyfile(source / name, folder / name)
