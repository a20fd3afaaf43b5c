"""A decoder as the packed path computes and trains it: what is known of its family, its linear layers stacked, its norms and gate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from tutelage.engine.decoders import Decoder, DecoderLayer, Gate, read_decoder
from tutelage.training.packed_parts import Before, GeluGate, Norm, SiluGate, Stack

GATES: dict[Gate, Before] = {"silu": SiluGate(), "gelu": GeluGate()}


@dataclass(frozen=True)
class Stacks:
    """The linear layers of one layer."""

    queries_keys_values: Stack
    output: Stack
    gate_up: Stack
    down: Stack


@dataclass(frozen=True)
class Layer:
    """One layer: what is known of it, and its linear layers as stacks."""

    of: DecoderLayer
    stacks: Stacks

    @property
    def learned(self) -> list[torch.Tensor]:
        """What of it gets a gradient."""
        stacks, of = (self.stacks.queries_keys_values, self.stacks.output, self.stacks.gate_up, self.stacks.down), self.of
        norms = (of.before_attention, of.queries, of.keys, of.after_attention, of.before_gate, of.after_down)
        return [tensor for stack in stacks for tensor in stack.learned] + [
            norm for norm in norms if norm is not None and norm.requires_grad]


@dataclass(frozen=True)
class Shape:
    """A decoder with what computes it."""

    of: Decoder
    norm: Norm
    gate: Before
    layers: tuple[Layer, ...]


def read_shape(decoder: Any) -> Shape:
    """The shape of a decoder of a known family. Its weights become views of the stacks."""
    found = read_decoder(decoder)
    return Shape(of=found, norm=Norm(found.epsilon, found.norm_offset), gate=GATES[found.gate],
                 layers=tuple(Layer(layer, Stacks(*(Stack(layers) for layers in layer.linear))) for layer in found.layers))
