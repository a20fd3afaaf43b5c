"""Makes the artifact `documents`: texts, what was changed in them, where they stood, clusters, reports, and the fate of every row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import whole_file, write_whole
from tutelage.core.history import Fate, Ledger
from tutelage.core.language import LANGUAGES
from tutelage.core.pool import cores, results
from tutelage.core.records import Document
from tutelage.core.store import Making
from tutelage.documents import sources
from tutelage.documents.batches import Done, Kept, Tally, batches, done, size_of
from tutelage.documents.dedupe import Twin
from tutelage.documents.filters import too_many_tokens
from tutelage.documents.gathered import Gathered
from tutelage.documents.page import reason_name, render
from tutelage.documents.readers.recognised import require_recogniser
from tutelage.documents.report import Cluster, KeptRows, Kin, LabelConflict, Named, Report, clusters_of, report_of, shown_positions
from tutelage.documents.rules import rules_of
from tutelage.documents.settings import DocumentsSettings

CountTokens = Callable[[Sequence[str]], list[int]]
STAGE = "documents"
# A step that removes more than this share of its rows is worth a look.
MUCH = 0.2
# Comparing and writing takes about a third as long as reading and cleaning (licensedcode-data, 2,310 files).
REST_UNITS = 1 / 3
# Starting processes takes as long as one of them needs for so many bytes.
FEW_BYTES = 6 << 20


def fingerprint(settings: DocumentsSettings, root: Path) -> dict[str, str]:
    """Each source -> SHA-256 over the names and bytes of its files. Raises InputError for a source that matches nothing."""
    return sources.fingerprint(settings.listed, root)


def make(making: Making, *, root: Path, count_tokens: CountTokens | None = None) -> None:
    """Read, clean and compare the sources; relative ones are looked for below `root`, the recipe's folder.

    `count_tokens` counts the tokens of texts as the base model spells them; it is needed for `max_tokens` only. Raises InputError if a
    source matches nothing, a rule cannot be used, or no document is left, ExtraMissing if pictures cannot be read that should be.
    """
    settings = DocumentsSettings.model_validate(making.settings)
    rules_of(settings)
    if settings.recognise:
        require_recogniser()
    if settings.max_tokens is not None and count_tokens is None:
        raise InputError(f"documents.max_tokens is {settings.max_tokens}, and there is no base model to count tokens with. "
                         "Use documents.max_characters, or make the stage with a recipe that names training.base.")
    gathered = Gathered(making.scratch, settings.near_duplicate, contained=settings.contained, are_alike=settings.look_alikes,
                        are_conflicts_left_out=settings.label_conflicts == "drop")
    try:
        tally = _read(making, settings, root, gathered, count_tokens)
        _warn_of_rows(making, settings, tally, gathered)
        _finish(making, settings, gathered, tally)
    finally:
        gathered.close()


def _read(making: Making, settings: DocumentsSettings, root: Path, gathered: Gathered, count_tokens: CountTokens | None) -> Tally:
    """Read and clean all files in several processes; what is fit is gathered, edits and places are written."""
    files = [file for found in sources.find(settings.listed, root) for file in found.files]
    total = sum(map(size_of, files))
    processes = (settings.processes or cores()) if total > FEW_BYTES else 1
    tally, read = Tally(), 0
    with ExitStack() as stack:
        edits = stack.enter_context(whole_file(making.folder / "edits.jsonl"))
        places = stack.enter_context(whole_file(making.folder / "places.jsonl"))
        making.events.step(STAGE, done=0, total=total * (1 + REST_UNITS) or 1)
        for one in results(done, batches(files, settings), processes, setting="documents.processes"):
            making.ledger.rows_in(one.ids)
            for fate in one.fates:
                making.ledger.record(fate)
            for kept, document in _fit(making.ledger, one, settings, count_tokens):
                gathered.add(kept.document, document)
                edits.write(kept.edits)
                places.write(kept.places)
            tally.add(one.tally)
            read += one.size
            making.events.step(STAGE, done=min(read, total), total=total * (1 + REST_UNITS) or 1)
    return tally


def _fit(ledger: Ledger, one: Done, settings: DocumentsSettings, count_tokens: CountTokens | None) -> Iterator[tuple[Kept, Document]]:
    """The rows of a batch that are not too long for the base model."""
    documents = [Document.model_validate_json(kept.document) for kept in one.kept]
    if settings.max_tokens is None or count_tokens is None:
        yield from zip(one.kept, documents, strict=True)
        return
    for kept, document, tokens in zip(one.kept, documents, count_tokens([document.text for document in documents]), strict=True):
        dropped = too_many_tokens(tokens, settings)
        if dropped:
            ledger.record(Fate(row=document.id, name=document.name, what="dropped", reason=dropped.reason, detail=dropped.detail))
        else:
            yield kept, document


def _warn_of_rows(making: Making, settings: DocumentsSettings, tally: Tally, gathered: Gathered) -> None:
    warn = making.events.warning
    if tally.guessed:
        warn(STAGE, "documents.guessed_encoding", files=len(tally.guessed), first=next(iter(tally.guessed.values()))[0])
    if tally.pages_recognised:
        warn(STAGE, "documents.recognised", pages=tally.pages_recognised, lines=tally.lines_recognised, unsure=tally.lines_unsure)
    for reason, removed in making.ledger.reasons("dropped").items():
        if removed > MUCH * tally.rows:
            warn(STAGE, "documents.many_dropped", removed=removed, rows=tally.rows, **reason_name(reason))
    if settings.chinese_only != "off":
        counts = {kind: tally.would_delete[kind] for kind in ("digits", "letters", "punctuation", "rare_characters")}
        warn(STAGE, f"documents.chinese_only_{settings.chinese_only}", **counts)
    conflicts = gathered.conflicts()
    if conflicts:
        warn(STAGE, "documents.label_conflicts", rows=len(conflicts), first=conflicts[0].labels[0], second=conflicts[0].labels[1])


@dataclass
class _Outcome:
    """What comparing the rows gave."""

    removed: list[Twin]
    clusters: list[Cluster]
    conflicts: list[LabelConflict]
    kin: tuple[list[Kin], list[Kin]]
    rows: KeptRows
    permissions: set[str]


def _finish(making: Making, settings: DocumentsSettings, gathered: Gathered, tally: Tally) -> None:
    """Compare the rows, write those that stay, and report."""
    outcome = _compared(gathered)
    if len(outcome.removed) > MUCH * gathered.rows:
        making.events.warning(STAGE, "documents.many_duplicates", removed=len(outcome.removed), rows=gathered.rows,
                              threshold=settings.near_duplicate)
    giant = gathered.giant
    if giant:
        making.events.warning(STAGE, "documents.giant_cluster", rows=giant.rows, share=f"{giant.share:.0%}",
                              threshold=settings.near_duplicate)
    _write_documents(making, settings, gathered, outcome)
    if not outcome.rows.lengths:
        raise InputError(_nothing_left(settings, making.ledger))
    making.permissions = tuple(sorted(outcome.permissions))
    report = report_of(tally, outcome.rows, outcome.clusters, making.ledger, giant=giant, conflicts=outcome.conflicts,
                       kin=outcome.kin)
    write_whole(making.folder / "clusters.json", _json(outcome.clusters))
    write_whole(making.folder / "report.json", _json(report))
    for language in LANGUAGES:
        write_whole(making.folder / f"report.{language}.html", render(report, settings, outcome.rows.lengths, language))
    _tell(making, report, outcome.removed, len(outcome.removed))


def _compared(gathered: Gathered) -> _Outcome:
    removed = gathered.twins()
    shown = shown_positions(removed)
    conflicts = {conflict.position: conflict for conflict in gathered.conflicts()}
    kinships = gathered.contained(), gathered.alike()
    wanted = {position for twin in removed for position in (twin.dropped, twin.kept)} | set(conflicts)
    wanted |= {position for several in kinships for one in several for position in (one.position, one.other)}
    named = {}
    for position, document in enumerate(gathered.documents() if wanted else ()):
        if position in wanted:
            named[position] = Named(document.id, document.name, document.text if position in shown else "", document.language)
    told = [LabelConflict(row=named[position].id, name=named[position].name, label=conflict.labels[0], other=conflict.other,
                          other_label=conflict.labels[1]) for position, conflict in conflicts.items()]
    contained, alike = ([Kin(row=named[one.position].id, name=named[one.position].name, other=named[one.other].id,
                             other_name=named[one.other].name, share=round(one.share, 4)) for one in several] for several in kinships)
    return _Outcome(removed, clusters_of(removed, named), told, (contained, alike), KeptRows(), set())


def _write_documents(making: Making, settings: DocumentsSettings, gathered: Gathered, outcome: _Outcome) -> None:
    """Write the rows that stay, in the order in which they were read, and record what becomes of each."""
    twins = {twin.dropped: twin for twin in outcome.removed}
    kept_names = {member.id: cluster for cluster in outcome.clusters for member in cluster.members}
    conflicts = {conflict.row: conflict for conflict in outcome.conflicts} if settings.label_conflicts == "drop" else {}
    record = making.ledger.record
    with whole_file(making.folder / "documents.jsonl") as file:
        for position, line in enumerate(gathered.lines()):
            document = Document.model_validate_json(line)
            # Edits of a row that goes as a copy stay in the artifact, and so does its label.
            outcome.permissions.add(document.permission)
            twin = twins.get(position)
            if twin:
                cluster = kept_names[document.id]
                record(Fate(row=document.id, name=document.name, what="dropped", cause=cluster.kept,
                            reason="exact duplicate" if twin.is_exact else "near duplicate",
                            detail=f"J = {twin.similarity:.3f} with {cluster.name}"))
            elif document.id in conflicts:
                conflict = conflicts[document.id]
                record(Fate(row=document.id, name=document.name, what="dropped", cause=conflict.other, reason="label conflict",
                            detail=f"It is labelled {conflict.label}, and the same text {conflict.other_label}. Correct one of them."))
            else:
                record(Fate(row=document.id, name=document.name, what="kept", reason="fit"))
                outcome.rows.add(document)
                file.write(line)


def _nothing_left(settings: DocumentsSettings, ledger: Ledger) -> str:
    reasons = ", ".join(f"{reason} {count}" for reason, count in ledger.reasons("dropped").items())
    first = next(fate for fate in ledger.fates if fate.what == "dropped")
    paths = ", ".join(source.path for source in settings.listed)
    return (f"documents.sources {paths}: none of {ledger.counts()['in']} texts can be used; dropped: {reasons}. "
            f"First: {first.name}: {first.detail}")


def _tell(making: Making, report: Report, removed: Sequence[Twin], duplicates: int) -> None:
    exact = sum(twin.is_exact for twin in removed)
    largest = max(map(int, report.clusters_by_size), default=0)
    making.counts.update(characters=report.characters, clusters=report.clusters, exact_duplicates=exact, near_duplicates=duplicates - exact,
                         emails_masked=report.emails_masked, rows_edited=report.edited)
    making.facts.update(largest_cluster=largest)
    making.events.step(STAGE, done=1, total=1)
    making.events.note(STAGE, "documents.summary", rows=report.read, kept=report.kept, duplicates=duplicates, clusters=report.clusters,
                       largest=largest, others=report.read - report.kept - duplicates, emails=report.emails_masked)


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, default=lambda record: record.model_dump()) + "\n"
