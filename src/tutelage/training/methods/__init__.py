"""How weights are changed: what each method makes trainable in a model, how that is kept, and how it is put on a base again."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from tutelage.training.methods.bottleneck import BottleneckAdapters
from tutelage.training.methods.loaded import Loaded
from tutelage.training.methods.lora import Lora
from tutelage.training.methods.qlora import Qlora
from tutelage.training.methods.weights import OwnWeights, all_but_embeddings, all_weights, last_layers
from tutelage.training.settings import TrainingSettings


class Method(Protocol):
    """One way to change a model.

    `weights` is the name of the file that holds what was learned. `trains_base`: weights of the base itself are trained, which
    takes full precision.
    """

    weights: str
    trains_base: bool

    def require(self, device: str) -> None:
        """Raise InputError, before any work, if the method cannot be used on this kind of device."""
        ...

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> torch.nn.Module:
        """The model with only the method's own weights trainable; it still answers as before. Uses torch's random state."""
        ...

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write what was learned; the same weights always make the same bytes. `base` is named as in the recipe."""
        ...

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """Put what was learned on a model as the base was. Raises InputError if it does not fit."""
        ...


METHODS: dict[str, Method] = {
    "full": OwnWeights("full", all_weights), "frozen_embeddings": OwnWeights("frozen_embeddings", all_but_embeddings),
    "last_layers": OwnWeights("last_layers", last_layers), "lora": Lora(), "adapter": BottleneckAdapters(), "qlora": Qlora()}

__all__ = ["METHODS", "Loaded", "Method"]
