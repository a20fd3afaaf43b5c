"""Everything that saw a document: rows, datasets, models and runs, for a request to delete it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.records import Document, Example, Record
from tutelage.core.store import Artifact, Store
from tutelage.pipeline.judge import STAGE as JUDGED
from tutelage.pipeline.runs import MADE, Made
from tutelage.pipeline.stages import STAGES
from tutelage.scores.sample import SAMPLES


class Use(Record):
    """One artifact that saw the document. `rows` are its rows that come from it, `runs` the runs that made or used the artifact.

    `what` is what happened to the document (kept, dropped, ...) in the stage `documents`, "rows" in a dataset that has rows of it (what
    happened to it in one that read it and has none: it may list its clauses for people to name), and "derived" in what was made from
    a dataset with its rows: the stages after it, a judgement (`judged`) of a model or of rows made so, and a blind sample
    (`samples`, by the id of its scores).
    """

    stage: str
    artifact: str
    folder: str
    what: str
    reason: str
    rows: tuple[str, ...]
    runs: tuple[str, ...]


def uses(work: Path, document: str) -> list[Use]:
    """All artifacts that saw a document, given by id, by the name of its file, or by the SHA-256 of the file; oldest stage first.

    Raises InputError if none did.
    """
    store = Store(work)
    runs = _runs(work)
    found: list[Use] = []
    reached: dict[str, Artifact] = {}
    for artifact in store.all("documents"):
        fates = _fates(artifact, document)
        if not fates:
            continue
        found.append(_read(artifact, fates, runs))
        for dataset in store.all("dataset"):
            if dataset.manifest.parents.get("documents") != artifact.id:
                continue
            if rows := tuple(_rows(dataset, set(fates))):
                found.append(_use(dataset, "rows", "", rows, runs))
                reached[dataset.id] = dataset
            elif without := {fate.row: (fate.what, fate.reason) for fate in dataset.history() if fate.row in fates}:
                found.append(_read(dataset, without, runs))
    if not found:
        raise InputError(f"{document}: no document of this id, file name or SHA-256 was ever read in {work}. "
                         "Names stand in documents.jsonl and dropped.jsonl of `tutelage show documents`.")
    return found + _made_from(work, reached, runs)


def row_uses(work: Path, row: str) -> list[Use]:
    """The datasets that hold a row, and all that was made from them; oldest stage first, nothing if none does."""
    runs = _runs(work)
    reached = {dataset.id: dataset for dataset in Store(work).all("dataset")
               if any(example.id == row for example in read_rows(dataset.file("examples.jsonl"), Example))}
    return [_use(dataset, "rows", "", (row,), runs) for dataset in reached.values()] + _made_from(work, reached, runs)


def _made_from(work: Path, datasets: Mapping[str, Artifact], runs: Mapping[str, tuple[str, ...]]) -> list[Use]:
    """What was made from these datasets: the stages after them, judgements and blind samples."""
    store, reached = Store(work), dict(datasets)
    found: list[Use] = []
    for stage in STAGES:
        for artifact in store.all(stage.name) if stage.name not in ("documents", "dataset") else []:
            if reached.keys() & set(artifact.manifest.parents.values()):
                reached[artifact.id] = artifact
                found.append(_use(artifact, "derived", "", (), runs))
    found += [_use(judged, "derived", "", (), runs) for judged in store.all(JUDGED) if _judges(judged, reached.values())]
    return found + list(_samples(work, reached.values(), runs))


def _read(artifact: Artifact, fates: Mapping[str, tuple[str, str]], runs: Mapping[str, tuple[str, ...]]) -> Use:
    """The use of an artifact that read the document, with all that happened to it there."""
    what, reason = (", ".join(sorted({told[place] for told in fates.values()})) for place in (0, 1))
    return _use(artifact, what, reason, tuple(fates), runs)


def _judges(judged: Artifact, reached: Collection[Artifact]) -> bool:
    """Whether what was judged lies in one of these artifacts, or is the same file as one of theirs."""
    # Only these two parts are read, so that reports of any version are.
    told = json.loads(judged.file("report.json").read_text("utf-8"))
    files, artifacts = ({str(value) for value in told[part].values()} for part in ("files", "artifacts"))
    prints = {digest for artifact in reached for digest in artifact.manifest.files.values()}
    if prints & (files | set(judged.manifest.inputs.values())):
        return True
    folders = [artifact.folder.resolve() for artifact in reached]
    named = [Path(part) for name in artifacts for part in (name, name.partition(" on ")[0])]
    return any(path.resolve().is_relative_to(folder) for path in named for folder in folders)


def _samples(work: Path, reached: Iterable[Artifact], runs: Mapping[str, tuple[str, ...]]) -> Iterator[Use]:
    """Sheets for people, which hold clauses and drafts."""
    for artifact in reached:
        folder = work / SAMPLES / artifact.id
        if artifact.manifest.kind == "scores" and folder.is_dir():
            yield Use(stage=SAMPLES, artifact=artifact.id, folder=str(folder), what="derived", reason="", rows=(),
                      runs=runs.get(artifact.id, ()))


def _fates(artifact: Artifact, document: str) -> dict[str, tuple[str, str]]:
    """Rows of the documents stage that are the document: id -> what happened to it at last, and why."""
    by_hash = {row.id for row in read_rows(artifact.file("documents.jsonl"), Document) if row.source_sha256 == document}
    found: dict[str, tuple[str, str]] = {}
    for fate in artifact.history():
        is_named = fate.name == document or fate.name.startswith((f"{document}:", f"{document}/"))
        if fate.row == document or is_named or fate.row in by_hash:
            found[fate.row] = (fate.what, fate.reason)
    return found


def _rows(dataset: Artifact, documents: set[str]) -> Iterator[str]:
    return (row.id for row in read_rows(dataset.file("examples.jsonl"), Example) if row.document_id in documents)


def _use(artifact: Artifact, what: str, reason: str, rows: tuple[str, ...], runs: Mapping[str, tuple[str, ...]]) -> Use:
    return Use(stage=artifact.manifest.kind, artifact=artifact.id, folder=str(artifact.folder), what=what, reason=reason, rows=rows,
               runs=runs.get(artifact.id, ()))


def _runs(work: Path) -> dict[str, tuple[str, ...]]:
    """Artifact id -> names of the runs that made or used it, oldest first."""
    by_artifact: dict[str, tuple[str, ...]] = {}
    for path in sorted((work / "runs").glob(f"*/{MADE}")):
        made = Made.model_validate_json(path.read_text("utf-8"))
        for artifact in made.ids.values():
            by_artifact[artifact] = (*by_artifact.get(artifact, ()), path.parent.name)
    return by_artifact
