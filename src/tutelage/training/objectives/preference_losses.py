"""The losses of learning from preferences, as functions of log-probabilities; the letters are those of the papers."""

from __future__ import annotations

import torch
import torch.nn.functional as F


def dpo_loss(margins: torch.Tensor, *, beta: float) -> torch.Tensor:
    """The loss of each pair. Shapes: (pairs,) -> (pairs,).

    `margins` are log pi(y_w|x)/pi_ref(y_w|x) - log pi(y_l|x)/pi_ref(y_l|x), of whole replies.
    Source: Rafailov et al. 2023, arXiv:2305.18290, equation 7.
    """
    return -F.logsigmoid(beta * margins)


def orpo_loss(chosen: torch.Tensor, rejected: torch.Tensor, *, weight: float) -> torch.Tensor:
    """The loss of each pair: that of learning the chosen reply, and `weight` (the paper's lambda) times that of the odds ratio.

    Shapes: (pairs,), (pairs,) -> (pairs,). `chosen` and `rejected` are mean log-probabilities a token; all below 0.
    Source: Hong et al. 2024, arXiv:2403.07691, equations 4, 6 and 7.
    """
    return -chosen - weight * F.logsigmoid(log_odds(chosen) - log_odds(rejected))


def log_odds(mean_logprob: torch.Tensor) -> torch.Tensor:
    """log(P / (1 - P)) of P = exp(mean_logprob), which is below 1."""
    return mean_logprob - torch.log(-torch.expm1(mean_logprob))


def kto_loss(ratios: torch.Tensor, wanted: torch.Tensor, *, reference_point: float, beta: float,
             weights: tuple[float, float]) -> torch.Tensor:
    """The loss of each judged reply. Shapes: (rows,), (rows,) -> (rows,).

    `ratios` are log pi(y|x)/pi_ref(y|x), `wanted` is true for desirable replies, `reference_point` is z_0, `weights` are lambda_D
    of desirable and lambda_U of undesirable replies.
    Source: Ethayarajh et al. 2024, arXiv:2402.01306, section 4.1: lambda_y - v(x, y).
    """
    desirable, undesirable = weights
    sign = wanted.to(ratios.dtype) * 2 - 1
    scale = torch.where(wanted, desirable, undesirable).to(ratios.dtype)
    return scale * torch.sigmoid(-beta * sign * (ratios - reference_point))


def share_right(margins: torch.Tensor) -> float:
    """Share of margins above 0; one of exactly 0 decides nothing and counts half."""
    return float(((margins > 0).double() + 0.5 * (margins == 0).double()).mean())
