"""review and tasks: a blind sample of drafts for people, and the scored rows as tasks for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.language import text
from tutelage.core.records import ApprovedRow
from tutelage.core.store import Store
from tutelage.pipeline.scored import newest_scored


def run_sample(count: int, *, work: Path, language: str | None) -> None:
    """Write the sheet of the newest scores, and say what to do with it."""
    from tutelage.scores.sample import SAMPLES, SHEET, write_sample

    scored = newest_scored(work)
    folder, decision = work / SAMPLES / scored.artifact.id, scored.report.decision
    made = write_sample(folder, scored.rows, scored.examples, scores=scored.artifact.id, base=decision.versus, candidate=decision.candidate,
                        count=count, seed=int(scored.report.settings["seed"]))
    tell_result(text("review.sample", language or "en", drafts=2 * made, clauses=made, sheet=folder / SHEET))


def run_tally(folder: Path | None, *, work: Path, language: str | None, as_json: bool) -> None:
    """Print what people said of the newest sample, or of the one in `folder`."""
    from tutelage.scores.sample import SAMPLES, tally_sample

    if folder is None:
        made = sorted((work / SAMPLES).glob("*/key.json"), key=lambda path: path.stat().st_mtime)
        if not made:
            raise InputError(f"{work}: holds no sample yet. Make one with `tutelage review sample 20`.")
        folder = made[-1].parent
    found, tongue = tally_sample(folder), language or "en"
    if as_json:
        tell_result(found.model_dump_json())
        return
    for one in found.shares:
        share = f"{one.acceptable / one.n:.0%}" if one.n else "-"
        tell_result(text("review.share", tongue, candidate=one.candidate, acceptable=one.acceptable, n=one.n, share=share, low=one.low,
                         high=one.high))
    if found.verdict:
        tell_result(text("review.difference", tongue, difference=100 * (found.difference or 0), low=100 * (found.difference_low or 0),
                         high=100 * (found.difference_high or 0), n=found.pairs,
                         verdict_key=f"scores.verdict.{found.verdict.replace(' ', '_')}"))
    if found.left:
        tell_result(text("review.left", tongue, left=found.left))


def run_edits(*, work: Path, language: str | None, as_json: bool) -> None:
    """Print, by model, how far approved drafts were from what was accepted."""
    from tutelage.scores.accepted import accepted_edits

    rows = [row for made in Store(work).all("reviews") for row in read_rows(made.file("rows.jsonl"), ApprovedRow)]
    if not rows:
        raise InputError(f"{work}: holds no approved drafts yet. They come when a second person approves a draft on the page /reviews.")
    tongue = language or "en"
    for one in accepted_edits(rows):
        if as_json:
            tell_result(one.model_dump_json())
            continue
        tell_result(text("review.edits", tongue, model=one.model, n=one.n, unchanged=one.unchanged, characters=one.characters, low=one.low,
                         high=one.high))
        if one.words is not None:
            tell_result(text("review.edits_words", tongue, words=one.words, n=one.english))


def run_tasks(folder: Path, *, work: Path, model: Path | None, limit: int | None, language: str | None, as_json: bool) -> None:
    """Write the tasks of the newest scores; with a model, run them in lm-evaluation-harness and print its figures."""
    from tutelage.scores.exports import export_tasks
    from tutelage.scores.harness import run_lm_eval

    scored = newest_scored(work)
    made = export_tasks(folder, scored.examples, scored.chat_format, most_draft_tokens=int(scored.report.settings["max_draft_tokens"]))
    if model is None:
        tell_result(text("review.tasks", language or "en", folder=folder, rows=made.rows, items=made.items, left_out=len(made.left_out)))
        return
    for one in run_lm_eval(folder, model, limit=limit):
        tell_result(json.dumps(one.model_dump()) if as_json else f"{one.task:<20} {one.metric:<18} {one.value:.4f} (n = {one.n})")
