"""What the data holds, in lines for a person before the long work begins: from the reports of documents and dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tutelage.core.language import catalogue, text
from tutelage.core.store import Artifact
from tutelage.dataset.page import reason_name as dataset_reason
from tutelage.dataset.report import PARTS, LeakRow
from tutelage.dataset.report import Report as DatasetReport
from tutelage.documents.page import reason_name as documents_reason
from tutelage.documents.report import Report as DocumentsReport

COLUMNS, BAR = 12, 40


def overview(documents: Artifact | None, dataset: Artifact | None, language: str) -> list[str]:
    """Rows kept, dropped and masked by reason, duplicates, languages, types, token lengths and the leak table; then the pages."""
    lines: list[str] = []
    if documents is not None:
        lines += _documents(DocumentsReport.model_validate_json(documents.file("report.json").read_text("utf-8")), language)
    if dataset is not None:
        lines += _dataset(DatasetReport.model_validate_json(dataset.file("report.json").read_text("utf-8")), language)
    pages = [str(made.file(f"report.{language}.html")) for made in (documents, dataset) if made is not None]
    return [*lines, *(text("run.overview_page", language, path=path) for path in pages)]


def _documents(report: DocumentsReport, language: str) -> Iterator[str]:
    yield text("run.overview_documents", language, read=report.read, kept=report.kept, dropped=report.read - report.kept,
               masked=report.emails_masked)
    names = {reason: text("run.overview_name", language, **documents_reason(reason)) for reason in report.dropped}
    yield from _counted("run.overview_dropped", {names[reason]: count for reason, count in report.dropped.items()}, language)
    yield from _counted("run.overview_changed", {_name("documents.rule", rule, language): count for rule, count in report.tidied.items()},
                        language)
    yield from _counted("run.overview_languages", {_name("documents.language", spoken, language): count
                                                   for spoken, count in report.languages.items()}, language)
    if report.clusters_by_size:
        sizes = [text("run.overview_cluster", language, size=size, count=count) for size, count in report.clusters_by_size.items()]
        yield text("run.overview_clusters", language, counts=", ".join(sizes))


def _dataset(report: DatasetReport, language: str) -> Iterator[str]:
    yield text("run.overview_dataset", language, **{part: report.rows[part] for part in PARTS})
    yield from _counted("run.overview_dropped", {dataset_reason(reason, language): count for reason, count in report.dropped.items()},
                        language)
    yield from _counted("run.overview_types", {_name("text.clause_type", key, language): sum(parts.values())
                                               for key, parts in report.types.items()}, language)
    yield from _histogram(report.tokens, report.context_length, language)
    for row in report.leak_table:
        yield _leaks(row, language)


def _name(family: str, name: str, language: str) -> str:
    """What something is called; a rule of the recipe keeps its own name."""
    key = f"{family}.{name.replace(' ', '_')}"
    return text(key, language) if key in catalogue() else name


def _counted(key: str, counts: Mapping[str, int], language: str) -> Iterator[str]:
    """One line of all counts, the greatest first; none where there is nothing to count."""
    if counts:
        ordered = sorted(counts.items(), key=lambda item: -item[1])
        yield text(key, language, counts=", ".join(f"{name} {count:,}" for name, count in ordered))


def _histogram(tokens: tuple[int, ...], limit: int | None, language: str) -> Iterator[str]:
    """How many rows have how many tokens, a line a column, with the line beyond which rows are too long."""
    if not tokens:
        return
    over = sum(count > limit for count in tokens) if limit else 0
    yield text("run.overview_tokens", language, rows=len(tokens), median=sorted(tokens)[len(tokens) // 2], longest=max(tokens))
    width = -(-max(max(tokens), limit or 0) // COLUMNS)
    columns = [sum(width * place < count <= width * (place + 1) for count in tokens) for place in range(COLUMNS)]
    for place, count in enumerate(columns):
        is_limit = limit is not None and width * place < limit <= width * (place + 1)
        mark = text("run.overview_limit", language, limit=limit, over=over) if is_limit else ""
        if count or mark:
            bar = "#" * -(-BAR * count // max(columns))
            yield f"    {width * place + 1:>6}-{width * (place + 1):<6} {bar:<{BAR}} {count:>6,} {mark}".rstrip()


def _leaks(row: LeakRow, language: str) -> str:
    return text("run.overview_leaks", language, split_key=f"run.overview_split_{row.split}", held_out=row.held_out, at_80=100 * row.at_80,
                at_50=100 * row.at_50)
