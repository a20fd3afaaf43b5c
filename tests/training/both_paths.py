"""What tests of the packed path compare it with: a tiny model of each family, its rows, and transformers' own forward."""

import json

import torch
import torch.nn.functional as F
from tiny_families import make_tiny
from tiny_gemma import WINDOW, make_tiny_gemma
from training_stage import small_examples

from tutelage.core.chat import CHATML, GEMMA
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import trainable
from tutelage.training.batches import by_length, micro_batches
from tutelage.training.losses import head_loss
from tutelage.training.rows import render_row

FAMILIES = ("llama", "gemma3", "mistral", "qwen2", "qwen3")
LAYERS = {"llama": 2, "gemma3": 6, "mistral": 2, "qwen2": 2, "qwen3": 2}


def make_families(llama, place):
    """A tiny model of each family that the packed path knows. The Mistral has a window, Qwen 2 has biases, Qwen 3 norms of each head."""
    others = {family: make_tiny(family, place / family) for family in FAMILIES[2:]}
    config = json.loads((others["mistral"] / "config.json").read_text("utf-8"))
    (others["mistral"] / "config.json").write_text(json.dumps(config | {"sliding_window": WINDOW}), "utf-8")
    return {"llama": llama, "gemma3": make_tiny_gemma(place / "gemma3"), **others}


def family_rows(folders, family):
    """The small examples as token ids of a family."""
    vocabulary = Vocabulary(folders[family])
    return [render_row(example, GEMMA if family == "gemma3" else CHATML, vocabulary) for example in small_examples()]


def learn(body, weight, rows, tokens):
    """Loss a learned token and the gradients, computed `tokens` at a time."""
    body.refresh()
    learned = sum(row.trained for row in rows)
    total = 0.0
    for batch in micro_batches(by_length(rows), tokens=tokens):
        loss = head_loss(body.hidden(batch), weight, batch.targets) / learned
        loss.backward()
        total += float(loss.detach())
    return total


def gradients(model):
    found = {name: weight.grad.clone() for name, weight in trainable(model).items()}
    model.zero_grad()
    return found


def plain(model, rows):
    """The reference: one row at a time, transformers' own forward to all logits, F.cross_entropy over the learned tokens."""
    learned = sum(row.trained for row in rows)
    total = 0.0
    for row in rows:
        logits = model(input_ids=torch.tensor([row.ids])).logits[0, :-1]
        labels = torch.tensor([token if flag else -100 for token, flag in zip(row.ids[1:], row.supervised[1:], strict=True)])
        loss = F.cross_entropy(logits, labels, ignore_index=-100, reduction="sum") / learned
        loss.backward()
        total += float(loss.detach())
    return total
