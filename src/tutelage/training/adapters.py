"""The adapter as tensors and as a folder; the same weights always make the same bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from peft import PeftModel

from tutelage.core.files import write_whole

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The weights that are learned, by name, in a fixed order."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def copy_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the learned weights as they are now, on the processor."""
    return {name: weight.detach().cpu().clone() for name, weight in trainable(model).items()}


@torch.no_grad()
def put_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Give the learned weights these values."""
    for name, weight in trainable(model).items():
        weight.copy_(weights[name])


def save_adapter(model: PeftModel, folder: Path, *, base: str) -> None:
    """Write the adapter in PEFT's format. The base is named as in the recipe: a path of this machine means nothing elsewhere."""
    model.save_pretrained(str(folder))
    (folder / "README.md").unlink(missing_ok=True)
    config = json.loads((folder / CONFIG).read_text("utf-8"))
    config["base_model_name_or_path"] = base
    config["target_modules"] = sorted(config["target_modules"])
    write_whole(folder / CONFIG, json.dumps(config, indent=1, sort_keys=True))
