"""What matters most in each matrix: the mean square of what enters each column, on the owner's training rows.

Source: the importance matrix of llama.cpp, which weighs rounding errors so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from tutelage.core.chat import ChatFormat, render
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary

FLOOR = 1e-3  # share of the mean below which no column falls, so that a column these rows never use is not thrown away


def training_rows(making: Making, limit: int | None, folder: Path, chat_format: ChatFormat) -> list[tuple[int, ...]]:
    """Token ids of all training rows, or of the first `limit` by id, as the model in `folder` spells them.

    No planted test text is among them.
    """
    vocabulary = Vocabulary(folder)
    rows = [row for row in read_rows(making.parents["dataset"].file("examples.jsonl"), Example)
            if row.part == "train" and row.origin != "canary"]
    return [render(row.messages, chat_format, vocabulary, reply=False).ids for row in sorted(rows, key=lambda row: row.id)[:limit]]


def measure_importance(folder: Path, rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """By the name of each matrix between two layers of the model in `folder`: importance of its columns, shape (in,); none without rows."""
    if not rows:
        return {}
    means = mean_squares(load_causal(folder), rows)
    return {name: np.maximum(mean, FLOOR * mean.mean()).astype(np.float32) for name, mean in means.items()}


def mean_squares(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> dict[str, np.ndarray]:
    """By the name of each matrix between two layers of the model: the mean square of what enters each column, shape (in,), in fp64."""
    body: Any = model.base_model
    sums: dict[str, torch.Tensor] = {}

    def watch(name: str) -> Any:
        def add(_module: Any, inputs: tuple[torch.Tensor, ...]) -> None:
            squares = inputs[0].flatten(0, -2).double().square().sum(0)
            sums[name] = sums[name] + squares if name in sums else squares
        return add

    prefix = next(name for name, module in model.named_modules() if module is body)
    watched = [module.register_forward_pre_hook(watch(f"{prefix}.{name}.weight")) for name, module in body.named_modules()
               if isinstance(module, torch.nn.Linear)]
    with torch.inference_mode():
        for row in rows:
            body(input_ids=torch.tensor([list(row)]), use_cache=False)
    for handle in watched:
        handle.remove()
    tokens = sum(map(len, rows))
    return {name: (squares / tokens).numpy() for name, squares in sums.items()}
