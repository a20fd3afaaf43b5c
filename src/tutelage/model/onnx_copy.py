"""The ONNX copy beside the one that is served: written, compared with the folder that it was written from, and kept only if no worse."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tutelage.core.chat import render
from tutelage.core.copies import CopyCost, Fidelity, PairedBits
from tutelage.core.errors import GateClosed
from tutelage.core.files import size_of, write_whole
from tutelage.core.records import Record
from tutelage.engine.onnx_engine import OnnxEngine
from tutelage.engine.onnx_folder import OnnxKind
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.copying import MEGABYTE, Parent
from tutelage.model.evidence_rows import RowCompared, compare_row, fidelity
from tutelage.model.export_onnx import export_onnx
from tutelage.model.merge import SAMPLE_PROMPTS, TOLERANCE
from tutelage.model.parity import ONE_TOKEN

EVIDENCE = "onnx-parity.json"


class OnnxParity(Record):
    """`onnx-parity.json`. `ids_identical` and `argmax_equal` count prompts; `logit_difference` is the largest, as a share of the largest
    logit of its prompt (at least 1). `rounding` and `fidelity` are over held-out answers, None where nothing is measured.
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


def keep_onnx(parent: Parent) -> None:
    """Write onnx-<kind>/ of the asked kind, and its evidence; a copy that is worse is removed again, with a warning.

    Raises GateClosed for such a copy where `fallback` is false, and for one in fp32, which can only be wrong.
    """
    kind = parent.settings.onnx
    if kind == "none":
        return
    folder = parent.making.folder / f"onnx-{kind}"
    export_onnx(parent.folder, folder, kind=kind, chat_format=parent.chat_format)
    found = _compare(parent, folder, kind)
    write_whole(parent.making.folder / EVIDENCE, found.model_dump_json(indent=1))
    facts = {"copy": kind, "equal": found.argmax_equal, "prompts": found.prompts, "identical": found.ids_identical,
             "difference": f"{found.logit_difference:.1e}", "cost": found.rounding.difference if found.rounding else 0.0}
    if found.kept:
        parent.making.events.note("model", "model.onnx_kept", megabytes=round(found.megabytes), **facts)
        return
    shutil.rmtree(folder)
    if kind == "fp32" or not parent.settings.fallback:
        raise GateClosed(
            f"model: the ONNX copy {kind} is not the trained model: token ids agree on {found.ids_identical} of {found.prompts} held-out "
            f"prompts (all must), the first token on {found.argmax_equal} ({parent.settings.minimum_agreement:.0%} must), a logit differs "
            f"by up to {found.logit_difference:.1e} of the largest, bits per byte change by {facts['cost']}. Nothing was kept. "
            "Set model.onnx to int8_blocks or none.")
    parent.making.events.warning("model", "model.onnx_refused", **facts)


def _compare(parent: Parent, folder: Path, kind: OnnxKind) -> OnnxParity:
    exact, copy = TorchEngine(parent.folder, name="parent"), OnnxEngine(folder, name="copy")
    try:
        prompts = [render(example.prompt, parent.chat_format, exact, reply=True).ids for example in parent.examples]
        copied = [render(example.prompt, parent.chat_format, copy, reply=True).ids for example in parent.examples]
        expected, found = (engine.generate(prompts, ONE_TOKEN, end_ids=()) for engine in (exact, copy))
        logits = max(_difference(exact, copy, prompt) for prompt in prompts[:SAMPLE_PROMPTS])
        rows = parent.measuring.rows if parent.measuring else ()
        compared = [compare_row(row, exact.foretell(row.ids, row.start), copy.foretell(row.ids, row.start)) for row in rows]
    finally:
        exact.close()
        copy.close()
    identical = sum(one == other for one, other in zip(prompts, copied, strict=True))
    equal = sum(one.token_ids == other.token_ids for one, other in zip(expected, found, strict=True))
    rounding = _rounding(parent, compared) if compared else None
    agrees = identical == len(prompts) and equal >= parent.settings.minimum_agreement * len(prompts)
    exactly = kind != "fp32" or logits <= TOLERANCE
    cheap = rounding is None or rounding.state != "fails"
    return OnnxParity(kind=kind, kept=agrees and exactly and cheap, megabytes=round(size_of(folder) / MEGABYTE, 1), prompts=len(prompts),
                      ids_identical=identical, argmax_equal=equal, logit_difference=logits, rounding=rounding,
                      fidelity=fidelity(compared) if compared else None)


def _difference(exact: TorchEngine, copy: OnnxEngine, prompt: tuple[int, ...]) -> float:
    one, other = (np.stack(list(_all(engine.foretell(prompt, 1)))) for engine in (exact, copy))
    return float(np.abs(one - other).max() / max(1.0, float(np.abs(one).max())))


def _all(logits: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Copies, as what an engine gives is valid until the next only."""
    return (one.copy() for one in logits)


def _rounding(parent: Parent, compared: list[RowCompared]) -> CopyCost:
    assert parent.measuring
    rows = parent.measuring.rows
    bits = PairedBits([row.document_id for row in rows], [row.nats / np.log(2) for row in compared],
                      [row.copy_nats / np.log(2) for row in compared], [row.size_bytes for row in rows])
    return parent.measuring.weigh(bits, 1).cost
