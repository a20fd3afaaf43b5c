"""How weights are changed: each method attaches its own trainable weights to a frozen model."""

from __future__ import annotations

from collections.abc import Callable

from peft import PeftModel
from transformers import PreTrainedModel

from tutelage.training.methods.lora import attach_lora
from tutelage.training.settings import TrainingSettings

Method = Callable[[PreTrainedModel, TrainingSettings], PeftModel]
METHODS: dict[str, Method] = {"lora": attach_lora}

__all__ = ["METHODS", "Method"]
