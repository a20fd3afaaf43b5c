"""A model that carries what was learned, and how far that moved its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Loaded:
    """`update_norm` is the Frobenius norm of all changes together, `base_norm` that of the weights before, 0 where none was changed."""

    model: torch.nn.Module
    update_norm: float
    base_norm: float
