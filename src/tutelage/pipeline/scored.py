"""The newest scores with the rows that they rest on: for what is made of them afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tutelage.core.chat import FORMATS, ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.records import Example
from tutelage.core.store import Artifact, Store
from tutelage.scores.results import Report, RowMeasure


@dataclass(frozen=True)
class Scored:
    """A scores artifact, its report, the rows that were scored in their order, and what each candidate got on them."""

    artifact: Artifact
    report: Report
    examples: tuple[Example, ...]
    rows: dict[str, list[RowMeasure]]

    @property
    def chat_format(self) -> ChatFormat:
        """The format in which the candidates were asked. Raises InputError for one that is not known by its name."""
        if self.report.chat_format not in FORMATS:
            raise InputError(f"{self.artifact.folder}: its chat format {self.report.chat_format!r} is none of {', '.join(FORMATS)}.")
        return FORMATS[self.report.chat_format]


def newest_scored(work: Path) -> Scored:
    """The newest scores under a work folder. Raises InputError if there are none, ArtifactError if their dataset is gone."""
    store = Store(work)
    artifact = store.latest("scores")
    if artifact is None:
        raise InputError(f"{work}: holds no scores yet. Run `tutelage make RECIPE --until scores` first.")
    report = Report.model_validate_json(artifact.file("report.json").read_text("utf-8"))
    dataset = store.look_up("dataset", artifact.manifest.parents["dataset"])
    if dataset is None:
        raise InputError(f"{artifact.folder}: its dataset {artifact.manifest.parents['dataset']} is gone from {work}. "
                         "Make the scores again.")
    rows: dict[str, list[RowMeasure]] = {name: [] for name in report.candidates}
    for row in read_rows(artifact.file("rows.jsonl"), RowMeasure):
        rows[row.candidate].append(row)
    by_id = {row.id: row for row in read_rows(dataset.file("examples.jsonl"), Example)}
    return Scored(artifact, report, tuple(by_id[row.row] for row in rows[report.decision.versus]), rows)
