"""Judges two models from anywhere on rows from anywhere: the page, the numbers and the verdict of the scores, without a recipe."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from tutelage.core.errors import GateClosed, InputError
from tutelage.core.events import Events, Listener
from tutelage.core.language import text
from tutelage.core.records import GateDecision
from tutelage.core.store import Artifact, Making, Store, content_id
from tutelage.pipeline.judge_models import Model, Named, bring
from tutelage.pipeline.judge_promptfoo import read_promptfoo
from tutelage.pipeline.judge_rows import Brought, fit_for, limits_of, read_rows_to_judge, read_trained_on
from tutelage.pipeline.referee import find_referee, referee_inputs
from tutelage.pipeline.runs import alone
from tutelage.pipeline.stages import BASE_CACHE
from tutelage.pipeline.yaml_tree import read_scalar
from tutelage.scores.inputs import Inputs
from tutelage.scores.make import judge as compare
from tutelage.scores.report import headline, spoken
from tutelage.scores.results import Limit
from tutelage.scores.settings import ScoresSettings

STAGE = "judged"
VERSION = 1
YAML = (".yaml", ".yml")
ROUGH_SECONDS = 0.5  # a row and model, on two cores with a small model


@dataclass(frozen=True)
class Asked:
    """What is to be judged. `trained_on` are rows that the candidate was trained on; None where they are not known."""

    base: Named
    candidate: Named
    rows: Path
    trained_on: Path | None = None
    changes: tuple[str, ...] = ()

    @property
    def command(self) -> str:
        """The command that asks the same."""
        words = ["tutelage", "judge"]
        for name, one in (("base", self.base), ("candidate", self.candidate)):
            words += [f"--{name}", one.what]
            words += [f"--{name}-model", one.model] if one.model else []
            words += [f"--{name}-format", one.chat_format] if one.chat_format else []
        words += ["--rows", str(self.rows), *(["--trained-on", str(self.trained_on)] if self.trained_on else [])]
        return shlex.join(words + [word for change in self.changes for word in ("--set", change)])


def judge(asked: Asked, work: Path, *, language: str = "en", listeners: Sequence[Listener] = ()) -> Artifact:
    """The artifact with page, numbers and verdict: work/judged/<id>. One of two folders or files that was made before is found again.

    A closed gate is in it, not raised. Raises InputError for models or rows that cannot be used, ServiceUnavailable for a service that
    does not answer.
    """
    cache = work / BASE_CACHE
    base = bring(asked.base, "base", cache=cache)
    candidate = bring(asked.candidate, "copy", cache=cache, beside=asked.base.what)
    formats = [candidate.candidate.chat_format, base.candidate.chat_format]
    formats += [format_ for one in (base, candidate) if (format_ := one.scored_as)]
    brought = fit_for(read_promptfoo(asked.rows) if asked.rows.suffix.lower() in YAML and asked.rows.is_file()
                      else read_rows_to_judge(asked.rows), formats)
    trained_on = read_trained_on(asked.trained_on) if asked.trained_on else None
    settings = _settings(asked, is_drafted_whole=bool(brought.checks) or any(one.candidate.is_served for one in (base, candidate)))
    prints = {"base": base.print, "candidate": candidate.print, "rows": brought.sha256, "language": language}
    if trained_on:
        prints["trained_on"] = trained_on.sha256
    prints |= referee_inputs(settings, work)
    with alone(work / STAGE):
        return _made(asked, (base, candidate), brought, trained_on, settings, prints, Store(work), Events(*listeners), language)


def closed(artifact: Artifact, language: str) -> GateClosed | None:
    """The error that a judgement stands for, None if the candidate is better and nothing else speaks against it."""
    decision = decision_of(artifact)
    if decision.is_open:
        return None
    key, facts = headline(decision, float(str(artifact.manifest.settings["alpha"])))
    step = text(spoken(decision.next_key, True), language, **decision.facts)
    return GateClosed(f"{text(spoken(key, True), language, **facts)} {step}")


def decision_of(artifact: Artifact) -> GateDecision:
    """The decision of a judgement."""
    return GateDecision.model_validate_json(artifact.file("gate.json").read_text("utf-8"))


def _made(asked: Asked, models: tuple[Model, Model], brought: Brought, trained_on: Brought | None, settings: ScoresSettings,
          prints: dict[str, str], store: Store, events: Events, language: str) -> Artifact:
    """The artifact of this question. A service may answer otherwise the next time, so it is always asked again."""
    is_served = any(model.candidate.is_served for model in models)
    take = 1
    while True:
        inputs = {**prints, "take": str(take)} if is_served else prints
        artifact_id = content_id(STAGE, version=VERSION, settings=settings, parents={}, inputs=inputs)
        found = store.look_up(STAGE, artifact_id)
        if found is None:
            break
        if not is_served:
            events.send(STAGE, "finished", "run.up_to_date", id=found.id, is_new=False, seconds=0.0)
            return found
        take += 1
    units = min(len(brought.rows), settings.held_out) + min(len(brought.rows), settings.drafts)
    events.send(STAGE, "started", "run.started", id=artifact_id, rough_seconds=2 * units * ROUGH_SECONDS)
    with store.making(STAGE, artifact_id, version=VERSION, recipe="", settings=settings, parents={}, inputs=inputs, events=events,
                      language=language) as making:
        _compare(making, asked, models, brought, trained_on)
    made = store.look_up(STAGE, artifact_id)
    assert made is not None
    events.send(STAGE, "finished", "run.made", id=made.id, is_new=True, seconds=made.manifest.seconds, **made.manifest.counts)
    return made


def _compare(making: Making, asked: Asked, models: tuple[Model, Model], brought: Brought, trained_on: Brought | None) -> None:
    making.ledger.rows_in(fate.row for fate in brought.left_out)
    for fate in brought.left_out:
        making.ledger.record(fate)
    assert isinstance(making.settings, ScoresSettings)
    base, candidate = models
    limits = list(limits_of(brought))
    if trained_on is None:
        limits.append(Limit(key="scores.limit.no_trained_on"))
    if len({row.clause_type for row in (trained_on.rows if trained_on else ())}) < 2 and any(row.clause_type for row in brought.rows):
        limits.append(Limit(key="scores.limit.no_types"))
    artifacts = {"base": base.identity, "candidate": candidate.identity, "rows": str(asked.rows)}
    if asked.trained_on:
        artifacts["trained_on"] = str(asked.trained_on)
    compare(making, Inputs(
        held_out=brought.rows, train=trained_on.rows if trained_on else (), seen_is_known=trained_on is not None, artifacts=artifacts,
        files={**{one.candidate.name: one.print for one in models if not one.candidate.is_served}, asked.rows.name: brought.sha256},
        checks=brought.checks, not_measured=tuple(limits), is_judged=True, repeat=asked.command),
        candidates=[base.candidate, candidate.candidate], referee=find_referee(making.settings))


def _settings(asked: Asked, *, is_drafted_whole: bool) -> ScoresSettings:
    """The settings of the scores, for models from anywhere: no repetition penalty, which no service shares, and no probes of memory."""
    values: dict[str, Any] = {"repetition_penalty": 1.0, "memory": "off"}
    if is_drafted_whole:
        values["drafts"] = ScoresSettings().held_out
    for change in asked.changes:
        key, equals, value = change.partition("=")
        if not equals:
            raise InputError(f"--set {change}: must be key=value, such as --set drafts=24.")
        values[key.strip().removeprefix("scores.")] = read_scalar(value)
    for key in ("beside", "outside", "outside_model"):
        if key in values:
            raise InputError(f"--set {key}: two models are judged here, and nothing beside them. Make the scores with a recipe for that.")
    if values["memory"] != "off":
        raise InputError("--set memory: what was trained on is not probed here. Make the scores with a recipe for that.")
    try:
        return ScoresSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        known = ", ".join(ScoresSettings.model_fields)
        raise InputError(f"--set {'.'.join(map(str, first['loc']))}: {first['msg']}. Settings are those of `scores`: {known}.") from None
