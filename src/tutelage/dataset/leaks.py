"""The corpus's common stock: runs that stand in so many documents that they give no held-out row away."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tutelage.core.files import write_whole
from tutelage.core.records import Document, Example
from tutelage.text.leaks import BOILERPLATE, BOILERPLATE_DOCUMENTS, compared_text
from tutelage.text.similarity import Shingles, boilerplate_runs, long_runs_all


def common_to_many(documents: Sequence[Document], groups: Mapping[str, str]) -> Shingles:
    """Runs of 13 words (40 characters in Chinese) that stand in 10 documents or more. `groups` tells which rows are one document."""
    return boilerplate_runs([document.text for document in documents], [document.language for document in documents],
                            [groups[document.id] for document in documents], at_least=BOILERPLATE_DOCUMENTS)


def write_common(folder: Path, rows: Sequence[Example], common: Shingles) -> int:
    """Write boilerplate.json: those runs that held-out rows hold, which whoever checks the dataset must pass over. Gives their number."""
    held_out = [row for row in rows if row.part == "held_out"]
    runs = long_runs_all([compared_text(row.task, row.messages, row.rejected) for row in held_out], [row.language for row in held_out])
    shared = np.intersect1d(np.concatenate(runs), common) if runs else common[:0]
    write_whole(folder / BOILERPLATE, json.dumps({"documents": BOILERPLATE_DOCUMENTS, "runs": shared.tolist()}) + "\n")
    return len(shared)
