"""ONNX copies beside the one that is served: written, compared with the folder that they were written from, kept only if no worse."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tutelage.core.chat import render
from tutelage.core.copies import Copies, CopyCost, CopyEvidence, Fidelity
from tutelage.core.errors import GateClosed
from tutelage.core.files import size_of, write_whole
from tutelage.core.records import Record
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.onnx_folder import OnnxKind
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.copying import MEGABYTE, Facts, Parent, cost_facts, evidence
from tutelage.model.evidence import Measured, measure
from tutelage.model.evidence_speed import measure_speed
from tutelage.model.export_onnx import export_onnx
from tutelage.model.merge import SAMPLE_PROMPTS, TOLERANCE
from tutelage.model.parity import ONE_TOKEN

EVIDENCE = "onnx-parity.json"


class OnnxParity(Record):
    """`onnx-parity.json`. `ids_identical` and `argmax_equal` count prompts; `logit_difference` is the largest, as a share of the largest
    logit of its prompt (at least 1). `rounding` and `fidelity` are over unseen answers, None where nothing is measured.
    """

    kind: OnnxKind
    kept: bool
    megabytes: float
    prompts: int
    ids_identical: int
    argmax_equal: int
    logit_difference: float
    rounding: CopyCost | None = None
    fidelity: Fidelity | None = None


def folder_name(kind: OnnxKind) -> str:
    """The name of a copy's folder in the model artifact, and of its bits among all copies."""
    return f"onnx-{kind}"


def keep_onnx(parent: Parent, copies: Copies | None) -> Copies | None:
    """Write onnx-<kind>/ of the asked kind, and its evidence; gives `copies` with its line. A copy that is worse is removed again, with a
    warning.

    Raises GateClosed for such a copy where `fallback` is false, and for one in fp32, which can only be wrong.
    """
    kind = parent.settings.onnx
    if kind == "none":
        return copies
    folder = write_onnx(parent, kind, folder_name(kind))
    measured = measure(parent.measuring, folder, tried=1) if parent.measuring else None
    found = compare_onnx(parent, folder, kind, measured)
    write_whole(parent.making.folder / EVIDENCE, found.model_dump_json(indent=1))
    told = {"copy": kind, **_told(found)}
    if found.kept:
        parent.making.events.note("model", "model.onnx_kept", megabytes=round(found.megabytes), **told)
    else:
        check_onnx(parent, found)
        parent.making.events.warning("model", "model.onnx_refused", **told)
    line = _line(parent, folder, found, measured) if measured else None
    if not found.kept:
        shutil.rmtree(folder)
    return copies.model_copy(update={"copies": (*copies.copies, line)}) if copies and line else copies


def write_onnx(parent: Parent, kind: OnnxKind, name: str) -> Path:
    """Write one copy under this name."""
    folder = parent.making.folder / name
    export_onnx(parent.folder, folder, kind=kind, chat_format=parent.chat_format)
    return folder


def compare_onnx(parent: Parent, folder: Path, kind: OnnxKind, measured: Measured | None) -> OnnxParity:
    """Token ids, first tokens and logits of a copy beside those of the folder that it was written from."""
    exact, copy = TorchEngine(parent.folder, name="parent"), OnnxEngine(folder, name="copy")
    try:
        prompts = [render(example.prompt, parent.chat_format, exact, reply=True).ids for example in parent.examples]
        copied = [render(example.prompt, parent.chat_format, copy, reply=True).ids for example in parent.examples]
        expected, found = (engine.generate(prompts, ONE_TOKEN, end_ids=()) for engine in (exact, copy))
        logits = max(_difference(exact, copy, prompt) for prompt in prompts[:SAMPLE_PROMPTS])
    finally:
        exact.close()
        copy.close()
    identical = sum(one == other for one, other in zip(prompts, copied, strict=True))
    equal = sum(one.token_ids == other.token_ids for one, other in zip(expected, found, strict=True))
    agrees = identical == len(prompts) and equal >= parent.settings.minimum_agreement * len(prompts)
    exactly = kind != "fp32" or logits <= TOLERANCE
    cheap = measured is None or measured.rounding.state != "fails"
    return OnnxParity(kind=kind, kept=agrees and exactly and cheap, megabytes=round(size_of(folder) / MEGABYTE, 1), prompts=len(prompts),
                      ids_identical=identical, argmax_equal=equal, logit_difference=logits,
                      rounding=measured.rounding if measured else None, fidelity=measured.fidelity if measured else None)


def check_onnx(parent: Parent, found: OnnxParity) -> None:
    """Raise GateClosed for a copy that was not kept, if it is in fp32 or `fallback` is false."""
    if found.kind != "fp32" and parent.settings.fallback:
        return
    raise GateClosed(
        f"model: the ONNX copy {found.kind} is not the trained model: token ids agree on {found.ids_identical} of {found.prompts} unseen "
        f"prompts (all must), the first token on {found.argmax_equal} ({parent.settings.minimum_agreement:.0%} must), a logit differs "
        f"by up to {found.logit_difference:.1e} of the largest, bits per byte change by "
        f"{found.rounding.difference if found.rounding else 0.0}. Nothing was kept. Set model.onnx to int8_blocks or none.")


def disagreement(parent: Parent, found: OnnxParity) -> Facts:
    """What the text on a copy that begins its answers otherwise says."""
    return {"equal": found.argmax_equal, "prompts": found.prompts, "share": round(100 * found.argmax_equal / found.prompts, 1),
            "needed": round(100 * parent.settings.minimum_agreement, 1)}


def _told(found: OnnxParity) -> Facts:
    return {"equal": found.argmax_equal, "prompts": found.prompts, "identical": found.ids_identical,
            "difference": f"{found.logit_difference:.1e}", "cost": found.rounding.difference if found.rounding else 0.0}


def _line(parent: Parent, folder: Path, found: OnnxParity, measured: Measured) -> CopyEvidence:
    """The copy's line of evidence.json; how it runs is measured of a kept one only."""
    assert parent.measuring
    size, facts = folder_name(found.kind), cost_facts(measured, parent)
    if found.kept:
        reason = {"holds": "model.copy.holds", "fails": "model.copy.onnx_fails"}.get(measured.loss.cost.state, "model.copy.onnx_open")
        return evidence(parent, size, folder, reason, facts, measured, measure_speed(folder, parent.measuring.timing), kept=True)
    if measured.rounding.state == "fails":
        return evidence(parent, size, folder, "model.copy.costs", facts, measured)
    return evidence(parent, size, folder, "model.copy.disagrees", disagreement(parent, found), measured)


def _difference(exact: TorchEngine, copy: OnnxEngine, prompt: tuple[int, ...]) -> float:
    one, other = (np.stack(list(_all(engine.foretell(prompt, 1)))) for engine in (exact, copy))
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(one).max())))


def _all(logits: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Copies, as what an engine gives is valid until the next only."""
    return (one.copy() for one in logits)
