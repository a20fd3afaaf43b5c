"""The loss: output layer and cross-entropy together, a slice of the vocabulary at a time; no (positions x vocabulary) tensor exists."""

from __future__ import annotations

from typing import Any

import torch

WORDS = 2048  # of the vocabulary at once on a processor: logits stay in its cache, and products run at full speed
LOGITS = 2**25  # numbers that exist at once elsewhere, 134 MB in fp32: few large products


class _TokenLosses(torch.autograd.Function):
    """Cross-entropies by an online softmax (Milakov and Gimelshein 2018, arXiv:1805.02867) over slices of the vocabulary.

    The gradient with respect to `hidden` is summed up beside it, so logits are made once. That of `weight`, if it is learned, needs
    the whole norm first: backward makes the logits again.
    """

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, words: int) -> torch.Tensor:
        exact = torch.promote_types(hidden.dtype, torch.float32)
        highest = torch.full((len(hidden), 1), -torch.inf, dtype=exact, device=hidden.device)
        mass = torch.zeros((len(hidden), 1), dtype=torch.float64, device=hidden.device)
        mean = torch.zeros(hidden.shape, dtype=exact, device=hidden.device) if ctx.needs_input_grad[0] else None
        buffer = hidden.new_empty(min(words, len(weight)) * len(hidden))
        for start in range(0, len(weight), words):
            part = weight[start : start + words]
            logits = _logits(hidden, part, buffer)
            top = torch.maximum(highest, logits.amax(1, keepdim=True))
            shrink = (highest - top).exp_()
            chances = logits.sub_(top).exp_()
            mass.mul_(shrink).add_(chances.sum(1, keepdim=True))
            highest = top
            if mean is not None:
                _add_product(mean.mul_(shrink), chances.to(hidden.dtype), part)
        wanted = weight[targets]
        norm = highest.double().add_(mass.log())
        losses = norm[:, 0] - (hidden.double() * wanted.double()).sum(1)
        if mean is not None:
            mean.div_(mass).sub_(wanted)
        ctx.words = words
        ctx.save_for_backward(mean, *((hidden, weight, targets, norm.to(exact)) if ctx.needs_input_grad[1] else ()))
        return losses

    @staticmethod
    def backward(ctx: Any, scales: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None, None]:
        mean, *others = ctx.saved_tensors
        of_hidden = None if mean is None else mean * scales[:, None].to(mean.dtype)
        if not others:
            return of_hidden, None, None, None
        hidden, weight, targets, norm = others
        return of_hidden, _of_weight(hidden, weight, targets, norm=norm, scales=scales, words=ctx.words), None, None


def _of_weight(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, norm: torch.Tensor, scales: torch.Tensor,
               words: int) -> torch.Tensor:
    """The gradient of the output layer, slice by slice. Shape of `weight`."""
    scaled = hidden * scales[:, None].to(hidden.dtype)
    gradient = torch.empty_like(weight)
    buffer = hidden.new_empty(min(words, len(weight)) * len(hidden))
    for start in range(0, len(weight), words):
        part = weight[start : start + words]
        chances = _logits(hidden, part, buffer).sub_(norm).exp_().to(hidden.dtype)
        torch.mm(chances.T, scaled, out=gradient[start : start + words])
    return gradient.index_add_(0, targets, scaled, alpha=-1)


def _logits(hidden: torch.Tensor, part: torch.Tensor, buffer: torch.Tensor) -> torch.Tensor:
    """Logits of a slice of the vocabulary, in fp32 or better, in the buffer where that will do."""
    logits = torch.mm(hidden, part.T, out=buffer[: len(hidden) * len(part)].view(len(hidden), len(part)))
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits


def _add_product(total: torch.Tensor, chances: torch.Tensor, part: torch.Tensor) -> None:
    if total.dtype == part.dtype:
        total.addmm_(chances, part)
    else:
        total.add_(chances @ part)


def token_losses(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, words: int | None = None) -> torch.Tensor:
    """For each position the cross-entropy, in nats, of its target given `hidden @ weight.T`. Shape (n,), float64.

    Shapes: hidden (n, width), weight (vocabulary, width), targets (n,). Differentiable once in `hidden`, and in `weight` if that is
    learned. Logits of at most `words` words exist at once, for all positions; None chooses by the device.
    """
    words = words or (WORDS if hidden.device.type == "cpu" else max(WORDS, LOGITS // max(1, len(hidden))))
    losses: torch.Tensor = _TokenLosses.apply(hidden, weight, targets, words)  # type: ignore[no-untyped-call]
    return losses


def head_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, *, words: int | None = None) -> torch.Tensor:
    """The sum of `token_losses`: a float64 scalar."""
    return token_losses(hidden, weight, targets, words=words).sum()
