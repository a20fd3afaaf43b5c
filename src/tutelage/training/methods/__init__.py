"""How weights are changed: what each method makes trainable in a model, how that is kept, and how it is put on a base again."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from transformers import PreTrainedModel

from tutelage.training.methods.loaded import Loaded
from tutelage.training.methods.lora import Lora
from tutelage.training.settings import TrainingSettings


class Method(Protocol):
    """One way to change a model. `weights` is the name of the file that holds what was learned."""

    weights: str

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> torch.nn.Module:
        """The model with only the method's own weights trainable; it still answers as before. Uses torch's random state."""
        ...

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write what was learned; the same weights always make the same bytes. `base` is named as in the recipe."""
        ...

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """Put what was learned on a model as the base was. Raises InputError if it does not fit."""
        ...


METHODS: dict[str, Method] = {"lora": Lora()}

__all__ = ["METHODS", "Loaded", "Method"]
