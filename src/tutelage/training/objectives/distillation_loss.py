"""The loss of distillation: output layer, divergence from the teacher and cross-entropy together, on learned positions only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

LOGITS = 2**23  # numbers of one tensor of logits at once, 34 MB in fp32; about six such tensors exist
MOST, LEAST = 256, 16  # rows of logits at once


@dataclass(frozen=True)
class Taught:
    """What the teacher says at n positions: its k likeliest outcomes, and how much probability all others have together.

    Shapes: `ids` (n, k), `logprobs` (n, k), `rest` (n,). Natural logarithms, at the temperature of the distillation; `rest` is
    -inf where nothing is left.
    """

    ids: torch.Tensor
    logprobs: torch.Tensor
    rest: torch.Tensor

    def part(self, start: int, end: int) -> Taught:
        """The positions from `start` to `end`."""
        return Taught(self.ids[start:end], self.logprobs[start:end], self.rest[start:end])

    @staticmethod
    def joined(parts: Sequence[Taught]) -> Taught:
        """The positions of all parts, one part after the other."""
        return Taught(torch.cat([part.ids for part in parts]), torch.cat([part.logprobs for part in parts]),
                      torch.cat([part.rest for part in parts]))


@dataclass(frozen=True)
class Terms:
    """Sums over positions: `divergence` from the teacher at the temperature, `nats` of the targets."""

    divergence: torch.Tensor
    nats: torch.Tensor


def rows_at_once(outcomes: int) -> int:
    """How many rows of logits are made at once."""
    return min(MOST, max(LEAST, LOGITS // outcomes))


@torch.no_grad()
def taught_by(logits: torch.Tensor, *, k: int, temperature: float) -> Taught:
    """The k likeliest outcomes of these logits, and the rest. Shape: logits (n, outcomes)."""
    scaled = logits.float() / temperature
    norm = torch.logsumexp(scaled, 1, keepdim=True)
    top = torch.topk(scaled, min(k, scaled.shape[1]), 1)
    rest = torch.logsumexp(scaled.scatter(1, top.indices, -torch.inf), 1)
    return Taught(top.indices, top.values - norm, rest - norm[:, 0])


def divergence(logits: torch.Tensor, taught: Taught, *, temperature: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum over n positions of KL(teacher || student) in nats, and its gradient with respect to the student's logits.

    All outcomes outside the teacher's k count as one outcome, with the probability that teacher and student give them together.
    So the sum is never more than the divergence over all outcomes, is equal to it for k = all, and leaves the student's
    probabilities unscaled, where a renormalised top-k would push them all up. Shapes: logits (n, outcomes) -> (), (n, outcomes).
    """
    scaled = logits / temperature
    norm = torch.logsumexp(scaled, 1, keepdim=True)
    known, rest = taught.logprobs.to(logits.dtype), taught.rest.to(logits.dtype)[:, None]
    chances, rest_chance = known.exp(), rest.exp()
    left = scaled.scatter(1, taught.ids, -torch.inf)
    left_norm = torch.logsumexp(left, 1, keepdim=True)
    is_left = (rest_chance > 0) & torch.isfinite(left_norm)
    total = (chances * (known - scaled.gather(1, taught.ids) + norm)).double().sum()
    total = total + torch.where(is_left, rest_chance * (rest - left_norm + norm), 0.0).double().sum()
    gradient = (scaled - norm).exp_() - torch.where(is_left, rest_chance * (left - left_norm).exp_(), 0.0)
    gradient.scatter_add_(1, taught.ids, -chances)
    return total, gradient.div_(temperature)


def mixed_terms(logits: torch.Tensor, targets: torch.Tensor, taught: Taught, *, temperature: float,
                share: float) -> tuple[Terms, torch.Tensor]:
    """Both sums, and the gradient of `mixed` with respect to the logits.

    Shapes: logits (n, outcomes), targets (n,) -> gradient (n, outcomes).
    """
    logits = logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
    soft, gradient = divergence(logits, taught, temperature=temperature)
    norm = torch.logsumexp(logits, 1, keepdim=True)
    wanted = targets[:, None]
    nats = (norm - logits.gather(1, wanted)).double().sum()
    hard = (logits - norm).exp_()
    hard.scatter_add_(1, wanted, hard.new_full(wanted.shape, -1.0))
    return Terms(soft, nats), gradient.mul_(share * temperature**2).add_(hard, alpha=1 - share)


def mixed(terms: Terms, *, temperature: float, share: float) -> torch.Tensor:
    """share * T^2 * divergence + (1 - share) * nats.

    T^2 keeps the size of the teacher's part whatever the temperature. Source: Hinton et al. 2015, arXiv:1503.02531, section 2.
    """
    return share * temperature**2 * terms.divergence + (1 - share) * terms.nats


class _DistilLoss(torch.autograd.Function):
    """The gradients with respect to `hidden` and `weight` are made while the logits are at hand."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, taught: Taught, temperature: float,
                share: float) -> torch.Tensor:
        down = torch.empty_like(hidden) if ctx.needs_input_grad[0] else None
        across = torch.zeros_like(weight) if ctx.needs_input_grad[1] else None
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        step = rows_at_once(len(weight))
        for start in range(0, len(hidden), step):
            part, end = hidden[start : start + step], start + step
            terms, gradient = mixed_terms(part @ weight.T, targets[start:end], taught.part(start, end), temperature=temperature,
                                          share=share)
            total += mixed(terms, temperature=temperature, share=share)
            if down is not None:
                down[start:end] = gradient.to(weight.dtype) @ weight
            if across is not None:
                across.addmm_(gradient.to(part.dtype).T, part)
        ctx.save_for_backward(*(made for made in (down, across) if made is not None))
        return total

    @staticmethod
    def backward(ctx: Any, scale: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        made = [gradient * scale.to(gradient.dtype) for gradient in ctx.saved_tensors]
        down = made.pop(0) if ctx.needs_input_grad[0] else None
        across = made.pop(0) if ctx.needs_input_grad[1] else None
        return down, across, None, None, None, None


def distil_loss(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, taught: Taught, *, temperature: float,
                share: float) -> torch.Tensor:
    """`mixed` of the logits `hidden @ weight.T`, of which only some rows exist at once. A float64 scalar.

    Shapes: hidden (n, width), weight (vocabulary, width), targets (n,). Differentiable in `hidden` and `weight`.
    """
    total: torch.Tensor = _DistilLoss.apply(hidden, weight, targets, taught, temperature, share)  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def distil_terms(hidden: torch.Tensor, weight: torch.Tensor, targets: torch.Tensor, taught: Taught, *, temperature: float) -> Terms:
    """Both sums without a gradient. Shapes as of `distil_loss`."""
    soft = torch.zeros((), dtype=torch.float64, device=hidden.device)
    nats = soft.clone()
    step = rows_at_once(len(weight))
    for start in range(0, len(hidden), step):
        terms, _ = mixed_terms(hidden[start : start + step] @ weight.T, targets[start : start + step],
                               taught.part(start, start + step), temperature=temperature, share=0.0)
        soft, nats = soft + terms.divergence, nats + terms.nats
    return Terms(soft, nats)
