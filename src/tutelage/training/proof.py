"""Proof that a tune took: the adapter is read back from the disk into a fresh base and compared with that base."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from peft.tuners.lora import LoraLayer

from tutelage.core.errors import TutelageError
from tutelage.core.records import Record
from tutelage.engine.torch_base import load_causal
from tutelage.training.bodies import PaddedBody, head_weight
from tutelage.training.loop import measure
from tutelage.training.rows import TrainingRow

ROWS = 10


class Proof(Record):
    """Loss (nats a learned token) on some training rows without and with the adapter, and how far the weights moved.

    `update_norm` is the Frobenius norm of all additions together, `update_share` that divided by the norm of the weights
    that they are added to.
    """

    rows: int
    base_loss: float
    tuned_loss: float
    update_norm: float
    update_share: float


def prove(base_folder: Path, adapter: Path, rows: Sequence[TrainingRow], *, tokens: int) -> Proof:
    """Compare base and tuned model on the first ten of `rows`, by PEFT's own layers.

    Raises TutelageError if the loss did not fall: such an adapter is worth nothing.
    """
    model = PeftModel.from_pretrained(load_causal(base_folder), str(adapter))
    model.eval()
    body, weight, chosen = PaddedBody(model), head_weight(model), rows[:ROWS]
    tuned = measure(body, weight, chosen, tokens=tokens).nats_per_token
    with model.disable_adapter():
        base = measure(body, weight, chosen, tokens=tokens).nats_per_token
    update, frozen = _norms(model)
    proof = Proof(rows=len(chosen), base_loss=base, tuned_loss=tuned, update_norm=update, update_share=update / frozen)
    if not tuned < base:
        raise TutelageError(f"training: the tune did not take: on {len(chosen)} training rows the loss is {tuned:.4f} with the adapter and "
                            f"{base:.4f} without it (norm of the update {update:.4f}). Raise training.maximum_steps or "
                            "training.learning_rate, or give more documents, and run again.")
    return proof


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
