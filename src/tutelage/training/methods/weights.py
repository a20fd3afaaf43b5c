"""Methods that train weights of the base itself: all of them, all but the embeddings and the head, or those of the last layers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from tutelage.engine.changes import WEIGHTS, Change, apply_change, write_change
from tutelage.training.adapters import trainable
from tutelage.training.methods.loaded import Loaded
from tutelage.training.settings import TrainingSettings
from tutelage.training.targets import layer_names, new_heads

Chosen = Callable[[PreTrainedModel, TrainingSettings], Iterable[torch.nn.Parameter]]


class OwnWeights:
    """Trains those of the model's own weights that `chosen` gives. What was learned is kept as the weights themselves."""

    weights = WEIGHTS
    trains_base = True

    def __init__(self, name: str, chosen: Chosen) -> None:
        self._name, self._chosen = name, chosen

    def require(self, device: str) -> None:
        """Nothing: torch alone is used."""

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> torch.nn.Module:
        """The same model, with only the chosen weights trainable."""
        model.requires_grad_(False)
        for weight in self._chosen(model, settings):
            weight.requires_grad_(True)
        return model

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write the trained weights with their names."""
        weights = trainable(model)
        write_change(folder, Change(method=self._name, base=base, base_sha256=base_sha256, names=tuple(sorted(weights))), weights)

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """The same model with the trained weights in place of its own."""
        applied = apply_change(model, folder)
        return Loaded(model, applied.update_norm, applied.base_norm)


def all_weights(model: PreTrainedModel, settings: TrainingSettings) -> list[torch.nn.Parameter]:
    """All weights."""
    return list(model.parameters())


def all_but_embeddings(model: PreTrainedModel, settings: TrainingSettings) -> list[torch.nn.Parameter]:
    """All weights but those of embeddings (of words and of places) and of an output layer over the vocabulary."""
    untyped: Any = model
    head = untyped.get_output_embeddings()
    frozen = {id(weight) for module in model.modules() if isinstance(module, torch.nn.Embedding) or module is head
              for weight in module.parameters(recurse=False)}
    return [weight for weight in model.parameters() if id(weight) not in frozen]


def last_layers(model: PreTrainedModel, settings: TrainingSettings) -> list[torch.nn.Parameter]:
    """The weights of the last `last_layers` layers, and of an output layer that was made for the task."""
    names = (*layer_names(model, settings.last_layers, setting="last_layers"), *new_heads(model))
    return [weight for name in names for weight in model.get_submodule(name).parameters()]
