"""show: artifacts, scores, and a batch as it is trained."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tutelage.cli.rows import STAGES, show_row, show_uses
from tutelage.cli.terminal import fact_text, tell_result
from tutelage.core.copies import EVIDENCE, Copies
from tutelage.core.errors import InputError
from tutelage.core.files import read_rows
from tutelage.core.language import text
from tutelage.core.records import Deployment, Score
from tutelage.core.store import Artifact, Store
from tutelage.endpoint.overrides import told
from tutelage.scores.costs import COSTS, cost_line
from tutelage.scores.page_copies import copies_lines
from tutelage.scores.page_referee import referee_lines
from tutelage.scores.plot_results import Cost
from tutelage.scores.results import Report

PREVIEW = "batch.jsonl"
REPORT = "report.json"


def run_show(what: str | None, which: str | None, *, work: Path, language: str | None, as_json: bool) -> None:
    """Dispatch on what is asked."""
    tongue, store = language or "en", Store(work)
    if what == "row":
        show_row(store, which, tongue, as_json)
    elif what == "uses":
        show_uses(work, which, tongue, as_json)
    elif what == "batch":
        _show_batch(store, tongue, as_json)
    elif what is None:
        _show_all(store, tongue, as_json)
    else:
        _show_artifact(store, what, tongue, as_json)


def _show_all(store: Store, tongue: str, as_json: bool) -> None:
    newest = [artifact for stage in STAGES if (artifact := store.latest(stage))]
    if not newest:
        raise InputError(text("run.nothing", tongue, work=store.work))
    for artifact in newest:
        _tell_artifact(artifact, as_json)


def _show_artifact(store: Store, what: str, tongue: str, as_json: bool) -> None:
    artifact = store.latest(what) if what in STAGES else _by_id(store, what)
    if artifact is None:
        raise InputError(f"{what}: no such stage or artifact in {store.work}; stages are {', '.join(STAGES)}. "
                         "Run `tutelage show` for what there is.")
    if artifact.manifest.kind in ("scores", "judged"):
        _tell_scores(artifact, as_json)
        _tell_costs(artifact, tongue, as_json)
        _tell_judge(artifact, tongue, as_json)
        if not as_json:
            _tell_overrides(store, artifact, tongue)
        elif REPORT in artifact.manifest.files:
            tell_result(json.dumps({"report": json.loads(artifact.file(REPORT).read_text("utf-8"))}, ensure_ascii=False))
        return
    _tell_artifact(artifact, as_json)
    _tell_copies(artifact, tongue, as_json)
    if not as_json:
        dropped = [fate for fate in artifact.history() if fate.what == "dropped"]
        reasons: dict[str, int] = {}
        for fate in dropped:
            reasons[fate.reason] = reasons.get(fate.reason, 0) + 1
        for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
            tell_result(f"  dropped {count:,}: {reason}")
        if (page := f"report.{tongue}.html") in artifact.manifest.files:
            tell_result(text("run.overview_page", tongue, path=artifact.file(page)))


def _by_id(store: Store, artifact_id: str) -> Artifact | None:
    for stage in STAGES:
        matches = [artifact for artifact in store.all(stage) if artifact.id.startswith(artifact_id)]
        if matches:
            return matches[-1]
    return None


def _tell_artifact(artifact: Artifact, as_json: bool) -> None:
    manifest = artifact.manifest
    if as_json:
        tell_result(manifest.model_dump_json())
        return
    counts = ", ".join(f"{name} {count:,}" for name, count in manifest.counts.items())
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(manifest.made_at))
    tell_result(f"{manifest.kind:<10} {manifest.id}  {made}  {manifest.seconds:.0f} s  {counts}")
    for name, value in manifest.facts.items():
        tell_result(f"  {name} {fact_text(value)}")


def _tell_scores(artifact: Artifact, as_json: bool) -> None:
    names = [name for name in ("scores.jsonl", "beside.jsonl") if name in artifact.manifest.files]
    for score in (score for name in names for score in read_rows(artifact.file(name), Score)):
        if as_json:
            tell_result(score.model_dump_json())
            continue
        line = f"{score.candidate:<10} {score.metric:<22} {score.value:.4f} [{score.low:.4f}, {score.high:.4f}] (n = {score.n})"
        if score.versus and score.difference is not None:
            low, high = score.difference_low, score.difference_high
            interval = f" [{low:+.4f}, {high:+.4f}]" if low is not None and high is not None else ""
            line += f"  against {score.versus}: {score.difference:+.4f}{interval} {score.verdict or ''}"
        tell_result(line.rstrip())


def _tell_judge(artifact: Artifact, tongue: str, as_json: bool) -> None:
    """Print what the judge model said, and what it is worth; nothing without one."""
    if "judge.jsonl" not in artifact.manifest.files:
        return
    found = Report.model_validate_json(artifact.file(REPORT).read_text("utf-8")).judge
    assert found is not None
    for line in [json.dumps({"judge": found.model_dump()}, ensure_ascii=False)] if as_json else referee_lines(found, tongue):
        tell_result(line)


def _tell_copies(artifact: Artifact, tongue: str, as_json: bool) -> None:
    """Print what was measured of the copies of a model; nothing where that was not asked for."""
    if EVIDENCE not in artifact.manifest.files:
        return
    found = Copies.model_validate_json(artifact.file(EVIDENCE).read_text("utf-8"))
    for line in [copy.model_dump_json() for copy in found.copies] if as_json else copies_lines(found, tongue):
        tell_result(line)


def _tell_costs(artifact: Artifact, tongue: str, as_json: bool) -> None:
    """Print what each candidate took; nothing where it was not measured."""
    if COSTS not in artifact.manifest.files:
        return
    for one in read_rows(artifact.file(COSTS), Cost):
        tell_result(one.model_dump_json() if as_json else cost_line(one, tongue))


def _tell_overrides(store: Store, scores: Artifact, tongue: str) -> None:
    """Print who answered for the model that was deployed on these scores."""
    for made in store.all("endpoint"):
        deployment = Deployment.model_validate_json(made.file("deployment.json").read_text("utf-8"))
        if deployment.scores_id == scores.id:
            for line in told(deployment.overrides, tongue):
                tell_result(line)


def _show_batch(store: Store, tongue: str, as_json: bool) -> None:
    training = store.latest("training")
    if training is None:
        raise InputError(f"{store.work}: nothing has been trained yet. Run `tutelage make RECIPE --until training`.")
    if not as_json:
        tell_result(text("run.batch_head", tongue))
    for line in training.file(PREVIEW).read_text("utf-8").splitlines():
        if as_json:
            tell_result(line)
            continue
        row = json.loads(line)
        pieces = "".join(f"[[{piece['text']}]]" if piece["trained"] else piece["text"] for piece in row["pieces"])
        tell_result(text("run.batch_row", tongue, row=row["id"], tokens=row["tokens"], trained=row["trained"], pieces=pieces))
