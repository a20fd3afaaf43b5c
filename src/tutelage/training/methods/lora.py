"""LoRA: a low-rank addition to linear layers (Hu et al. 2021, arXiv:2106.09685), by PEFT; with rsLoRA and DoRA on request."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.training.adapters import WEIGHTS, save_adapter
from tutelage.training.methods.loaded import Loaded
from tutelage.training.settings import TrainingSettings
from tutelage.training.targets import new_heads, target_modules


class Lora:
    """Additions s B A to linear layers. B is 0 at first, so that nothing is changed.

    s = alpha / rank; alpha / sqrt(rank) with `rslora` (Kalajdzievski 2023, arXiv:2312.03732). With `dora` the size of each
    row of the sum is learned apart from its direction (Liu et al. 2024, arXiv:2402.09353).
    """

    weights = WEIGHTS
    trains_base = False

    def require(self, device: str) -> None:
        """Nothing: PEFT is always there."""

    def prepare(self, model: PreTrainedModel, settings: TrainingSettings) -> None:
        """What is done to the base before an adapter is put on it: nothing."""

    def attach(self, model: PreTrainedModel, settings: TrainingSettings) -> torch.nn.Module:
        """The model with an adapter that changes nothing yet; only the adapter's weights are trainable. Uses torch's random state."""
        in_columns = any(isinstance(module, Conv1D) for module in model.modules())  # its weights stand the other way round
        self.prepare(model, settings)
        config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout, use_rslora=settings.rslora,
                            use_dora=settings.dora, target_modules=target_modules(model, settings), task_type=_peft_task(model),
                            fan_in_fan_out=in_columns, modules_to_save=list(new_heads(model)) or None)
        return get_peft_model(model, config)

    def save(self, model: torch.nn.Module, folder: Path, *, base: str, base_sha256: str) -> None:
        """Write the adapter in PEFT's format."""
        assert isinstance(model, PeftModel)
        save_adapter(model, folder, base=base)

    def load(self, model: PreTrainedModel, folder: Path) -> Loaded:
        """The model with the adapter of `folder` on it."""
        adapted = PeftModel.from_pretrained(model, str(folder)).eval()
        return Loaded(adapted, *_norms(adapted))


def _peft_task(model: PreTrainedModel) -> str:
    if new_heads(model):
        return "SEQ_CLS"  # PEFT keeps and saves the new output layer with the adapter
    return "SEQ_2_SEQ_LM" if model.config.is_encoder_decoder else "CAUSAL_LM"


@torch.no_grad()
def _norms(model: PeftModel) -> tuple[float, float]:
    """Frobenius norms of all additions s B A together, and of the weights that they are added to."""
    update = frozen = 0.0
    for module in model.modules():
        if isinstance(module, LoraLayer):
            layer: Any = module
            before = layer.get_base_layer().weight.double()
            before = before.T if isinstance(layer.get_base_layer(), Conv1D) else before
            frozen += float(before.square().sum())
            for name, scale in layer.scaling.items():
                down, up = layer.lora_A[name].weight.double(), layer.lora_B[name].weight.double()
                if name in layer.lora_magnitude_vector:  # DoRA: W' = m (W + s B A) / |W + s B A|, row by row
                    moved = before + scale * up @ down
                    sizes = layer.lora_magnitude_vector[name].weight.double()[:, None]
                    update += float((moved / moved.norm(dim=1, keepdim=True) * sizes - before).square().sum())
                else:
                    update += scale * scale * float((up.T @ up * (down @ down.T)).sum())  # |BA|^2 = tr(B'B AA')
    return math.sqrt(max(update, 0.0)), math.sqrt(frozen)
