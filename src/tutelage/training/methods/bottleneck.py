"""Bottleneck adapters as a training method: small layers are added behind frozen ones and trained alone."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import PreTrainedModel

from tutelage.engine.bottlenecks import NAME, add_bottlenecks
from tutelage.engine.changes import WEIGHTS, Change, apply_change, write_change
from tutelage.training.adapters import trainable
from tutelage.training.methods.loaded import Loaded
from tutelage.training.settings import TrainingSettings
from tutelage.training.targets import adapter_places, new_heads


class BottleneckAdapters:
    """Adapters of width `bottleneck` behind attention and feed-forward part ("houlsby"), or the latter only ("pfeiffer")."""

    weights = WEIGHTS
    trains_base = False

    def require(self, device: str) -> None:
        """Nothing: torch alone is used."""

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> torch.nn.Module:
        """The same model with adapters that change nothing yet; only they are trainable. Uses torch's random state."""
        model.requires_grad_(False)
        add_bottlenecks(model, adapter_places(model, after_attention=settings.adapter_places == "houlsby"), width=settings.bottleneck)
        for name in new_heads(model):
            model.get_submodule(name).requires_grad_(True)
        return model

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write the adapters' weights and where they stand."""
        weights = trainable(model)
        ending = f".{NAME}.down.weight"
        first = next(weight for name, weight in weights.items() if name.endswith(ending))
        change = Change(method="adapter", base=base, base_sha256=base_sha256, names=tuple(sorted(weights)), width=first.shape[0],
                        places=tuple(name.removesuffix(ending) for name in weights if name.endswith(ending)))
        write_change(folder, change, weights)

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """The same model with the adapters of `folder`."""
        applied = apply_change(model, folder)
        return Loaded(model, applied.update_norm, applied.base_norm)
