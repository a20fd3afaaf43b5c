"""The parts of a packed forward: linear layers with their additions merged, gates and norms, each with a gradient of its own."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear

ADAPTER = "default"  # PEFT's name of the only adapter


class _MergedLinear(torch.autograd.Function):
    """y = x (W + s B A)^T by the merged weight; gradients for x, and for A and B of each of the stacked layers."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, merged: torch.Tensor, scale: float, *factors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, merged, *factors)
        ctx.scale = scale
        return torch.mm(x, merged.T)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, merged, *factors = ctx.saved_tensors
        downs, ups = factors[0::2], factors[1::2]
        dx = torch.mm(dy, merged) if ctx.needs_input_grad[0] else None
        xa = torch.mm(x, torch.cat(downs).T).mul_(ctx.scale)
        gradients: list[torch.Tensor | None] = []
        row = column = 0
        dxa = torch.empty_like(xa)
        for up in ups:
            part = dy[:, row : row + up.shape[0]]
            torch.mm(part, up, out=dxa[:, column : column + up.shape[1]])
            gradients += [None, torch.mm(part.T, xa[:, column : column + up.shape[1]])]
            row, column = row + up.shape[0], column + up.shape[1]
        dxa.mul_(ctx.scale)
        gradients[0::2] = torch.split(torch.mm(dxa.T, x), [down.shape[0] for down in downs])
        return (dx, None, None, *gradients)


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
    """Root-mean-square norm with a frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        scaled: torch.Tensor = x * inverse
        return scaled.mul_(weight)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        x, weight, inverse = ctx.saved_tensors
        dn = dy * weight
        along = (dn * x).mean(-1, keepdim=True).mul_(inverse.square()).neg_()
        return dn.addcmul_(x, along).mul_(inverse), None, None


def silu_gate(stacked: torch.Tensor) -> torch.Tensor:
    """silu(gate) * up. Shape (tokens, 2 inner) -> (tokens, inner)."""
    result: torch.Tensor = _SiluGate.apply(stacked)  # type: ignore[no-untyped-call]
    return result


def gelu_gate(stacked: torch.Tensor) -> torch.Tensor:
    """gelu(gate) * up by the tanh formula. Shape (tokens, 2 inner) -> (tokens, inner)."""
    result: torch.Tensor = _GeluGate.apply(stacked)  # type: ignore[no-untyped-call]
    return result


def norm(states: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """Root-mean-square norm over the last dimension, times a weight that is not learned."""
    result: torch.Tensor = _Norm.apply(states, weight, epsilon)  # type: ignore[no-untyped-call]
    return result


class Stack:
    """Linear layers with the same input, as one: their frozen weights stacked, and the merged weight of this step."""

    def __init__(self, layers: list[LoraLinear]) -> None:
        self._scale = float(layers[0].scaling[ADAPTER])
        self._factors: list[torch.Tensor] = []
        frozen: list[torch.nn.Parameter] = []
        for layer in layers:
            inner: Any = layer
            self._factors += [inner.lora_A[ADAPTER].weight, inner.lora_B[ADAPTER].weight]
            frozen.append(inner.base_layer.weight)
        self._frozen = torch.cat([weight.detach() for weight in frozen])
        self._merged = self._frozen.clone()
        row = 0
        for weight in frozen:  # the model's own weights become views of the stack: nothing is held twice
            size = weight.shape[0]
            weight.data = self._frozen[row : row + size]
            row += size

    @torch.no_grad()
    def refresh(self) -> None:
        """Merge the changed adapter."""
        row = 0
        for down, up in zip(self._factors[0::2], self._factors[1::2], strict=True):
            size = up.shape[0]
            torch.addmm(self._frozen[row : row + size], up, down, alpha=self._scale, out=self._merged[row : row + size])
            row += size

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """The outputs of all layers side by side. Shape (tokens, in) -> (tokens, all outs)."""
        result: torch.Tensor = _MergedLinear.apply(x, self._merged, self._scale, *self._factors)  # type: ignore[no-untyped-call]
        return result
