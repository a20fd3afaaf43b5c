"""Which layers of a model matter most: how much each changes what passes through it, and the best choice of so many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedModel

from tutelage.engine.fewer_layers import layers_of


def block_influence(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> tuple[float, ...]:
    """Of each layer: 1 - the cosine between what enters and what leaves it, the mean over all tokens of `rows`. 0 changes nothing.

    Source: Men et al. 2024, arXiv:2403.03853, section 3.1.
    """
    layers, body = layers_of(model), model.base_model
    sums = [0.0] * len(layers)

    def watch(number: int) -> Any:
        def add(_module: Any, inputs: tuple[torch.Tensor, ...], output: Any) -> None:
            states = output[0] if isinstance(output, tuple) else output
            sums[number] += float((1 - F.cosine_similarity(inputs[0].double(), states.double(), dim=-1)).sum())
        return add

    watched = [layer.register_forward_hook(watch(number)) for number, layer in enumerate(layers)]
    with torch.inference_mode():
        for row in rows:
            body(input_ids=torch.tensor([list(row)]))
    for handle in watched:
        handle.remove()
    tokens = sum(map(len, rows))
    return tuple(total / tokens for total in sums)


def layer_types(model: PreTrainedModel) -> tuple[str, ...]:
    """The kind of attention of each layer; all alike where the architecture knows one kind only."""
    config: Any = model.config.get_text_config()
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
