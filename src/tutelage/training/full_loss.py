"""The loss where the output layer is learned too: as `losses.py`, with a gradient for its weight."""

from __future__ import annotations

from typing import Any

import torch

CHUNK = 256  # rows of logits at once


class _WholeHeadLoss(torch.autograd.Function):
    """Sum of cross-entropies; the gradients of hidden states and weight are made while the logits are at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, chunk: int) -> torch.Tensor:
        of_hidden, of_weight = torch.empty_like(hidden), torch.zeros_like(weight)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        for start in range(0, len(hidden), chunk):
            part, wanted = hidden[start : start + chunk], targets[start : start + chunk, None]
            logits = part @ weight.T
            norm = torch.logsumexp(logits, 1, keepdim=True)
            total += (norm - logits.gather(1, wanted)).double().sum()
            chances = logits.sub_(norm).exp_()
            chances.scatter_add_(1, wanted, chances.new_full(wanted.shape, -1.0))
            torch.mm(chances, weight, out=of_hidden[start : start + chunk])
            of_weight.addmm_(chances.T, part)
        ctx.save_for_backward(of_hidden, of_weight)
        return total

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        of_hidden, of_weight = ctx.saved_tensors
        return of_hidden * scale.to(of_hidden.dtype), of_weight * scale.to(of_weight.dtype), None, None


def whole_head_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, chunk: int = CHUNK) -> torch.Tensor:
    """Sum over all positions of the cross-entropy, in nats, of `targets` given `hidden @ weight.T`. A float64 scalar.

    Shapes: hidden (n, width), weight (vocabulary, width), targets (n,). Differentiable in `hidden` and `weight`; a weight that is the
    embedding as well gets the sum of both gradients. At most `chunk` rows of logits exist at once.
    """
    total: torch.Tensor = _WholeHeadLoss.apply(hidden, weight, targets, chunk)  # type: ignore[no-untyped-call]
    return total
