"""judge: is a candidate better than its base? Models and rows from anywhere; page, numbers and verdict as the scores give them."""

from __future__ import annotations

import json
from pathlib import Path

from tutelage.cli.terminal import Terminal, tell_result
from tutelage.core.language import text
from tutelage.pipeline.judge import Asked, closed, decision_of, judge


def run_judge(asked: Asked, *, work: Path, language: str | None, as_json: bool) -> None:
    """Print the verdict and where the page is; raise GateClosed if the candidate was not shown to be better."""
    tongue = language or "en"
    with Terminal(tongue) as terminal:
        made = judge(asked, work, language=tongue, listeners=[terminal])
    page = made.folder / f"report.{tongue}.html"
    if as_json:
        tell_result(json.dumps({"id": made.id, "folder": str(made.folder), "page": str(page), **decision_of(made).model_dump()},
                               ensure_ascii=False))
    else:
        tell_result(text("run.judged", tongue, id=made.id, page=page))
    error = closed(made, tongue)
    if error:
        raise error
