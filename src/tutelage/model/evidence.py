"""What each copy is measured by: bits per byte against the tuned model, how far it strays from its parent, and how it runs here."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.chat import ChatFormat
from tutelage.core.copies import CopyCost, Drafted, Fidelity, Grader, PairedBits, Weigh, Weighed
from tutelage.core.records import Example
from tutelage.model.evidence_drafts import Drafting, draft, prepare_drafts
from tutelage.model.evidence_rows import AnswerRow, answer_rows, compare_rows, fidelity
from tutelage.model.evidence_speed import Timing
from tutelage.model.held_out import measure_loss
from tutelage.model.settings import ModelSettings

QUICK_ROWS = 16  # 10 s for SmolLM2-135M on two idle cores, its parent included
QUICK_TIMING, FULL_TIMING = (3, 16), (8, 64)  # prompts, and new tokens for each


@dataclass(frozen=True)
class Measuring:
    """What copies of one model folder are measured with.

    `tuned` are nats of the rows' answers under the merged model; None where the folder is that model itself. `drafting` is None where
    copies need not draft.
    """

    folder: Path
    rows: Sequence[AnswerRow]
    tuned: Sequence[float] | None
    weigh: Weigh
    timing: Timing
    drafting: Drafting | None

    @property
    def documents(self) -> int:
        """How many documents the rows come from."""
        return len({row.document_id for row in self.rows})


@dataclass(frozen=True)
class Measured:
    """What a copy costs against the merged model, what of it is rounding, how far it strays from its folder, and what it drafts."""

    loss: Weighed
    rounding: CopyCost
    fidelity: Fidelity
    drafts: Drafted | None


def prepare(folder: Path, merged: Path, examples: Sequence[Example], chat_format: ChatFormat, settings: ModelSettings, *,
            weigh: Weigh, grader: Grader) -> Measuring | None:
    """Ready to measure copies that are written from `folder`; None where nothing is to be measured, or no row has an answer."""
    chosen = [row for row in examples if row.text][:QUICK_ROWS if settings.measure == "quick" else None]
    if settings.measure == "off" or not chosen:
        return None
    prompts, new_tokens = QUICK_TIMING if settings.measure == "quick" else FULL_TIMING
    rows = answer_rows(folder, chosen, chat_format)
    room = json.loads((folder / "config.json").read_text("utf-8"))["max_position_embeddings"]
    rows = [row for row in rows if len(row.ids) <= room]
    if not rows:
        return None
    fitting = {row.id for row in rows}
    whole = [row for row in chosen if row.id in fitting]
    tuned = measure_loss(merged, whole, chat_format).nats if folder != merged else None
    drafting = prepare_drafts(folder, merged, whole, chat_format, grader) if settings.measure == "full" else None
    return Measuring(folder, rows, tuned, weigh, Timing([row.ids[:row.start] for row in rows[:prompts]], new_tokens), drafting)


def measure(measuring: Measuring, copy: Path, *, tried: int) -> Measured:
    """Compare `copy`, a GGUF file or the folder of an ONNX copy, one of `tried` among which one is picked, over all rows."""
    compared = compare_rows(measuring.folder, copy, measuring.rows)
    documents, sizes = [row.document_id for row in measuring.rows], [row.size_bytes for row in measuring.rows]
    parent, after = [_bits(row.nats) for row in compared], [_bits(row.copy_nats) for row in compared]
    rounding = measuring.weigh(PairedBits(documents, parent, after, sizes), tried)
    before = parent if measuring.tuned is None else [_bits(nats) for nats in measuring.tuned]
    loss = rounding if measuring.tuned is None else measuring.weigh(PairedBits(documents, before, after, sizes), tried)
    return Measured(loss, rounding.cost, fidelity(compared), draft(measuring.drafting, copy) if measuring.drafting else None)


def _bits(nats: float) -> float:
    return nats / math.log(2)
