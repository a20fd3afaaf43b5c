"""How well a model folder predicts the unseen answers, in bits a byte of text: comparable between different tokenizers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import Engine
from tutelage.core.records import Example
from tutelage.engine.torch_engine import TorchEngine

RESAMPLES, SEED = 2_000, 0


@dataclass(frozen=True)
class Loss:
    """Of each row: its document, the negative log-probability of its answer in nats, and bytes of the answer.

    `tokens` counts those of all answers.
    """

    documents: tuple[str, ...]
    nats: tuple[float, ...]
    sizes: tuple[int, ...]
    tokens: int

    @property
    def bits_per_byte(self) -> float:
        """Bits for a byte of all answers together. Source: Gao et al. 2020, arXiv:2101.00027, section 3.1."""
        return sum(self.nats) / math.log(2) / sum(self.sizes)


def measure_loss(folder: Path, rows: Sequence[Example], chat_format: ChatFormat) -> Loss:
    """The loss of the model in `folder` on the answers of `rows`."""
    engine = TorchEngine(folder, name=folder.name)
    try:
        return score_answers(engine, rows, chat_format)
    finally:
        engine.close()


def score_answers(engine: Engine, rows: Sequence[Example], chat_format: ChatFormat) -> Loss:
    """The loss of an open engine on the answers of `rows`, the token that ends each turn included."""
    whole = []
    for row in rows:
        rendered = render(row.messages, chat_format, engine, reply=False)
        last = max(place for place, is_supervised in enumerate(rendered.supervised) if is_supervised)
        whole.append(rendered.ids[:last + 1])
    starts = [len(render(row.prompt, chat_format, engine, reply=True).ids) for row in rows]
    scores = engine.score(whole, starts)
    return Loss(documents=tuple(row.document_id for row in rows), nats=tuple(-sum(score.logprob for score in row) for row in scores),
                sizes=tuple(len(row.text.encode("utf-8")) for row in rows), tokens=sum(map(len, scores)))


def highest_rise(before: Loss, after: Loss) -> float:
    """Upper end of the one-sided 95 % interval of the rise of bits per byte, as a share.

    Documents are drawn again with replacement, all rows of one together; where there is only one, rows are.
    """
    several = len(set(before.documents)) > 1
    _, places = np.unique(before.documents, return_inverse=True) if several else (None, np.arange(len(before.nats)))
    groups = int(places.max()) + 1
    draws = np.random.default_rng(SEED).integers(0, groups, (RESAMPLES, groups))
    old, new = (np.bincount(places, loss.nats, groups)[draws].sum(1) for loss in (before, after))
    return float(np.quantile(new / old - 1, 0.95))
