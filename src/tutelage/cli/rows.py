"""show row and show uses: the life of a row from document to run, and everything that saw a document."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.history import Fate
from tutelage.core.language import text
from tutelage.core.store import Artifact, Store

STAGES = ("documents", "dataset", "training", "model", "scores", "endpoint", "drafting", "reviews", "judged")
SHOWN = 6


def show_row(store: Store, row: str | None, tongue: str, as_json: bool) -> None:
    """Print what happened to a row and to the rows that it came from, oldest stage first."""
    if not row:
        raise InputError("show row: needs the id of a row, such as `tutelage show row 3f9c2a71b0de`. "
                         "Ids stand in examples.jsonl and dropped.jsonl.")
    life = list(_life(store, row))
    if not life:
        raise InputError(f"row {row}: no stage in {store.work} has seen such a row. "
                         "Ids stand in examples.jsonl and dropped.jsonl of each stage.")
    for artifact, fate in life:
        if as_json:
            tell_result(json.dumps({"stage": artifact.manifest.kind, "artifact": artifact.id, **fate.model_dump()}, ensure_ascii=False))
            continue
        line = text("run.row_line", tongue, stage=artifact.manifest.kind, id=artifact.id, what=fate.what, reason=fate.reason)
        parts = [line, fate.name, fate.detail]
        if fate.cause:
            parts.append(text("run.row_cause", tongue, cause=fate.cause))
        if fate.became:
            parts.append(text("run.row_became", tongue, became=_some(fate.became)))
        tell_result(f"{fate.row}  " + "; ".join(part for part in parts if part))
    _tell_origin(store.work, row, tongue, as_json)
    _tell_uses(store.work, row, tongue, as_json)


def _tell_uses(work: Path, row: str, tongue: str, as_json: bool) -> None:
    """Print the datasets that hold the row, what was made from them, and in which runs."""
    from tutelage.pipeline.uses import row_uses

    for use in row_uses(work, row):
        tell_result(json.dumps({"use": use.model_dump()}) if as_json else
                    text("run.row_use", tongue, stage=f"{use.stage:<10}", id=use.artifact, runs=_some(use.runs) or "-"))


def _tell_origin(work: Path, row: str, tongue: str, as_json: bool) -> None:
    """Print where the row stood in its file, and how often each rule changed it."""
    from tutelage.pipeline.origin import origin_of

    origin = origin_of(work, row)
    if origin is None:
        return
    if as_json:
        tell_result(json.dumps({"origin": origin.model_dump()}, ensure_ascii=False))
        return
    where = [text("run.row_clause", tongue, start=origin.start, end=origin.end)] if origin.end else []
    for place in origin.places[:SHOWN]:
        page = text("run.row_page", tongue, page=place.page) + " " if place.page else ""
        sure = "" if place.confidence is None else " " + text("run.row_recognised", tongue, confidence=place.confidence)
        where.append(page + text("run.row_paragraph", tongue, paragraph=place.number or place.paragraph, part=place.part) + sure)
    edits = ", ".join(f"{rule} {count}" for rule, count in origin.edits.items()) or "-"
    tell_result(text("run.row_origin", tongue, name=origin.name, sha256=origin.source_sha256, where="; ".join(where) or "-", edits=edits,
                     permission=origin.permission))


def show_uses(work: Path, document: str | None, tongue: str, as_json: bool) -> None:
    """Print every artifact, row and run that saw a document, and what a deletion takes."""
    from tutelage.pipeline.uses import uses

    if not document:
        raise InputError("show uses: needs a document: its id, the name of its file, or the SHA-256 of the file, such as "
                         "`tutelage show uses contracts/lease.docx`.")
    found = uses(work, document)
    for use in found:
        if as_json:
            tell_result(use.model_dump_json())
            continue
        key = {"rows": "run.use_rows", "derived": "run.use_derived"}.get(use.what, "run.use_document")
        tell_result(text(key, tongue, stage=f"{use.stage:<10}", id=use.artifact, what=use.what, reason=use.reason,
                         count=len(use.rows), rows=_some(use.rows), runs=_some(use.runs) or "-"))
    if not as_json:
        tell_result(text("run.use_delete", tongue, folders=" ".join(use.folder for use in found)))


def _some(names: tuple[str, ...]) -> str:
    return ", ".join(names[:SHOWN]) + (f" ... ({len(names)})" if len(names) > SHOWN else "")


def _life(store: Store, row: str) -> Iterator[tuple[Artifact, Fate]]:
    """Fates of the row and of the rows it came from, oldest stage first, in the newest artifact of each stage."""
    artifacts = [artifact for stage in STAGES for artifact in (store.all(stage)[-1:] if stage != "reviews" else store.all(stage))]
    histories = [(artifact, list(artifact.history())) for artifact in sorted(artifacts, key=lambda made: made.manifest.made_at)]
    wanted = {row}
    for _, fates in reversed(histories):
        wanted |= {fate.row for fate in fates if wanted & set(fate.became)}
    for artifact, fates in histories:
        yield from ((artifact, fate) for fate in fates if fate.row in wanted)
