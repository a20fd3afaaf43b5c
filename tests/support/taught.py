"""A tiny model that has learned some answers by heart, so that a copy with ruined weights is truly worse."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import torch

from tutelage.core.chat import CHATML, render
from tutelage.core.records import Example
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary

STEPS, RATE = 40, 0.01


def teach(base: Path, folder: Path, rows: Sequence[Example]) -> Path:
    """Write to `folder` the model of `base` after some steps on the answers of `rows`, and give it back."""
    shutil.copytree(base, folder)
    model, vocabulary = load_causal(folder), Vocabulary(folder)
    rendered = [render(row.messages, CHATML, vocabulary, reply=False) for row in rows]
    longest = max(len(row.ids) for row in rendered)
    ids = torch.tensor([[*row.ids, *[0] * (longest - len(row.ids))] for row in rendered])
    labels = torch.tensor([[token if wanted else -100 for token, wanted in zip(row.ids, row.supervised, strict=True)]
                           + [-100] * (longest - len(row.ids)) for row in rendered])
    optimiser = torch.optim.Adam(model.parameters(), lr=RATE)
    for _ in range(STEPS):
        optimiser.zero_grad()
        model(input_ids=ids, labels=labels).loss.backward()
        optimiser.step()
    model.save_pretrained(folder)
    return folder
