"""QLoRA: LoRA on a base whose linear layers are kept in 4 or 8 bits (Dettmers et al. 2023, arXiv:2305.14314), by bitsandbytes."""

from __future__ import annotations

import importlib
import importlib.util
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.training.methods.lora import Lora
from tutelage.training.settings import TrainingSettings
from tutelage.training.targets import layer_names


class Qlora(Lora):
    """LoRA, its base in few bits while it trains. The adapter is kept, proven and merged as any LoRA adapter: on the full base."""

    def require(self, device: str) -> None:
        """Raise ExtraMissing if bitsandbytes is not installed, InputError if it does not compute on this device."""
        if importlib.util.find_spec("bitsandbytes") is None:
            raise ExtraMissing("training.method: qlora needs the package bitsandbytes, which is not installed. Install it with "
                               "`pip install 'tutelage[qlora]'`, or use the method lora.")
        library: Any = importlib.import_module("bitsandbytes")
        known = sorted(library.supported_torch_devices)
        if device not in known:
            raise InputError(f"training.method: qlora cannot compute on {device!r}; this bitsandbytes does on {', '.join(known)}. "
                             "Use the method lora.")

    def prepare(self, model: PreTrainedModel, settings: TrainingSettings) -> None:
        """Put the linear weights of the model's layers in `bits` bits."""
        _quantise(model, settings.bits)


def _quantise(model: Any, bits: int) -> None:
    """Put the weights of all linear layers inside the model's layers into few bits, one after the other.

    Raises InputError for a model whose layers have no linear layer.
    """
    inside = tuple(f"{name}." for name in layer_names(model, "all", setting="layers"))
    found = [name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D)) and name.startswith(inside)]
    if not found:
        raise InputError(f"training.method: qlora needs linear layers, and this {model.config.model_type!r} model has none. "
                         "Use the method lora.")
    for name in found:
        owner, _, own = name.rpartition(".")
        setattr(model.get_submodule(owner), own, _few_bits(model.get_submodule(name), bits))
    model.is_loaded_in_4bit, model.is_loaded_in_8bit = bits == 4, bits == 8  # PEFT chooses its layers by these


def _few_bits(linear: torch.nn.Linear | Conv1D, bits: int) -> torch.nn.Module:
    layers: Any = importlib.import_module("bitsandbytes.nn")
    weight = linear.weight.detach()
    if isinstance(linear, Conv1D):  # GPT-2's: the same product, its weight the other way round
        weight = weight.T.contiguous()
    out, inner = weight.shape
    has_bias = linear.bias is not None
    made: Any
    if bits == 4:
        made = layers.Linear4bit(inner, out, bias=has_bias, compute_dtype=weight.dtype, quant_type="nf4")
        made.weight = layers.Params4bit(weight.cpu(), requires_grad=False, quant_type="nf4")
        made.support_avx512bf16_for_cpu = False  # else a measurement repacks the weights for a product that passes no gradient on
    else:
        made = layers.Linear8bitLt(inner, out, bias=has_bias, has_fp16_weights=False)
        made.weight = layers.Int8Params(weight.cpu(), requires_grad=False, has_fp16_weights=False)
    if has_bias:
        made.bias = linear.bias
    quantised: torch.nn.Module = made.to(weight.device)  # the move is what quantises
    return quantised
