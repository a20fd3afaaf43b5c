"""A copy beside the fp32 folder that it was written from, token by token of unseen answers: bits, divergence, flips."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from tutelage.core.chat import ChatFormat, render
from tutelage.core.copies import Fidelity
from tutelage.core.errors import GateClosed
from tutelage.core.records import Example
from tutelage.engine.llama_library import LlamaScorer
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.engine.vocabulary import Vocabulary


@dataclass(frozen=True)
class AnswerRow:
    """An unseen row as token ids: `ids` end with the token that ends the answer, which begins at `start` and has `size_bytes`."""

    id: str
    document_id: str
    ids: tuple[int, ...]
    start: int
    size_bytes: int


@dataclass(frozen=True)
class RowCompared:
    """One row under both models: nats of the answer, sum of KL(folder || copy) over its tokens, and counts of tokens."""

    nats: float
    copy_nats: float
    kl_nats: float
    tokens: int
    same_top: int
    right_to_wrong: int
    wrong_to_right: int


def answer_rows(folder: Path, examples: Sequence[Example], chat_format: ChatFormat) -> list[AnswerRow]:
    """Rows that have an answer, as the tokens of the model folder."""
    vocabulary, rows = Vocabulary(folder), []
    for row in examples:
        whole = render(row.messages, chat_format, vocabulary, reply=False)
        last = max(place for place, is_supervised in enumerate(whole.supervised) if is_supervised)
        rows.append(AnswerRow(id=row.id, document_id=row.document_id or row.id, ids=whole.ids[:last + 1],
                              start=len(render(row.prompt, chat_format, vocabulary, reply=True).ids),
                              size_bytes=len(row.text.encode("utf-8"))))
    return rows


class Foretelling(Protocol):
    """What gives the logits for each token of a row from a place on."""

    def foretell(self, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
        """Logits, shape (vocabulary,), each valid until the next is asked for."""
        ...

    def close(self) -> None:
        """Free the weights."""
        ...


def compare_rows(folder: Path, copy: Path, rows: Sequence[AnswerRow]) -> list[RowCompared]:
    """Each row under the model in `folder` and under `copy`, a GGUF file or the folder of an ONNX copy.

    Raises GateClosed if the copy gives no finite number.
    """
    workers = os.cpu_count() or 1
    exact = TorchEngine(folder, name=folder.name)
    scorer: Foretelling = OnnxEngine(copy, name=copy.name) if copy.is_dir() else \
        LlamaScorer(copy, context_length=max(len(row.ids) for row in rows), workers=workers)
    try:
        with ThreadPoolExecutor(workers, thread_name_prefix="evidence") as pool:
            found = list(pool.map(
                lambda row: compare_row(row, exact.foretell(row.ids, row.start), scorer.foretell(row.ids, row.start)), rows))
    finally:
        scorer.close()
        exact.close()
    for row, one in zip(rows, found, strict=True):
        if not math.isfinite(one.copy_nats):
            raise GateClosed(f"model: the copy {copy.name} gives no finite number for the answer of row {row.id}; it is broken. "
                             "Nothing was kept. Choose a larger model.quantisation.")
    return found


def fidelity(rows: Sequence[RowCompared]) -> Fidelity:
    """All rows together."""
    tokens = sum(row.tokens for row in rows)
    return Fidelity(tokens=tokens, kl_nats=sum(row.kl_nats for row in rows) / tokens,
                    top_1_share=sum(row.same_top for row in rows) / tokens,
                    right_to_wrong=sum(row.right_to_wrong for row in rows), wrong_to_right=sum(row.wrong_to_right for row in rows))


def compare_row(row: AnswerRow, exact: Iterator[np.ndarray], copied: Iterator[np.ndarray]) -> RowCompared:
    """One row by the logits that both models give for each token of its answer, shape (vocabulary,) each."""
    nats = copy_nats = kl_nats = 0.0
    same_top = right_to_wrong = wrong_to_right = 0
    for target, one, other in zip(row.ids[row.start:], exact, copied, strict=True):
        logprobs, copy_logprobs = _log_softmax(one), _log_softmax(other)
        nats -= float(logprobs[target])
        copy_nats -= float(copy_logprobs[target])
        kl_nats += max(0.0, float(np.dot(np.exp(logprobs), logprobs - copy_logprobs)))  # below 0 by rounding only
        best, copy_best = int(one.argmax()), int(other.argmax())
        same_top += best == copy_best
        right_to_wrong += best == target != copy_best
        wrong_to_right += copy_best == target != best
    return RowCompared(nats, copy_nats, kl_nats, len(row.ids) - row.start, same_top, right_to_wrong, wrong_to_right)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Natural-log probabilities; the sum is made in 64 bits."""
    shifted: np.ndarray = logits - logits.max()
    return shifted - np.float32(np.log(np.exp(shifted).sum(dtype=np.float64)))
