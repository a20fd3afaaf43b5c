"""Copies for llama.cpp: each is written, compared with the folder that it was written from, measured, and kept or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from tutelage.core.chat import ChatFormat
from tutelage.core.copies import Copies, CopyEvidence, Speed
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.gguf_adapter import parts_of
from tutelage.model.evidence import Measured, Measuring, measure
from tutelage.model.evidence_speed import measure_speed
from tutelage.model.export_adapter import export_adapter, write_base
from tutelage.model.export_gguf import NO_IMPORTANCE, export_gguf
from tutelage.model.importance import measure_importance, training_rows
from tutelage.model.mixture import SEARCH, WEIGHED, Quantisation
from tutelage.model.parity import Expected, Parity, agrees, check, compare, expect
from tutelage.model.settings import ModelSettings

MEGABYTE = 1_000_000
BASES = "base"  # folder of the work folder with copies of bases
Facts = dict[str, str | int | float]


@dataclass(frozen=True)
class Parent:
    """What copies are written from: a model folder, what was done to its shape ("" for nothing), the rows to compare, what
    copies are measured with (None: they are not), and the folder of the base below an adapter that stands apart (None: it is merged).
    """

    making: Making
    settings: ModelSettings
    folder: Path
    shape: str
    examples: Sequence[Example]
    chat_format: ChatFormat
    measuring: Measuring | None
    base: Path | None = None

    def importance(self, sizes: Sequence[Quantisation]) -> Mapping[str, np.ndarray]:
        """What matters in each matrix of the folder, read from training rows if one of `sizes` asks for it."""
        if self.base or not any(size in WEIGHED for size in sizes):
            return NO_IMPORTANCE  # a base copy that models share does not depend on one's rows
        rows = training_rows(self.making, self.settings.importance_rows, self.folder, self.chat_format)
        self.making.facts["importance_rows"] = len(rows)
        return measure_importance(self.folder, rows)

    def write(self, quantisation: Quantisation, name: str, importance: Mapping[str, np.ndarray]) -> Path:
        """Write one copy under this name."""
        path, training = self.making.folder / name, self.making.parents["training"]
        if self.base:
            below = write_base(self.base, self.making.work / BASES, quantisation=quantisation, chat_format=self.chat_format)
            export_adapter(training.folder / "adapter", self.base, below, path, name=f"tutelage-{training.id}")
        else:
            export_gguf(self.folder, path, quantisation=quantisation, name=f"tutelage-{training.id}", chat_format=self.chat_format,
                        importance=importance if quantisation in WEIGHED else NO_IMPORTANCE)
        self.making.events.note("model", "model.exported", quantisation=self.name_of(quantisation),
                                megabytes=round(parts_of(path).size_bytes / MEGABYTE))
        return path

    def parity(self, path: Path, quantisation: Quantisation) -> Parity:
        """Token ids and first tokens of a copy beside those of the folder."""
        return compare(self._expected, path, self.examples, self.chat_format, quantisation=quantisation)

    @cached_property
    def _expected(self) -> Expected:
        return expect(self.folder, self.examples, self.chat_format)  # once for all sizes

    def name_of(self, size: str) -> str:
        """The copy's name: its bits ("onnx-" before those of an ONNX copy), and its shape where that was changed."""
        return f"{size}-{self.shape}" if self.shape else size


@dataclass(frozen=True)
class Kept:
    """The copy that was kept, those that were refused for their tokens, and what was measured of all."""

    path: Path
    parity: Parity
    refused: tuple[Parity, ...]
    copies: Copies | None


def keep_first(parent: Parent) -> Kept:
    """Write and compare copies from the asked size on until one agrees and costs no more than it may; a refused one is removed.

    Raises GateClosed if the last one, or the only one where `fallback` is false, does not agree. What such a copy costs is for the
    scores to judge, on all their rows.
    """
    settings, events = parent.settings, parent.making.events
    sizes = SEARCH[SEARCH.index(settings.quantisation):]
    importance = parent.importance(sizes[:1])
    refused: list[Parity] = []
    tried: list[CopyEvidence] = []
    for quantisation, larger in zip(sizes, (*sizes[1:], None), strict=True):
        path = parent.write(quantisation, f"model-{quantisation}.gguf", importance)
        events.step("model", done=2, total=3)
        parity = parent.parity(path, quantisation)
        may_give_way = larger is not None and settings.fallback
        if not may_give_way:
            check(parity, minimum_agreement=settings.minimum_agreement)
        if not agrees(parity, minimum_agreement=settings.minimum_agreement):
            refused.append(parity)
            facts: Facts = {"quantisation": quantisation, "equal": parity.argmax_equal, "prompts": parity.prompts,
                            "share": round(100 * parity.share, 1), "needed": round(100 * settings.minimum_agreement, 1)}
            events.warning("model", "model.refused", larger=larger or "", **facts)
            tried.append(evidence(parent, quantisation, path, "model.copy.disagrees", facts))
            path.unlink()
            continue
        measured = measure(parent.measuring, path, tried=1) if parent.measuring else None
        if measured and measured.rounding.state == "fails" and may_give_way:
            events.warning("model", "model.costs", quantisation=quantisation, larger=larger or "", **cost_facts(measured, parent))
            tried.append(evidence(parent, quantisation, path, "model.copy.costs", cost_facts(measured, parent), measured))
            path.unlink()
            continue
        return Kept(path, parity, tuple(refused), _all(parent, tried, quantisation, path, measured))
    raise AssertionError("the last size is either kept or refused with an error")


def _all(parent: Parent, tried: Sequence[CopyEvidence], quantisation: Quantisation, path: Path, measured: Measured | None) -> Copies | None:
    """What was measured of the kept copy, after the refused ones; None where nothing is measured."""
    if parent.measuring is None or measured is None:
        return None
    speed = measure_speed(path, parent.measuring.timing)
    reason = {"holds": "model.copy.holds", "fails": "model.copy.fails"}.get(measured.loss.cost.state, "model.copy.open")
    kept = evidence(parent, quantisation, path, reason, cost_facts(measured, parent), measured, speed, kept=True)
    tell(parent, kept)
    return Copies(rows=len(parent.measuring.rows), documents=parent.measuring.documents, copies=(*tried, kept),
                  larger=next_larger(quantisation))


def tell(parent: Parent, kept: CopyEvidence) -> None:
    """Say what the kept copy costs and how it runs."""
    assert parent.measuring
    assert kept.loss
    assert kept.fidelity
    assert kept.speed
    speed = kept.speed
    parent.making.events.note(
        "model", "model.measured", quantisation=kept.name, rows=len(parent.measuring.rows), difference=kept.loss.cost.difference,
        low=kept.loss.cost.low, high=kept.loss.cost.high, kl=kept.fidelity.kl_nats, share=round(100 * kept.fidelity.top_1_share, 1),
        worse=kept.fidelity.right_to_wrong, better=kept.fidelity.wrong_to_right, tokens=kept.fidelity.tokens)
    parent.making.events.note(
        "model", "model.timed", quantisation=kept.name, load=speed.load_seconds, memory=round(speed.peak_rss_mb),
        first=speed.first_token_ms, each=speed.token_ms, single=speed.tokens_per_second, together=speed.tokens_per_second_streams,
        streams=speed.streams, threads=speed.threads)


def evidence(parent: Parent, quantisation: str, path: Path, reason: str, facts: Facts, measured: Measured | None = None,
             speed: Speed | None = None, *, kept: bool = False) -> CopyEvidence:
    """One line of evidence.json. `path` must still be there."""
    return CopyEvidence(
        name=parent.name_of(quantisation), quantisation=quantisation, shape=parent.shape, kept=kept, reason=reason, facts=facts,
        size_bytes=parts_of(path).size_bytes, loss=measured.loss if measured else None, rounding=measured.rounding if measured else None,
        fidelity=measured.fidelity if measured else None, drafts=measured.drafts if measured else None, speed=speed)


def cost_facts(measured: Measured, parent: Parent) -> Facts:
    """What the texts on a copy's cost say."""
    cost = measured.loss.cost
    return {"difference": cost.difference, "low": cost.low, "high": cost.high, "margin": cost.margin,
            "rows": len(parent.measuring.rows) if parent.measuring else 0}


def next_larger(quantisation: Quantisation) -> str:
    """The next size with more bits, "" if there is none."""
    return next(iter(SEARCH[SEARCH.index(quantisation) + 1:]), "")
