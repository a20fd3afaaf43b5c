"""The parts of a packed forward: stacked linear layers by one product, gates and norms, each with a gradient of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear

ADAPTER = "default"  # PEFT's name of the only adapter


@dataclass(frozen=True)
class _Part:
    """One of the stacked layers: its rows in the stack, and what of it is learned. `scale` is that of its low-rank addition."""

    rows: slice
    scale: float | None
    weight: bool
    bias: bool

    @property
    def learned(self) -> int:
        """How many tensors of it are learned."""
        return 2 * (self.scale is not None) + self.weight + self.bias


class _Linear(torch.autograd.Function):
    """y = x (W + s B A)^T + b by the merged weight; gradients for x and for what is learned of each of the stacked layers."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, merged: torch.Tensor, bias: torch.Tensor | None, parts: tuple[_Part, ...],
                *learned: torch.Tensor) -> torch.Tensor:
        factors = [tensor for part, tensors in _by_part(parts, learned) if part.scale is not None for tensor in tensors[:2]]
        ctx.save_for_backward(x if learned else None, merged, *factors)
        ctx.parts = parts
        return torch.mm(x, merged.T) if bias is None else torch.addmm(bias, x, merged.T)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, merged, *factors = ctx.saved_tensors
        dx = torch.mm(dy, merged) if ctx.needs_input_grad[0] else None
        low = _of_factors(x, dy, factors, [part for part in ctx.parts if part.scale is not None]) if factors else []
        gradients: list[torch.Tensor] = []
        for part in ctx.parts:
            own = dy[:, part.rows]
            if part.scale is not None:
                gradients += (low.pop(0), low.pop(0))
            if part.weight:
                gradients.append(torch.mm(own.T, x))
            if part.bias:
                gradients.append(own.sum(0))
        return (dx, None, None, None, *gradients)


def _by_part(parts: Sequence[_Part], learned: Sequence[torch.Tensor]) -> list[tuple[_Part, Sequence[torch.Tensor]]]:
    found, start = [], 0
    for part in parts:
        found.append((part, learned[start : start + part.learned]))
        start += part.learned
    return found


def _of_factors(x: torch.Tensor, dy: torch.Tensor, factors: Sequence[torch.Tensor], parts: Sequence[_Part]) -> list[torch.Tensor]:
    """Gradients of A and B of each part in turn; the products with x are made for all parts at once."""
    downs, ups = factors[0::2], factors[1::2]
    ranks = [down.shape[0] for down in downs]
    through = torch.mm(x, torch.cat(list(downs)).T)
    back = torch.empty_like(through)
    of_ups = []
    for part, up, xa, dxa in zip(parts, ups, torch.split(through, ranks, 1), torch.split(back, ranks, 1), strict=True):
        own, scale = dy[:, part.rows], part.scale or 0.0
        dxa.copy_(torch.mm(own, up)).mul_(scale)
        of_ups.append(torch.mm(own.T, xa).mul_(scale))
    of_downs = torch.split(torch.mm(back.T, x), ranks)
    return [gradient for pair in zip(of_downs, of_ups, strict=True) for gradient in pair]


class _SiluGate(torch.autograd.Function):
    """silu(gate) * up for the stacked [gate, up]; keeps its input alone."""

    @staticmethod
    def forward(ctx: Any, stacked: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(stacked)
        gate, up = stacked.chunk(2, -1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:
        stacked: torch.Tensor = ctx.saved_tensors[0]
        gate, up = stacked.chunk(2, -1)
        sigmoid = torch.sigmoid(gate)
        gradient: torch.Tensor = torch.empty_like(stacked)
        dgate, dup = torch.chunk(gradient, 2, -1)
        torch.mul(gate, sigmoid, out=dup)
        torch.mul(dup, sigmoid, out=dgate)
        torch.sub(dup, dgate, out=dgate)  # silu' = sigmoid + silu (1 - sigmoid)
        dgate.add_(sigmoid).mul_(up).mul_(dy)
        dup.mul_(dy)
        return gradient


class _GeluGate(torch.autograd.Function):
    """gelu(gate) * up for the stacked [gate, up], gelu by its tanh formula; keeps its input alone."""

    @staticmethod
    def forward(ctx: Any, stacked: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(stacked)
        gate, up = stacked.chunk(2, -1)
        return F.gelu(gate, approximate="tanh").mul_(up)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:
        stacked: torch.Tensor = ctx.saved_tensors[0]
        gate, up = stacked.chunk(2, -1)
        gradient: torch.Tensor = torch.empty_like(stacked)
        dgate, dup = torch.chunk(gradient, 2, -1)
        dgate.copy_(torch.ops.aten.gelu_backward(dy * up, gate, approximate="tanh"))
        torch.mul(F.gelu(gate, approximate="tanh"), dy, out=dup)
        return gradient


class _Norm(torch.autograd.Function):
    """Root-mean-square norm, times a weight plus an offset."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float, offset: float) -> torch.Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        ctx.offset = offset
        scaled: torch.Tensor = x * inverse
        return scaled.mul_(weight + offset)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        x, weight, inverse = ctx.saved_tensors
        of_weight = (dy * x).mul_(inverse).flatten(0, -2).sum(0) if ctx.needs_input_grad[1] else None
        if not ctx.needs_input_grad[0]:
            return None, of_weight, None, None
        dn = dy * (weight + ctx.offset)
        along = (dn * x).mean(-1, keepdim=True).mul_(inverse.square()).neg_()
        return dn.addcmul_(x, along).mul_(inverse), of_weight, None, None


def silu_gate(stacked: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up. Shape (tokens, 2 inner) -> (tokens, inner)."""
    result: torch.Tensor = _SiluGate.apply(stacked)  # type: ignore[no-untyped-call]
    return result


def gelu_gate(stacked: torch.Tensor) -> torch.Tensor:
    """gelu(gate) * up by the tanh formula. Shape (tokens, 2 inner) -> (tokens, inner)."""
    result: torch.Tensor = _GeluGate.apply(stacked)  # type: ignore[no-untyped-call]
    return result


def norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float, offset: float) -> torch.Tensor:
    """Root-mean-square norm over the last dimension, times weight + offset."""
    result: torch.Tensor = _Norm.apply(states, weight, epsilon, offset)  # type: ignore[no-untyped-call]
    return result


def base_of(layer: Any) -> Any:
    """The linear layer itself, whether or not PEFT stands around it."""
    return layer.base_layer if isinstance(layer, LoraLinear) else layer


class Stack:
    """Linear layers with the same input, as one: their weights stacked, with low-rank additions merged anew at each `refresh`.

    What is learned of a layer (weight, bias, addition) is what requires a gradient when the stack is made.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        bases = [base_of(layer) for layer in layers]
        self._frozen = _stack([base.weight for base in bases])
        self._bias = None if bases[0].bias is None else _stack([base.bias for base in bases])
        self._additions: list[tuple[slice, float, torch.Tensor, torch.Tensor]] = []
        self._parts: tuple[_Part, ...] = ()
        self._learned: list[torch.Tensor] = []
        row = 0
        for layer, base in zip(layers, bases, strict=True):
            rows = slice(row, row := row + base.out_features)
            scale = self._add(layer, rows) if isinstance(layer, LoraLinear) else None
            part = _Part(rows, scale, base.weight.requires_grad, base.bias is not None and base.bias.requires_grad)
            self._learned += [tensor for tensor, is_learned in ((base.weight, part.weight), (base.bias, part.bias)) if is_learned]
            self._parts += (part,)
        self._merged = self._frozen.clone() if self._additions else self._frozen

    def _add(self, layer: Any, rows: slice) -> float | None:
        """Note the layer's addition. Its scale, if it is learned."""
        down, up, scale = layer.lora_A[ADAPTER].weight, layer.lora_B[ADAPTER].weight, float(layer.scaling[ADAPTER])
        self._additions.append((rows, scale, down, up))
        if not (down.requires_grad and up.requires_grad):
            return None
        self._learned += [down, up]
        return scale

    @property
    def learned(self) -> list[torch.Tensor]:
        """The tensors that get a gradient."""
        return list(self._learned)

    def weight_sum(self) -> torch.Tensor:
        """Sum of all weights as they are in the base."""
        return self._frozen.sum(dtype=torch.float64)

    @torch.no_grad()
    def refresh(self) -> None:
        """Merge the changed additions."""
        for rows, scale, down, up in self._additions:
            torch.addmm(self._frozen[rows], up, down, alpha=scale, out=self._merged[rows])

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs of all layers side by side. Shape (tokens, in) -> (tokens, all outs)."""
        result: torch.Tensor = _Linear.apply(x, self._merged, self._bias, self._parts, *self._learned)  # type: ignore[no-untyped-call]
        return result


def _stack(tensors: list[torch.nn.Parameter]) -> torch.Tensor:
    """The tensors as one; the model's own become views of it, so that nothing is held twice and a change of one is seen in the other."""
    if len(tensors) == 1:
        return tensors[0].detach()
    stacked = torch.cat([tensor.detach() for tensor in tensors])
    row = 0
    for tensor in tensors:
        tensor.data = stacked[row : row + len(tensor)]
        row += len(tensor)
    return stacked
