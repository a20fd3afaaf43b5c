"""`tutelage export edge`: the copy of a recipe that passed its gate, as a folder for a phone or a small board."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tutelage.core.copies import EVIDENCE, Copies
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.files import read_rows
from tutelage.core.language import failure
from tutelage.core.records import Example
from tutelage.core.store import Artifact, Store
from tutelage.endpoint.make import find_gguf
from tutelage.endpoint.overrides import read_gate
from tutelage.model.edge import Edge, EdgeFormat, Origin, Wish, choose, offers, write_edge
from tutelage.pipeline.conduct import plan
from tutelage.pipeline.recipe import Loaded
from tutelage.pipeline.stages import Site


@dataclass(frozen=True)
class Asked:
    """What a person asks for. `format` "" takes either."""

    budget_bytes: int
    format: EdgeFormat | Literal[""]
    folder: Path


def export_edge(loaded: Loaded, work: Path, asked: Asked) -> Edge:
    """Write the folder from what `make` made of this recipe.

    Raises InputError where that is not made, or nothing fits; GateClosed where the gate is not open: people may answer for serving a copy,
    as that can be taken back, not for one that leaves.
    """
    site, store = Site(loaded, work), Store(work)
    ids = {row.stage: row.id for row in plan(loaded, work, until="scores")}
    dataset, model, scores = (_made(store, stage, ids[stage], loaded) for stage in ("dataset", "model", "scores"))
    gate = read_gate(scores)
    if not gate.is_open:
        raise failure(GateClosed, "edge.gate_closed", candidate=gate.candidate, scores_id=scores.id, verdict=gate.verdict,
                      metric=gate.metric, difference=f"{gate.difference:+.4f}", low=f"{gate.low:+.4f}", high=f"{gate.high:+.4f}", n=gate.n)
    model.check()
    copies = Copies.model_validate_json(model.file(EVIDENCE).read_text("utf-8")) if EVIDENCE in model.manifest.files else None
    recipe, rows = loaded.recipe, list(read_rows(dataset.file("examples.jsonl"), Example))
    first = min((row for row in rows if row.part == "held_out"), key=lambda row: row.id)
    wish = Wish(budget_bytes=asked.budget_bytes, format=asked.format, folder=asked.folder, asked=first.prompt[-1].content,
                system=common_system(rows), context_length=recipe.endpoint.context_length, max_tokens=recipe.drafting.max_tokens,
                repetition_penalty=recipe.drafting.repetition_penalty)
    origin = Origin(model_id=model.id, scores_id=scores.id, base=site.base.name, licence=site.base.licence,
                    permissions=model.manifest.permissions, chat_format=site.chat_format)
    return write_edge(choose(offers(model.folder, find_gguf(model), copies), wish), origin, wish, copies.rows if copies else 0)


def common_system(rows: list[Example]) -> str:
    """The system message under which most of the training rows were learned, "" if that is none."""
    said = [row.messages[0].content if row.messages[0].role == "system" else "" for row in rows if row.part == "train"]
    return max(dict.fromkeys(said), key=said.count, default="")


def _made(store: Store, stage: str, artifact_id: str, loaded: Loaded) -> Artifact:
    found = store.look_up(stage, artifact_id)
    if found is None:
        raise failure(InputError, "edge.not_made", stage=stage, id=artifact_id, recipe=loaded.path)
    return found
