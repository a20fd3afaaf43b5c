"""moderation: trains the small model of harm on labelled texts of the user's own; the service answers with it from its next start."""

from __future__ import annotations

from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.language import text
from tutelage.guard.moderation import CATEGORIES, MODEL_FILE
from tutelage.guard.moderation_model import write_model
from tutelage.guard.moderation_rows import read_rows
from tutelage.guard.moderation_training import train


def run_moderation(files: list[Path], *, work: Path, language: str) -> None:
    """Train on all rows of the files and write the model into the work folder."""
    rows = [row for path in files for row in read_rows(path, CATEGORIES)]
    model = train(rows)
    write_model(model, work / MODEL_FILE)
    for head in model.heads:
        tell_result(text("moderation.head", language, category=head.category, script=head.language, positives=head.positives,
                         negatives=head.negatives, threshold=f"{head.threshold:.2f}"))
    tell_result(text("moderation.trained", language, name=model.name, rows=len(rows), path=work / MODEL_FILE))
