"""Makes the artifact `documents`: documents.jsonl, clusters.json, report.json, and the fate of every row that was read."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import write_rows, write_whole
from tutelage.core.history import Fate, Ledger
from tutelage.core.records import Document
from tutelage.core.store import Making
from tutelage.documents import sources
from tutelage.documents.clean import Cleaned, Dropped, clean
from tutelage.documents.dedupe import Twin, twins
from tutelage.documents.readers import read
from tutelage.documents.report import clusters_of, report_of
from tutelage.documents.settings import DocumentsSettings

STAGE = "documents"
# A step that removes more than this share of its rows is worth a look.
MUCH = 0.2
# The search for near-duplicates takes about a third as long as reading and cleaning (licensedcode-data, 2,310 files).
DEDUPE_UNITS = 1 / 3


def fingerprint(settings: DocumentsSettings, root: Path) -> dict[str, str]:
    """Each source -> SHA-256 over the names and bytes of its files. Raises InputError for a source that matches nothing."""
    return sources.fingerprint(settings.listed, root)


def make(making: Making, *, root: Path) -> None:
    """Read, clean and de-duplicate the sources; relative ones are looked for below `root`, the recipe's folder.

    Raises InputError if a source matches nothing, or if no document is left.
    """
    settings = DocumentsSettings.model_validate(making.settings)
    making.permissions = tuple(sorted({source.permission for source in settings.listed}))
    cleaned = _cleaned(making, settings, root)
    documents = [one.outcome for one in cleaned if isinstance(one.outcome, Document)]
    _warn_of_much(making, cleaned)
    removed = twins(documents, settings.near_duplicate)
    _record_twins(making.ledger, documents, removed)
    gone = {twin.dropped for twin in removed}
    kept = [document for position, document in enumerate(documents) if position not in gone]
    if len(removed) > MUCH * len(documents):
        making.events.warning(STAGE, "documents.many_duplicates", removed=len(removed), rows=len(documents),
                              threshold=settings.near_duplicate)
    if not kept:
        raise InputError(_nothing_left(settings, making.ledger))
    _write(making, cleaned, documents, kept, removed)


def _cleaned(making: Making, settings: DocumentsSettings, root: Path) -> list[Cleaned]:
    files = [file for found in sources.find(settings.listed, root) for file in found.files]
    total = len(files) * (1 + DEDUPE_UNITS)
    cleaned: list[Cleaned] = []
    for number, file in enumerate(files):
        if number % 50 == 0:
            making.events.step(STAGE, done=number, total=total)
        for row in read(file):
            making.ledger.rows_in([row.id])
            cleaned.append(clean(row, settings))
            _record(making.ledger, cleaned[-1])
    making.events.step(STAGE, done=len(files), total=total)
    guessed = [one.row.name for one in cleaned if one.row.is_guess]
    if guessed:
        making.events.warning(STAGE, "documents.guessed_encoding", files=len(guessed), first=guessed[0])
    return cleaned


def _record(ledger: Ledger, one: Cleaned) -> None:
    row = one.row
    if row.is_guess:
        ledger.record(Fate(row=row.id, name=row.name, what="edited", reason="encoding guessed", detail=row.encoding))
    if one.changes:
        ledger.record(Fate(row=row.id, name=row.name, what="edited", reason="tidied",
                           detail=", ".join(f"{name} {count}" for name, count in one.changes.items())))
    if one.spans:
        ledger.record(Fate(row=row.id, name=row.name, what="masked", reason="email", detail=", ".join(
            f"{span.placeholder} {span.kind} at {span.start} length {span.length}" for span in one.spans)))
    if isinstance(one.outcome, Dropped):
        ledger.record(Fate(row=row.id, name=row.name, what="dropped", reason=one.outcome.reason, detail=one.outcome.detail))


def _record_twins(ledger: Ledger, documents: Sequence[Document], removed: Sequence[Twin]) -> None:
    by_position = {twin.dropped: twin for twin in removed}
    for position, document in enumerate(documents):
        twin = by_position.get(position)
        if twin is None:
            ledger.record(Fate(row=document.id, name=document.name, what="kept", reason="fit"))
            continue
        kept = documents[twin.kept]
        ledger.record(Fate(row=document.id, name=document.name, what="dropped", cause=kept.id,
                           reason="exact duplicate" if twin.is_exact else "near duplicate",
                           detail=f"J = {twin.similarity:.3f} with {kept.name}"))


def _warn_of_much(making: Making, cleaned: Sequence[Cleaned]) -> None:
    reasons = Counter(one.outcome.reason for one in cleaned if isinstance(one.outcome, Dropped))
    for reason, removed in reasons.most_common():
        if removed > MUCH * len(cleaned):
            making.events.warning(STAGE, "documents.many_dropped", removed=removed, rows=len(cleaned), reason=reason)


def _nothing_left(settings: DocumentsSettings, ledger: Ledger) -> str:
    dropped = [fate for fate in ledger.fates if fate.what == "dropped"]
    reasons = ", ".join(f"{reason} {count}" for reason, count in ledger.reasons("dropped").items())
    paths = ", ".join(source.path for source in settings.listed)
    return (f"documents.sources {paths}: none of {len(dropped)} texts can be used; dropped: {reasons}. "
            f"First: {dropped[0].name}: {dropped[0].detail}")


def _write(making: Making, cleaned: Sequence[Cleaned], documents: Sequence[Document], kept: Sequence[Document],
           removed: Sequence[Twin]) -> None:
    clusters = clusters_of(documents, removed)
    write_rows(making.folder / "documents.jsonl", kept)
    write_whole(making.folder / "clusters.json", _json(clusters))
    write_whole(making.folder / "report.json", _json(report_of(cleaned, kept, clusters, making.ledger)))
    exact = sum(twin.is_exact for twin in removed)
    largest = clusters[0].size if clusters else 0
    making.counts.update(characters=sum(len(document.text) for document in kept), clusters=len(clusters), exact_duplicates=exact,
                         near_duplicates=len(removed) - exact, emails_masked=sum(len(one.spans) for one in cleaned))
    making.facts.update(largest_cluster=largest)
    making.events.step(STAGE, done=1, total=1)
    making.events.note(STAGE, "documents.summary", rows=len(cleaned), kept=len(kept), duplicates=len(removed), clusters=len(clusters),
                       largest=largest, others=len(cleaned) - len(documents), emails=making.counts["emails_masked"])


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, default=lambda record: record.model_dump()) + "\n"
