"""Which documents become rows of which task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tutelage.core.records import ConfirmedLabel, Document, Kind, Task
from tutelage.dataset.examples import Candidate, Left, clauses_of
from tutelage.dataset.settings import DatasetSettings
from tutelage.dataset.tasks_rows import conversation, edited, judged, labelled, named, pair, passages, recognised

ANOTHER_TASK = "another task"
GROUP_FIELDS = ("contract", "agreement", "document", "document_id", "doc_id", "law", "file")

Labels = Mapping[str, ConfirmedLabel]
Maker = Callable[[Document, DatasetSettings, Labels], list[Candidate | Left]]

MAKERS: dict[Task, dict[Kind, Maker]] = {
    "clause": {"text": clauses_of, "clause": labelled},
    "instruction": {"messages": conversation},
    "pretraining": {"text": passages, "messages": passages, "preference": passages, "feedback": passages, "clause": passages,
                    "edit": passages},
    "classification": {"text": recognised, "clause": named},
    "preference": {"preference": pair, "edit": edited},
    "feedback": {"feedback": judged},
}
# What "auto" makes of a collection: all tasks of the first group that it has documents for.
AUTO: tuple[tuple[Task, ...], ...] = (("clause", "instruction"), ("preference",), ("feedback",))


@dataclass(frozen=True)
class Plan:
    """What each kind of document becomes. A kind without a maker is left out."""

    makers: Mapping[Kind, Maker] = field(default_factory=dict)

    def rows(self, document: Document, settings: DatasetSettings, labels: Labels) -> list[Candidate | Left]:
        """The rows of a document; one that is left out whole stands for itself, under its own id."""
        if document.kind not in self.makers:
            return [Left(document.id, ANOTHER_TASK)]
        if document.language not in ("en", "zh"):
            return [Left(document.id, "other language")]
        return self.makers[document.kind](document, settings, labels)


def plan_for(documents: Sequence[Document], settings: DatasetSettings) -> Plan:
    """The asked task, or for "auto" what the kinds of the documents call for."""
    if settings.task != "auto":
        return Plan(MAKERS[settings.task])
    kinds = {document.kind for document in documents}
    for tasks in AUTO:
        makers = {kind: maker for task in tasks for kind, maker in MAKERS[task].items()}
        if kinds & makers.keys():
            return Plan(makers)
    return Plan()


def groups_of(documents: Sequence[Document], settings: DatasetSettings) -> dict[str, str]:
    """For each document the name of the one that it belongs to: its contract where a field of the row names one; its file where
    that also gave paragraphs with tracked changes; else itself.
    """
    fields = (settings.group_by,) if settings.group_by else GROUP_FIELDS
    revised = {document.source_sha256 for document in documents if document.kind == "edit"}
    groups = {}
    for document in documents:
        named_by = next((document.metadata[name] for name in fields if document.metadata.get(name)), "")
        groups[document.id] = f"{document.source}\n{named_by}" if named_by else (
            document.source_sha256 if document.source_sha256 in revised else document.id)
    return groups
