"""What tests of families share: tiny models as the pipeline hands them over, a method put on one, and the gradients that a loss left."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny_families import CONFIGS, make_tiny

from tutelage.engine.bases import find_base
from tutelage.engine.torch_base import as_folder
from tutelage.training.adapters import trainable
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings


def every_family(place: Path) -> dict[str, Path]:
    """A tiny model folder of every family."""
    return {family: as_folder(find_base(str(make_tiny(family, place / family))), place / "cache") for family in CONFIGS}


def attached(model: torch.nn.Module, *, method: str = "lora") -> torch.nn.Module:
    """The model with a method whose own weights are random: a B of 0 would hide mistakes in the gradient of A."""
    settings = TrainingSettings.model_validate({"rank": 4} if method == "lora" else {"method": method})
    torch.manual_seed(3)
    learned = METHODS[method].attach(model, settings)
    for name, weight in trainable(learned).items():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return learned


def gradients(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The gradients, which are then forgotten."""
    found = {name: weight.grad.clone() for name, weight in trainable(model).items() if weight.grad is not None}
    model.zero_grad()
    return found


def assert_alike(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], *, floor: float) -> None:
    """The gradients differ by at most 1e-5 of each, or by `floor` of the largest."""
    assert set(found) == set(expected)
    most = max(float(gradient.norm()) for gradient in expected.values())
    for name, gradient in expected.items():
        assert float((found[name] - gradient).norm()) <= 1e-5 * float(gradient.norm()) + floor * most, name
