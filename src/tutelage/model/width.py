"""Narrower layers: the channels and attention heads that add least are taken out, real smaller matrices are left, and healed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.engine.fewer_layers import layers_of
from tutelage.engine.torch_base import load_causal
from tutelage.model.importance import mean_squares, training_rows
from tutelage.model.reshape import Fact, Given, Reshaping
from tutelage.model.shrink import ROWS, Heal, heal_cut, write_cut

EVIDENCE = "width.json"
BLOCKS = (256, 32)  # formats of few bits cut rows into blocks of so many numbers
WHOLE_WIDTH = ("llama", "mistral", "gemma3_text")  # families whose configuration wants a width that is a multiple of the heads' number
ALL_HEADS = ("qwen2",)  # families of which llama.cpp takes for granted that all heads together are as wide as the model


@dataclass(frozen=True)
class Heads:
    """How the attention heads of each layer are grouped: `heads` of queries, `groups` of them with keys and values of their own."""

    heads: int
    groups: int

    @property
    def each(self) -> int:
        """Heads of a group."""
        return self.heads // self.groups

    def without(self, drop: int) -> Heads:
        """What is left of so many heads fewer: fewer groups where whole ones can go, else fewer heads in each."""
        if drop % self.each == 0:
            return Heads(self.heads - drop, self.groups - drop // self.each)
        return Heads(self.heads - drop, self.groups)


class Width(Record):
    """`width.json`: what each layer had and has left, and of each layer the share of the measured importance that went.

    `heads_kept` has the numbers of the heads that each layer kept, counted from 0.
    """

    rows: int
    tokens: int
    channels_before: int
    channels: int
    heads_before: int
    heads: int
    groups_before: int
    groups: int
    lost_channels: tuple[float, ...]
    lost_heads: tuple[float, ...]
    heads_kept: tuple[tuple[int, ...], ...]


def width_step(heal: Heal) -> Reshaping:
    """The step that takes out `drop_channels` of the channels and `drop_heads` heads, and heals the rest."""
    return Reshaping(name="narrow", folder="narrow", is_wanted=lambda settings: bool(settings.drop_channels or settings.drop_heads),
                     margin=lambda settings: settings.drop_margin, make=partial(narrow, heal))


def narrow(heal: Heal, given: Given, folder: Path) -> dict[str, Fact]:
    """Write the model with narrower layers to `folder`, healed as far as the settings ask, and width.json beside it.

    Raises InputError where so many channels or heads cannot go.
    """
    settings, making = given.settings, given.making
    model = load_causal(given.model)
    config: Any = model.config.get_text_config()
    channels = channels_left(config.intermediate_size, settings.drop_channels)
    before = Heads(config.num_attention_heads, config.num_key_value_heads)
    after = heads_left(before, settings.drop_heads, width=config.hidden_size, kind=config.model_type)
    rows = training_rows(making, ROWS, given.model, given.chat_format)
    of_channels, of_heads = importance(model, mean_squares(model, rows), heads=before.heads)
    kept_channels = [strongest(layer, channels) for layer in of_channels]
    kept_heads = [choose_heads(layer, before, after) for layer in of_heads]
    width = Width(rows=len(rows), tokens=sum(map(len, rows)), channels_before=config.intermediate_size, channels=channels,
                  heads_before=before.heads, heads=after.heads, groups_before=before.groups, groups=after.groups,
                  lost_channels=_lost(of_channels, kept_channels), lost_heads=_lost(of_heads, kept_heads),
                  heads_kept=tuple(map(tuple, kept_heads)))
    facts: dict[str, Fact] = width.model_dump(include={"channels_before", "channels", "heads_before", "heads", "groups_before", "groups"})
    making.events.note("model", "model.narrowed", rows=len(rows), **facts)
    write_whole(making.folder / EVIDENCE, width.model_dump_json(indent=1))
    cut = write_cut(given, take(model, kept_channels, kept_heads, before, after), folder)
    del model
    return facts | heal_cut(heal, given, cut, folder)


def channels_left(channels: int, share: float) -> int:
    """How many channels are left of `channels` if about this share goes; all if it is 0.

    They are cut in the blocks of the copies' formats, so that no copy needs more bits a weight than before: of 256 where all are a
    multiple of that, else of 32, else one by one. Raises InputError if none would go, or none be left.
    """
    if not share:
        return channels
    block = next((size for size in BLOCKS if channels % size == 0), 1)
    blocks = channels // block
    left = int(blocks * (1 - share) + 0.5)
    if not 0 < left < blocks:
        if blocks == 1:
            raise InputError(f"model.drop_channels: is {share:g}, but the model has {channels} channels a layer, one block of the copies' "
                             "formats, which cannot be cut. Set it to 0.")
        raise InputError(f"model.drop_channels: is {share:g}, which takes {'none' if left else 'all'} of the {channels} channels a layer: "
                         f"they go in blocks of {block}. Give {1 / blocks:.2f} to {1 - 1 / blocks:.2f}, or 0.")
    return left * block


def heads_left(before: Heads, drop: int, *, width: int, kind: str) -> Heads:
    """What is left of so many heads fewer in each layer. Raises InputError where the family `kind` cannot have that."""
    if drop and kind in ALL_HEADS:
        raise InputError(f"model.drop_heads: is {drop}, but llama.cpp takes the heads of a {kind} model, all together, for as wide as the "
                         "model, so none can go. Set it to 0, or take out channels (model.drop_channels).")

    def fits(fewer: int) -> bool:
        if fewer % before.each and fewer % before.groups:
            return False
        return kind not in WHOLE_WIDTH or width % (before.heads - fewer) == 0

    if drop and not (drop < before.heads and fits(drop)):
        allowed = [fewer for fewer in range(1, before.heads) if fits(fewer)]
        told = f"Give {', '.join(map(str, allowed))}, or 0." if allowed else "None can go from this model: set it to 0."
        raise InputError(f"model.drop_heads: is {drop}, but the model has {before.heads} heads a layer in {before.groups} groups with keys "
                         f"and values of their own, and every group must keep as many. {told}")
    return before.without(drop)


def importance(model: PreTrainedModel, squares: Mapping[str, np.ndarray], *, heads: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each channel and each head of every layer: the mean square of the numbers that it alone adds to what leaves the layer, summed.

    Shapes: (layers, channels) and (layers, heads). With W the matrix that ends the part and x what enters it: of channel c it is
    E[x_c^2] |W_c|^2, the squared error if this one alone goes; of a head the sum over its columns. `squares` has E[x^2] by name.
    Source: the score |W_ij| |x_j| of Sun et al. 2023, arXiv:2306.11695, section 3, squared and summed over a column, as in An et al.
    2023, arXiv:2312.11983, section 3 (there of the fluctuation of x, for which a bias makes up).
    """
    names = {id(weight): name for name, weight in model.named_parameters()}

    def columns(matrix: torch.nn.Linear) -> np.ndarray:
        added: np.ndarray = matrix.weight.detach().double().square().sum(0).numpy() * squares[names[id(matrix.weight)]]
        return added

    layers: Sequence[Any] = list(layers_of(model))
    of_channels = np.stack([columns(layer.mlp.down_proj) for layer in layers])
    of_heads = np.stack([columns(layer.self_attn.o_proj).reshape(heads, -1).sum(1) for layer in layers])
    return of_channels, of_heads


def strongest(values: np.ndarray, count: int) -> list[int]:
    """The places of the `count` largest values, in order."""
    return sorted(np.argsort(-values, kind="stable")[:count].tolist())


def choose_heads(values: np.ndarray, before: Heads, after: Heads) -> list[int]:
    """The heads to keep, counted from 0: the strongest whole groups, or the strongest heads of every group."""
    by_group = values.reshape(before.groups, before.each)
    if after.groups < before.groups:
        return [group * before.each + head for group in strongest(by_group.sum(1), after.groups) for head in range(before.each)]
    return [group * before.each + head for group, own in enumerate(by_group) for head in strongest(own, after.each)]


@torch.no_grad()
def take(model: PreTrainedModel, channels: Sequence[Sequence[int]], heads: Sequence[Sequence[int]], before: Heads,
         after: Heads) -> PreTrainedModel:
    """The same model with only these channels and heads in each layer; it is changed in place, its configuration as well."""
    config: Any = model.config.get_text_config()
    layers: Sequence[Any] = list(layers_of(model))
    size = int(layers[0].self_attn.head_dim)
    for layer, inner, queries in zip(layers, channels, heads, strict=True):
        feed, attention = layer.mlp, layer.self_attn
        groups = sorted({head // before.each for head in queries})
        for matrix in (feed.gate_proj, feed.up_proj):
            _keep_rows(matrix, inner)
        _keep_columns(feed.down_proj, inner)
        _keep_rows(attention.q_proj, _spread(queries, size))
        for matrix in (attention.k_proj, attention.v_proj):
            _keep_rows(matrix, _spread(groups, size))
        _keep_columns(attention.o_proj, _spread(queries, size))
        attention.num_key_value_groups = after.each
    config.intermediate_size, config.head_dim = len(channels[0]), size
    config.num_attention_heads, config.num_key_value_heads = after.heads, after.groups
    return model


def _spread(heads: Sequence[int], size: int) -> list[int]:
    """The rows of these heads, each `size` rows."""
    return [head * size + row for head in heads for row in range(size)]


def _keep_rows(matrix: torch.nn.Linear, rows: Sequence[int]) -> None:
    matrix.weight = torch.nn.Parameter(matrix.weight[list(rows)])
    if matrix.bias is not None:
        matrix.bias = torch.nn.Parameter(matrix.bias[list(rows)])
    matrix.out_features = len(rows)


def _keep_columns(matrix: torch.nn.Linear, columns: Sequence[int]) -> None:
    matrix.weight = torch.nn.Parameter(matrix.weight[:, list(columns)])
    matrix.in_features = len(columns)


def _lost(values: np.ndarray, kept: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Of each layer the share of what was measured that is not kept, 0..1."""
    return tuple(float(np.delete(layer, list(own)).sum() / layer.sum()) for layer, own in zip(values, kept, strict=True))
