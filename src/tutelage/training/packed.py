"""A faster, exact forward for known decoders with LoRA: no padding, additions merged once a step, shared beginnings once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from peft import PeftModel

from tutelage.training.batches import MicroBatch
from tutelage.training.packed_parts import ADAPTER, norm
from tutelage.training.shapes import Layer, Shape, is_known, read_shape


@dataclass(frozen=True)
class _Plan:
    """What all layers share for one micro-batch: rotations by their base, where rows lie, and what each may look at.

    `masks` has those of pieces (length, tokens before it, window) that need one beyond plain causality.
    """

    rotations: dict[float, tuple[torch.Tensor, torch.Tensor]]
    shared: int
    lengths: tuple[int, ...]
    masks: dict[tuple[int, int, int | None], torch.Tensor]


def fits(model: PeftModel) -> bool:
    """Whether the packed path computes this model exactly: a known decoder on a processor, LoRA on all linear layers, no dropout."""
    base: Any = model.get_base_model()
    lora: Any = model.peft_config[ADAPTER]
    names = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    return bool(is_known(base.config) and model.device.type == "cpu" and set(lora.target_modules) == names and lora.lora_dropout == 0
                and not lora.use_dora and not lora.use_rslora)


class PackedBody:
    """A decoder on packed rows. It reads and trains the weights of the PEFT model that it is made from."""

    name = "packed"

    def __init__(self, model: PeftModel) -> None:
        base: Any = model.get_base_model()
        self._shape = read_shape(base.get_decoder())
        even = torch.arange(0, self._shape.size, 2, dtype=torch.float64)
        self._frequencies = {layer.theta: 1.0 / layer.theta ** (even / self._shape.size) for layer in self._shape.layers}
        self._windows = {layer.window for layer in self._shape.layers}

    def refresh(self) -> None:
        """Merge the changed adapter into the weights that the forward uses."""
        for layer in self._shape.layers:
            stacks = layer.stacks
            for stack in (stacks.queries_keys_values, stacks.output, stacks.gate_up, stacks.down):
                stack.refresh()

    def hidden(self, batch: MicroBatch) -> torch.Tensor:
        """Hidden states at the positions that predict `batch.targets`, in that order. Shape (learned, width)."""
        shape, plan, keep = self._shape, self._plan(batch), batch.packed_positions
        states = shape.embedding[batch.packed_ids]
        if shape.embedding_scale != 1:
            states *= shape.embedding_scale
        for layer in shape.layers:
            attended = self._attention(layer, layer.stacks.queries_keys_values(self._norm(states, layer.before_attention)), plan)
            if layer is shape.layers[-1]:  # from here on positions no longer see each other
                attended, states = attended[keep], states[keep]
            states = states + self._norm(layer.stacks.output(attended), layer.after_attention)
            gated = shape.gate(layer.stacks.gate_up(self._norm(states, layer.before_gate)))
            states = states + self._norm(layer.stacks.down(gated), layer.after_down)
        return self._norm(states, shape.final_norm)

    def _norm(self, states: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        return states if weight is None else norm(states, weight, self._shape.epsilon)

    def _plan(self, batch: MicroBatch) -> _Plan:
        dtype, shared = self._shape.embedding.dtype, batch.shared
        rotations = {}
        for theta, frequencies in self._frequencies.items():
            angles = batch.packed_places[:, None] * frequencies
            angles = torch.cat((angles, angles), -1)[:, None]
            rotations[theta] = (angles.cos().to(dtype), angles.sin().to(dtype))
        pieces = {(length, shared) for length in batch.lengths} | ({(shared, 0)} if shared else set())
        masks = {(length, before, window): mask for length, before in pieces for window in self._windows
                 if (mask := _mask(length, before, window, dtype)) is not None}
        return _Plan(rotations, shared, batch.lengths, masks)

    def _attention(self, layer: Layer, stacked: torch.Tensor, plan: _Plan) -> torch.Tensor:
        """Causal attention of each row on itself and on the shared beginning. Shape (packed, heads * size)."""
        shape = self._shape
        parts = stacked.view(len(stacked), -1, shape.size)
        turned, values = torch.split(parts, [shape.heads + shape.groups, shape.groups], 1)
        if layer.queries is not None:
            queries, keys = torch.split(turned, [shape.heads, shape.groups], 1)
            turned = torch.cat((self._norm(queries, layer.queries), self._norm(keys, layer.keys)), 1)
        queries, keys = torch.split(_rotate(turned, *plan.rotations[layer.theta]), [shape.heads, shape.groups], 1)
        cuts = ([plan.shared] if plan.shared else []) + list(plan.lengths)
        first_key = first_value = None
        outputs = []
        pieces = (torch.split(part, cuts) for part in (queries, keys, values))
        for number, (query, key, value) in enumerate(zip(*pieces, strict=True)):
            if plan.shared and number == 0:
                first_key, first_value = key, value
            elif first_key is not None and first_value is not None:
                key, value = torch.cat((first_key, key)), torch.cat((first_value, value))
            mask = plan.masks.get((len(query), len(key) - len(query), layer.window))
            outputs.append(_attend(shape, query, key, value, mask))
        return torch.cat(outputs)


def _mask(length: int, before: int, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
    """What `length` positions after `before` others may not look at (-inf): what comes later, and what left the window.

    None where plain causality says it all. Shape (length, before + length).
    """
    if before == 0 and (window is None or length <= window):
        return None
    mask = torch.full((length, before + length), -torch.inf, dtype=dtype).triu_(before + 1)
    if window is not None and before + length > window:
        mask += torch.full_like(mask, -torch.inf).tril_(before - window)
    return mask


def _attend(shape: Shape, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    spread = shape.heads // shape.groups
    keys, values = (part.transpose(0, 1).repeat_interleave(spread, 0)[None] for part in (key, value))
    result = F.scaled_dot_product_attention(query.transpose(0, 1)[None], keys, values, attn_mask=mask, is_causal=mask is None,
                                            scale=shape.attention_scale)
    return result[0].transpose(0, 1).flatten(1)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin
