"""The loss: output layer and cross-entropy together, on learned positions only, without a (positions x vocabulary) tensor."""

from __future__ import annotations

from typing import Any

import torch

LOGITS = 2**25  # numbers that exist at once, 134 MB in fp32
MOST, LEAST = 256, 64  # rows of logits at once: more gain nothing, fewer make matrix products slow


class _HeadLoss(torch.autograd.Function):
    """Sum of cross-entropies; the gradient with respect to `hidden` is made while the logits are at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, chunk: int) -> torch.Tensor:
        gradient = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        buffer = hidden.new_empty(min(chunk, len(hidden)), len(weight))
        for start in range(0, len(hidden), chunk):
            part, wanted = hidden[start : start + chunk], targets[start : start + chunk, None]
            logits = torch.mm(part, weight.T, out=buffer[: len(part)])
            if logits.dtype in (torch.float16, torch.bfloat16):
                logits = logits.float()
            norm = torch.logsumexp(logits, 1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).double().sum()
            if gradient is not None:
                chances = logits.sub_(norm).exp_()
                chances.scatter_add_(1, wanted, chances.new_full(wanted.shape, -1.0))
                torch.mm(chances.to(hidden.dtype), weight, out=gradient[start : start + chunk])
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * scale.to(gradient.dtype), None, None, None


def head_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, chunk: int | None = None) -> torch.Tensor:
    """Sum over all positions of the cross-entropy, in nats, of `targets` given `hidden @ weight.T`. A float64 scalar.

    Shapes: hidden (n, width), weight (vocabulary, width), targets (n,). Differentiable in `hidden` alone: the output
    layer is frozen. At most `chunk` rows of logits exist at once; None chooses by the size of the vocabulary.
    """
    chunk = chunk or min(MOST, max(LEAST, LOGITS // len(weight)))
    total: torch.Tensor = _HeadLoss.apply(hidden, weight, targets, chunk)  # type: ignore[no-untyped-call]
    return total
