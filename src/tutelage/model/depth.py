"""Fewer layers: those that change least of what passes through them are dropped, and the rest is healed by the whole model."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch
import torch.nn.functional as F

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.core.store import Making
from tutelage.engine.fewer_layers import count_layers, keep_layers, layers_of
from tutelage.engine.torch_base import load_causal
from tutelage.model.importance import training_rows
from tutelage.model.merge import KEPT
from tutelage.model.reshape import Fact, Given, Reshaping

ROWS = 16  # training rows that tell the influence of layers
EVIDENCE = "depth.json"


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

    def __call__(self, making: Making, *, teacher: Path, student: Path, folder: Path, steps: int) -> Healed:
        """So many steps on the rows of the making's dataset. What is needed after a kill stands in its scratch folder."""
        ...


class Depth(Record):
    """`depth.json`: the influence of each layer on the training rows, and which layers were kept, counted from 0."""

    rows: int
    tokens: int
    influence: tuple[float, ...]
    kept: tuple[int, ...]
    dropped: tuple[int, ...]


def depth_step(heal: Heal) -> Reshaping:
    """The step that drops `drop_layers` layers and heals the rest."""
    return Reshaping(name="drop_layers", folder="shallow", is_wanted=lambda settings: settings.drop_layers > 0,
                     margin=lambda settings: settings.drop_margin, make=partial(drop_layers, heal))


def drop_layers(heal: Heal, given: Given, folder: Path) -> dict[str, Fact]:
    """Write the model without its least important layers to `folder`, healed as far as the settings ask, and depth.json beside it.

    Raises InputError if no layer would be left.
    """
    settings, making = given.settings, given.making
    model = load_causal(given.model)
    layers = count_layers(model)
    check_drop(layers, settings.drop_layers)
    rows = training_rows(making, ROWS, given.model, given.chat_format)
    influence = block_influence(model, rows)
    kept = choose_layers(influence, layer_types(model), drop=settings.drop_layers)
    dropped = tuple(number for number in range(layers) if number not in kept)
    told = ", ".join(map(str, dropped))
    making.events.note("model", "model.layers_dropped", dropped=told, layers=layers, rows=len(rows))
    write_whole(making.folder / EVIDENCE, Depth(rows=len(rows), tokens=sum(map(len, rows)), influence=influence, kept=kept,
                                                dropped=dropped).model_dump_json(indent=1))
    facts: dict[str, Fact] = {"layers_before": layers, "layers": len(kept), "dropped": told}
    cut = making.folder / "cut" if settings.heal_steps else folder
    keep_layers(model, kept).save_pretrained(cut)
    keep_vocabulary(given.model, cut)
    del model
    if settings.heal_steps:
        healed = heal(making, teacher=given.model, student=cut, folder=folder, steps=settings.heal_steps)
        keep_vocabulary(given.model, folder)
        shutil.rmtree(cut)
        making.events.note("model", "model.healed", steps=healed.steps, rows=healed.rows, before=round(healed.loss_before, 4),
                           after=round(healed.loss_after, 4))
        facts |= {"heal_steps": healed.steps, "heal_rows": healed.rows, "loss_before": healed.loss_before,
                  "loss_after": healed.loss_after}
    return facts


def check_drop(layers: int, drop: int) -> None:
    """Raise InputError if so many layers are to be dropped that none is left."""
    if drop >= layers:
        raise InputError(f"model.drop_layers: is {drop}, but the model has {layers} layers, of which at least one must be left. "
                         f"Give at most {layers - 1}.")


def block_influence(model: Any, rows: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Of each layer: 1 - the cosine between what enters and what leaves it, the mean over all tokens of `rows`. 0 changes nothing.

    Source: Men et al. 2024, arXiv:2403.03853, section 3.1.
    """
    layers = layers_of(model)
    sums = [0.0] * len(layers)

    def watch(number: int) -> Any:
        def add(_module: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            sums[number] += float((1 - F.cosine_similarity(inputs[0].double(), output.double(), dim=-1)).sum())
        return add

    watched = [layer.register_forward_hook(watch(number)) for number, layer in enumerate(layers)]
    with torch.inference_mode():
        for row in rows:
            model.get_decoder()(input_ids=torch.tensor([list(row)]), use_cache=False)
    for handle in watched:
        handle.remove()
    tokens = sum(map(len, rows))
    return tuple(total / tokens for total in sums)


def layer_types(model: Any) -> tuple[str, ...]:
    """The kind of attention of each layer; all alike where the architecture knows one kind only."""
    config = model.config.get_text_config()
    return tuple(config.to_dict().get("layer_types") or ["full_attention"] * config.num_hidden_layers)


def choose_layers(influence: Sequence[float], types: Sequence[str], *, drop: int) -> tuple[int, ...]:
    """The layers to keep, counted from 0: those of the most influence together.

    Where kinds of attention alternate (Gemma 3) the kept layers have the kinds that as many first layers had, in that order: a copy for
    llama.cpp knows one pattern only.
    """
    order = types[:len(types) - drop]
    best: dict[int, tuple[float, tuple[int, ...]]] = {0: (0.0, ())}  # by the number of layers kept so far
    for number, (weight, kind) in enumerate(zip(influence, types, strict=True)):
        longer = {count + 1: (total + weight, (*chosen, number)) for count, (total, chosen) in best.items()
                  if count < len(order) and order[count] == kind}
        best |= {count: found for count, found in longer.items() if count not in best or found[0] > best[count][0]}
    return best[len(order)][1]


def keep_vocabulary(source: Path, folder: Path) -> None:
    """Give a model folder tokenizer and chat format of another."""
    for name in KEPT:
        shutil.copyfile(source / name, folder / name)
