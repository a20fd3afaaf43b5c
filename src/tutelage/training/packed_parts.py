"""The parts of a packed forward: stacked linear layers by one product, with norm or gate before them, each with its own gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from peft.tuners.lora import Linear as LoraLinear

from tutelage.engine.decoders import stack

ADAPTER = "default"  # PEFT's name of the only adapter
Back = Callable[[torch.Tensor], tuple[torch.Tensor, torch.Tensor | None]]


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


class Before(Protocol):
    """What is done to a source before it enters linear layers. Only the source is kept for the gradient; the rest is made again."""

    def forward(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The input of the linear layers."""
        ...

    def again(self, source: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, Back]:
        """The same input, and what turns its gradient into those of source and weight."""
        ...


class _Linear(torch.autograd.Function):
    """y = x (W + s B A)^T + b by the merged weight, where x is made of a source; gradients for the source, for the weight that x is
    made with, and for what is learned of each of the stacked layers."""

    @staticmethod
    def forward(ctx: Any, source: torch.Tensor, before: Before, weight: torch.Tensor | None, merged: torch.Tensor,
                bias: torch.Tensor | None, parts: tuple[_Part, ...], *learned: torch.Tensor) -> torch.Tensor:
        x = before.forward(source, weight)
        factors = [tensor for part, tensors in _by_part(parts, learned) if part.scale is not None for tensor in tensors[:2]]
        ctx.save_for_backward(source, weight, merged, *factors)
        ctx.before, ctx.parts = before, parts
        return torch.mm(x, merged.T) if bias is None else torch.addmm(bias, x, merged.T)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        source, weight, merged, *factors = ctx.saved_tensors
        x, back = ctx.before.again(source, weight)
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
        of_source, of_weight = back(torch.mm(dy, merged)) if ctx.needs_input_grad[0] or ctx.needs_input_grad[2] else (None, None)
        return (of_source, None, of_weight, None, None, None, *gradients)


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


class AsItIs:
    """The source itself."""

    def forward(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The source."""
        return source

    def again(self, source: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, Back]:
        """The source, and its gradient."""
        return source, lambda dx: (dx, None)


class SiluGate:
    """silu(gate) * up for a source [gate, up]. Shape (tokens, 2 inner) -> (tokens, inner)."""

    def forward(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The gated numbers."""
        gate, up = source.chunk(2, -1)
        return F.silu(gate).mul_(up)

    def again(self, source: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, Back]:
        """The gated numbers, and the gradient of the source."""
        gate, up = source.chunk(2, -1)
        sigmoid = torch.sigmoid(gate)
        silu = gate * sigmoid

        def back(dx: torch.Tensor) -> tuple[torch.Tensor, None]:
            gradient: torch.Tensor = torch.empty_like(source)
            dgate, dup = torch.chunk(gradient, 2, -1)
            torch.mul(silu, sigmoid, out=dgate)
            torch.sub(silu, dgate, out=dgate)  # silu' = sigmoid + silu (1 - sigmoid)
            dgate.add_(sigmoid).mul_(up).mul_(dx)
            torch.mul(silu, dx, out=dup)
            return gradient, None

        return silu * up, back


class GeluGate:
    """gelu(gate) * up, gelu by its tanh formula, for a source [gate, up]. Shape (tokens, 2 inner) -> (tokens, inner)."""

    def forward(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The gated numbers."""
        gate, up = source.chunk(2, -1)
        return F.gelu(gate, approximate="tanh").mul_(up)

    def again(self, source: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, Back]:
        """The gated numbers, and the gradient of the source."""
        gate, up = source.chunk(2, -1)
        gelu = F.gelu(gate, approximate="tanh")

        def back(dx: torch.Tensor) -> tuple[torch.Tensor, None]:
            gradient: torch.Tensor = torch.empty_like(source)
            dgate, dup = torch.chunk(gradient, 2, -1)
            dgate.copy_(torch.ops.aten.gelu_backward(dx * up, gate, approximate="tanh"))
            torch.mul(gelu, dx, out=dup)
            return gradient, None

        return gelu * up, back


@dataclass(frozen=True)
class Norm:
    """Root-mean-square norm over the last dimension, times weight + offset."""

    epsilon: float
    offset: float

    def forward(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The normed numbers."""
        assert weight is not None
        return (source * self._inverse(source)).mul_(weight + self.offset)

    def again(self, source: torch.Tensor, weight: torch.Tensor | None) -> tuple[torch.Tensor, Back]:
        """The normed numbers, and the gradients of source and weight."""
        assert weight is not None
        inverse, factor = self._inverse(source), weight + self.offset

        def back(dx: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | None]:
            of_weight = (dx * source).mul_(inverse).flatten(0, -2).sum(0) if weight.requires_grad else None
            dn = dx * factor
            along = (dn * source).mean(-1, keepdim=True).mul_(inverse.square()).neg_()
            return dn.addcmul_(source, along).mul_(inverse), of_weight

        return (source * inverse).mul_(factor), back

    def __call__(self, source: torch.Tensor, weight: torch.Tensor | None) -> torch.Tensor:
        """The normed numbers, for use outside linear layers; the source where there is no weight."""
        if weight is None:
            return source
        result: torch.Tensor = _Apply.apply(source, self, weight)  # type: ignore[no-untyped-call]
        return result

    def _inverse(self, source: torch.Tensor) -> torch.Tensor:
        length: torch.Tensor = torch.linalg.vector_norm(source, dim=-1, keepdim=True)
        return length.square_().div_(source.shape[-1]).add_(self.epsilon).rsqrt_()


class _Apply(torch.autograd.Function):
    """What is done before linear layers, alone."""

    @staticmethod
    def forward(ctx: Any, source: torch.Tensor, before: Before, weight: torch.Tensor | None) -> torch.Tensor:
        ctx.save_for_backward(source, weight)
        ctx.before = before
        return before.forward(source, weight)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, None, torch.Tensor | None]:
        _, back = ctx.before.again(*ctx.saved_tensors)
        of_source, of_weight = back(dy)
        return of_source, None, of_weight


AS_IT_IS = AsItIs()


def base_of(layer: Any) -> Any:
    """The linear layer itself, whether or not PEFT stands around it."""
    return layer.base_layer if isinstance(layer, LoraLinear) else layer


class Stack:
    """Linear layers with the same input, as one: their weights stacked, with low-rank additions merged anew at each `refresh`.

    What is learned of a layer (weight, bias, addition) is what requires a gradient when the stack is made.
    """

    def __init__(self, layers: Sequence[Any]) -> None:
        bases = [base_of(layer) for layer in layers]
        self._frozen = stack([base.weight for base in bases])
        self._bias = None if bases[0].bias is None else stack([base.bias for base in bases])
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

    def __call__(self, source: torch.Tensor, before: Before = AS_IT_IS, weight: torch.Tensor | None = None) -> torch.Tensor:
        """The outputs of all layers side by side, for what `before` makes of the source. Shape (tokens, all outs)."""
        result: torch.Tensor = _Linear.apply(  # type: ignore[no-untyped-call]
            source, before, weight, self._merged, self._bias, self._parts, *self._learned)
        return result
