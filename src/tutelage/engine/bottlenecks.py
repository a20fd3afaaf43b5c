"""Bottleneck adapters: small layers behind linear layers of a model, which stay as they are.

Source: Houlsby et al. 2019, arXiv:1902.00751, section 2 (behind attention and feed-forward part, before the residual addition);
Pfeiffer et al. 2020, arXiv:2005.00247 (behind the feed-forward part only).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F

NAME = "bottleneck"  # under this name an adapter stands in the linear layer that it is behind


class Bottleneck(torch.nn.Module):
    """x + up(gelu(down(x))). `up` begins at 0, so that nothing is changed at first; switched off, it gives x itself."""

    def __init__(self, *, size: int, width: int) -> None:
        super().__init__()
        self.down = torch.nn.Linear(size, width)
        self.up = torch.nn.Linear(width, size)
        torch.nn.init.zeros_(self.up.weight)
        torch.nn.init.zeros_(self.up.bias)
        self.is_on = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Shape (..., size) -> (..., size)."""
        return x + self.up(F.gelu(self.down(x))) if self.is_on else x


def add_bottlenecks(model: torch.nn.Module, places: Sequence[str], *, width: int) -> None:
    """Put an adapter of this width behind each of the linear layers. Uses torch's random state.

    Raises KeyError for a place that the model lacks.
    """
    modules = dict(model.named_modules())
    for place in places:
        linear: Any = modules[place]
        size = linear.nf if hasattr(linear, "nf") else linear.out_features  # transformers' Conv1D calls it nf
        adapter = Bottleneck(size=size, width=width).to(linear.weight.device, linear.weight.dtype)
        linear.register_module(NAME, adapter)
        linear.register_forward_hook(_adapt)


@contextmanager
def bottlenecks_off(model: torch.nn.Module) -> Iterator[None]:
    """A context in which the model answers as if it had no adapters."""
    adapters = [module for module in model.modules() if isinstance(module, Bottleneck)]
    for adapter in adapters:
        adapter.is_on = False
    try:
        yield
    finally:
        for adapter in adapters:
            adapter.is_on = True


def _adapt(linear: Any, _inputs: object, output: torch.Tensor) -> torch.Tensor:
    adapted: torch.Tensor = linear.bottleneck(output)
    return adapted
