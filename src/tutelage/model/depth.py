"""Fewer layers: those that change least of what passes through them are dropped, and the rest is healed by the whole model."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.engine.fewer_layers import count_layers, keep_layers
from tutelage.engine.influence import block_influence, choose_layers, layer_types
from tutelage.engine.torch_base import load_causal
from tutelage.model.importance import training_rows
from tutelage.model.reshape import Fact, Given, Reshaping
from tutelage.model.shrink import ROWS, Heal, heal_cut, write_cut

EVIDENCE = "depth.json"


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
    cut = write_cut(given, keep_layers(model, kept), folder)
    del model
    facts: dict[str, Fact] = {"layers_before": layers, "layers": len(kept), "dropped": told}
    return facts | heal_cut(heal, given, cut, folder)


def check_drop(layers: int, drop: int) -> None:
    """Raise InputError if so many layers are to be dropped that none is left."""
    if drop >= layers:
        raise InputError(f"model.drop_layers: is {drop}, but the model has {layers} layers, of which at least one must be left. "
                         f"Give at most {layers - 1}.")
