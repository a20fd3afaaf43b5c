"""A faster, exact forward for known decoders: no padding, additions merged once a step, shared beginnings once, frozen layers once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear

from tutelage.engine.decoders import attend, hidden_from, is_known, linear_layers
from tutelage.training.batches import MicroBatch
from tutelage.training.packed_parts import ADAPTER, base_of
from tutelage.training.prefix import PrefixStates
from tutelage.training.rows import TrainingRow
from tutelage.training.shapes import Layer, read_shape


@dataclass(frozen=True)
class _Plan:
    """What all layers share for one micro-batch: rotations by their base, where rows lie, and what each may look at.

    `masks` has those of pieces (length, tokens before it, window) that need one beyond plain causality.
    """

    rotations: dict[float, tuple[torch.Tensor, torch.Tensor]]
    shared: int
    lengths: tuple[int, ...]
    masks: dict[tuple[int, int, int | None], torch.Tensor]


def fits(model: torch.nn.Module) -> bool:
    """Whether the packed path computes this model exactly: a known decoder on a processor in plain numbers, and all that is learned
    is known to it: weights and biases of linear layers, norms, the embedding, the output layer, and LoRA without dropout or DoRA."""
    base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    if base.device.type != "cpu" or not is_known(base.config):
        return False
    decoder = base.get_decoder()
    stacks = list(linear_layers(decoder))
    if not all(_is_plain(layer) for layers in stacks for layer in layers) or any(
            len({base_of(layer).bias is None for layer in layers}) > 1 for layers in stacks):
        return False
    known = [decoder.embed_tokens, base.get_output_embeddings(), *(layer for layers in stacks for layer in layers),
             *(module for module in decoder.modules() if type(module).__name__.endswith("RMSNorm"))]
    weights = {id(weight) for module in known for weight in module.parameters()}
    return all(id(weight) in weights for weight in model.parameters() if weight.requires_grad)


def _is_plain(layer: Any) -> bool:
    """Whether it is a linear layer of torch, alone or with one addition of PEFT's in its usual form."""
    base = base_of(layer)
    if type(base) is not torch.nn.Linear or list(base.children()) or not base.weight.is_floating_point():
        return False
    if layer is base:
        return True
    return bool(type(layer) is LoraLinear and list(layer.lora_A) == [ADAPTER] and not layer.merged
                and not layer.lora_magnitude_vector and isinstance(layer.lora_dropout[ADAPTER], torch.nn.Identity)
                and layer.lora_B[ADAPTER].bias is None)


class PackedBody:
    """A decoder on packed rows. It reads and trains the weights of the model that it is made from."""

    name = "packed"

    def __init__(self, model: torch.nn.Module) -> None:
        base: Any = model.get_base_model() if isinstance(model, PeftModel) else model
        self._shape = read_shape(base.get_decoder())
        size = self._shape.of.size
        even = torch.arange(0, size, 2, dtype=torch.float64)
        self._frequencies = {layer.theta: 1.0 / layer.theta ** (even / size) for layer in self._shape.of.layers}
        self._windows = {layer.window for layer in self._shape.of.layers}
        self._prefix: PrefixStates | None = None

    @property
    def frozen_layers(self) -> int:
        """How many layers stand before the first that learns: what they compute of a row never changes."""
        if self._shape.of.embedding.requires_grad:
            return 0
        return next((number for number, layer in enumerate(self._shape.layers) if layer.learned), 0)

    def keep_prefix(self, rows: Sequence[TrainingRow], folder: Path, *, tokens: int) -> bool:
        """Keep what the frozen layers compute of these rows on the disk, in 16 bits, from their first use on. False if no layer is frozen.

        Rows are computed together, at most `tokens` padded tokens at once. `folder` may hold what an earlier, killed run has kept.
        """
        if not self.frozen_layers:
            return False
        self._prefix = PrefixStates(rows, folder, width=self._shape.of.embedding.shape[1], tokens=tokens, compute=self._frozen_states,
                                    fingerprint=self._fingerprint())
        return True

    def refresh(self) -> None:
        """Merge the changed adapter into the weights that the forward uses."""
        for layer in self._shape.layers:
            stacks = layer.stacks
            for stack in (stacks.queries_keys_values, stacks.output, stacks.gate_up, stacks.down):
                stack.refresh()

    def hidden(self, batch: MicroBatch) -> torch.Tensor:
        """Hidden states at the positions that predict `batch.targets`, in that order. Shape (learned, width)."""
        shape, plan, keep = self._shape, self._plan(batch), batch.packed_positions
        states = self._prefix.states(batch) if self._prefix else None
        start = 0 if states is None else self.frozen_layers
        states = self._embedded(batch) if states is None else states.to(shape.of.embedding.dtype)
        for layer in shape.layers[start:]:
            states = self._layer(layer, states, plan, keep if layer is shape.layers[-1] else None)
        return shape.norm(states, shape.of.final_norm)

    def _embedded(self, batch: MicroBatch) -> torch.Tensor:
        of = self._shape.of
        states = F.embedding(batch.packed_ids, of.embedding)
        return states * of.embedding_scale if of.embedding_scale != 1 else states

    @torch.no_grad()
    def _frozen_states(self, batch: MicroBatch) -> torch.Tensor:
        """What the first layer that learns is given. Shape (packed, width)."""
        plan, states = self._plan(batch), self._embedded(batch)
        for layer in self._shape.layers[: self.frozen_layers]:
            states = self._layer(layer, states, plan, None)
        return states

    def _layer(self, layer: Layer, states: torch.Tensor, plan: _Plan, keep: torch.Tensor | None) -> torch.Tensor:
        """The states after a layer; behind its attention positions no longer see each other: only those of `keep` go on, if given."""
        shape, of, stacks = self._shape, layer.of, layer.stacks
        attended = self._attention(layer, stacks.queries_keys_values(states, shape.norm, of.before_attention), plan)
        if keep is not None:
            attended, states = attended[keep], states[keep]
        states = states + shape.norm(stacks.output(attended), of.after_attention)
        gated = stacks.gate_up(states, shape.norm, of.before_gate)
        return states + shape.norm(stacks.down(gated, shape.gate), of.after_down)

    def _fingerprint(self) -> str:
        """Tells whether frozen weights are those that kept states were computed by."""
        shape = self._shape
        layers = shape.layers[: self.frozen_layers]
        sums = [shape.of.embedding.sum(dtype=torch.float64)] + [
            stack.weight_sum() for layer in layers for stack in (layer.stacks.queries_keys_values, layer.stacks.output,
                                                                 layer.stacks.gate_up, layer.stacks.down)]
        return " ".join(float(number).hex() for number in sums)

    def _plan(self, batch: MicroBatch) -> _Plan:
        dtype, shared = self._shape.of.embedding.dtype, batch.shared
        rotations = {}
        for theta, frequencies in self._frequencies.items():
            angles = batch.packed_places[:, None] * frequencies
            angles = torch.cat((angles, angles), -1)[:, None]
            rotations[theta] = (angles.cos().to(dtype), angles.sin().to(dtype))
        pieces = {(length, shared) for length in batch.lengths} | ({(shared, 0)} if shared else set())
        masks = {(length, before, window): mask for length, before in pieces for window in self._windows
                 if (mask := hidden_from(length, before, window, dtype)) is not None}
        return _Plan(rotations, shared, batch.lengths, masks)

    def _attention(self, layer: Layer, stacked: torch.Tensor, plan: _Plan) -> torch.Tensor:
        """Causal attention of each row on itself and on the shared beginning. Shape (packed, heads * size)."""
        norm, of = self._shape.norm, self._shape.of
        parts = stacked.view(len(stacked), -1, of.size)
        turned, values = torch.split(parts, [of.heads + of.groups, of.groups], 1)
        if layer.of.queries is not None:
            queries, keys = torch.split(turned, [of.heads, of.groups], 1)
            turned = torch.cat((norm(queries, layer.of.queries), norm(keys, layer.of.keys)), 1)
        queries, keys = torch.split(_rotate(turned, *plan.rotations[layer.of.theta]), [of.heads, of.groups], 1)
        cuts = ([plan.shared] if plan.shared else []) + list(plan.lengths)
        first_key = first_value = None
        outputs = []
        pieces = (torch.split(part, cuts) for part in (queries, keys, values))
        for number, (query, key, value) in enumerate(zip(*pieces, strict=True)):
            if plan.shared and number == 0:
                first_key, first_value = key, value
            elif first_key is not None and first_value is not None:
                key, value = torch.cat((first_key, key)), torch.cat((first_value, value))
            mask = plan.masks.get((len(query), len(key) - len(query), layer.of.window))
            outputs.append(attend(of, query, key, value, mask))
        return torch.cat(outputs)


def _rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, -1)
    return x * cos + torch.cat((-right, left), -1) * sin
