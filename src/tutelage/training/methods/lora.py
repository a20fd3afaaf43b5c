"""LoRA: a low-rank addition to each linear layer (Hu et al. 2021, arXiv:2106.09685), by PEFT."""

from __future__ import annotations

from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.core.errors import InputError
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


def attach_lora(model: PreTrainedModel, settings: TrainingSettings) -> PeftModel:
    """The model with an adapter that changes nothing yet; only the adapter's weights are trainable. Uses torch's random state."""
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
                        target_modules=linear_names(model), task_type="CAUSAL_LM")
    return get_peft_model(model, config)
