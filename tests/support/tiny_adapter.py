"""A random LoRA adapter on a model folder, with the summary that training writes, for tests of what comes after training."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from peft import LoraConfig, get_peft_model

from tutelage.engine.bases import folder_chat_format, folder_sha256
from tutelage.engine.torch_base import load_causal

LAYERS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def make_adapter(base: Path, folder: Path, *, seed: int = 0, rank: int = 4, scale: float = 0.05,
                 layers: Sequence[str] = LAYERS) -> Path:
    """Write folder/adapter/ and folder/training.json, and give the adapter's folder. `scale` is the spread of its weights."""
    torch.manual_seed(seed)
    model = get_peft_model(load_causal(base), LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(layers)))
    for name, weight in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=scale)
    model.save_pretrained(str(folder / "adapter"))
    summary = {"base_sha256": folder_sha256(base), "chat_format_hash": folder_chat_format(base).hash, "classes": None}
    (folder / "training.json").write_text(json.dumps(summary), encoding="utf-8")
    return folder / "adapter"
