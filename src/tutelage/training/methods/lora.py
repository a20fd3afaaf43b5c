"""LoRA: a low-rank addition to each linear layer (Hu et al. 2021, arXiv:2106.09685), by PEFT."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.core.errors import InputError
from tutelage.training.adapters import WEIGHTS, save_adapter
from tutelage.training.methods.loaded import Loaded
from tutelage.training.settings import TrainingSettings


def linear_names(model: PreTrainedModel) -> list[str]:
    """Last parts of the names of all linear layers of the model, the output layer apart, sorted.

    Raises InputError if there is none.
    """
    untyped: Any = model
    head = untyped.get_output_embeddings()
    names = {name.rsplit(".", 1)[-1] for name, module in model.named_modules()
             if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head}
    if not names:
        raise InputError(f"training.base: the architecture {model.config.model_type!r} has no linear layer to tune. Choose another base.")
    return sorted(names)


class Lora:
    """Additions s B A to linear layers, s = alpha / rank. B is 0 at first, so that nothing is changed."""

    weights = WEIGHTS

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> PeftModel:
        """The model with an adapter that changes nothing yet; only the adapter's weights are trainable. Uses torch's random state."""
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
                            target_modules=linear_names(model), task_type="CAUSAL_LM")
        return get_peft_model(model, config)

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write the adapter in PEFT's format."""
        assert isinstance(model, PeftModel)
        save_adapter(model, folder, base=base)

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """The model with the adapter of `folder` on it."""
        adapted = PeftModel.from_pretrained(model, str(folder)).eval()
        return Loaded(adapted, *_norms(adapted))


@torch.no_grad()
def _norms(model: PeftModel) -> tuple[float, float]:
    """Frobenius norms of all additions s B A together, and of the weights that they are added to."""
    update = frozen = 0.0
    for module in model.modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            frozen += float(layer.get_base_layer().weight.double().square().sum())
            for name, scale in layer.scaling.items():
                down, up = layer.lora_A[name].weight.double(), layer.lora_B[name].weight.double()
                update += scale * scale * float((up.T @ up * (down @ down.T)).sum())  # |BA|^2 = tr(B'B AA')
    return math.sqrt(max(update, 0.0)), math.sqrt(frozen)
