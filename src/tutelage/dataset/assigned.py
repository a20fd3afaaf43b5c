"""What earlier datasets decided: a document keeps its part for ever, and a row that was held out stays held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.files import read_rows, short_hash
from tutelage.core.records import Document, Part, Record
from tutelage.core.store import Artifact, Store
from tutelage.dataset.settings import DatasetSettings

ASSIGNED = "assigned.jsonl"
# What was measured with is never trained on: where parts differ, the first of these wins.
PRECEDENCE: tuple[Part, ...] = ("held_out", "validation", "train")
INPUT = "assigned"


class Assigned(Record):
    """A line of assigned.jsonl: the part of a document, known by its text and its name, and what was drawn from it to measure with.

    `drawn` are fingerprints of the texts of its held-out or validation rows.
    """

    text: str
    name: str
    part: Part
    drawn: tuple[str, ...] = ()


@dataclass(frozen=True)
class Memory:
    """The parts of all documents that an earlier dataset had, and the rows that it drew."""

    by_text: Mapping[str, Part] = field(default_factory=dict)
    by_name: Mapping[str, Part] = field(default_factory=dict)
    drawn: Mapping[str, Part] = field(default_factory=dict)

    def part_of(self, document: Document) -> Part | None:
        """The part that the document had: known by its text, or by its name if its text was corrected since."""
        return self.by_text.get(text_key(document.text)) or self.by_name.get(document.name)


def text_key(text: str) -> str:
    """A fingerprint of a text that white space and letter case do not change."""
    return short_hash(" ".join(text.lower().split()))


def remembered(work: Path, artifact_id: str, documents: Iterable[Document]) -> Memory:
    """What the dataset `artifact_id` assigned; "" for none. A name counts only where the text that had it is gone from `documents`:
    in a row file names are line numbers, and another row may stand there now.
    """
    artifact = Store(work).look_up("dataset", artifact_id) if artifact_id else None
    if artifact is None:
        return Memory()
    rows = list(read_rows(artifact.file(ASSIGNED), Assigned))
    present = {text_key(document.text) for document in documents}
    # Of equal texts in several parts the one that is measured with counts, so it is read last.
    rows.sort(key=lambda row: -PRECEDENCE.index(row.part))
    return Memory(by_text={row.text: row.part for row in rows}, by_name={row.name: row.part for row in rows if row.text not in present},
                  drawn={key: row.part for row in rows for key in row.drawn})


def base_of(settings: DatasetSettings, work: Path, *, recipe: str, documents: str, version: int, inputs: Mapping[str, str]) -> str:
    """The dataset whose assignments the next one continues, "" for none.

    If there is a dataset of the same documents, settings and inputs already, it is the one that that one continued, so that
    the same question gives the same dataset. Else it is the newest one of the recipe, task and seed.
    """
    earlier = [artifact for artifact in Store(work).all("dataset") if _is_continued(artifact, settings, recipe)]
    for artifact in reversed(earlier):
        its = dict(artifact.manifest.inputs)
        base = its.pop(INPUT, "")
        manifest = artifact.manifest
        if (manifest.settings, its, manifest.version) == (settings.model_dump(mode="json"), dict(inputs), version) \
                and manifest.parents.get("documents") == documents:
            return base
    return earlier[-1].id if earlier else ""


def _is_continued(artifact: Artifact, settings: DatasetSettings, recipe: str) -> bool:
    asked = settings.model_dump(mode="json")
    same = all(artifact.manifest.settings.get(key) == asked[key] for key in ("seed", "task"))
    return same and artifact.manifest.recipe == recipe and ASSIGNED in artifact.manifest.files


def assignments(documents: Sequence[Document], parts: Mapping[str, Part], drawn: Mapping[str, Sequence[str]]) -> list[Assigned]:
    """The lines of assigned.jsonl. `parts` is by document id; `drawn` gives the texts drawn from a document to measure with."""
    return [Assigned(text=text_key(document.text), name=document.name, part=parts[document.id],
                     drawn=tuple(sorted(text_key(text) for text in drawn.get(document.id, ()))))
            for document in documents if document.id in parts]
