"""check, plan and make."""

from __future__ import annotations

import json
import signal
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import FrameType

from tutelage.cli.terminal import Terminal, clock, tell_result
from tutelage.core.copies import EVIDENCE, Copies
from tutelage.core.errors import Paused
from tutelage.core.language import failure, text
from tutelage.core.store import Artifact
from tutelage.pipeline.recipe import Loaded, load_recipe


def run_check(recipe: Path, changes: list[str]) -> None:
    """Print that the recipe is right, whether it ends with the training, and what gains nothing; or raise RecipeError with all its
    mistakes.
    """
    from tutelage.pipeline.checks import check
    from tutelage.pipeline.ends import why_it_ends
    from tutelage.pipeline.gains import what_gains_nothing

    loaded = load_recipe(recipe, changes=changes)
    check(loaded)
    for told in (why_it_ends(loaded, loaded.recipe.language), what_gains_nothing(loaded, loaded.recipe.language)):
        if told:
            tell_result(told)
    tell_result(text("run.recipe_right", loaded.recipe.language, recipe=recipe))


def run_plan(recipe: Path, changes: list[str], *, until: str | None, work: Path, language: str | None, as_json: bool,
             with_data: bool, with_probe: bool) -> None:
    """Print each stage with its id and rough time; with the data, also what documents and dataset hold, which are made for it.

    With the probe, which needs the data, also what the training would take.
    """
    from tutelage.pipeline.checks import check
    from tutelage.pipeline.conduct import plan
    from tutelage.pipeline.gains import what_gains_nothing
    from tutelage.pipeline.searched import foresee_search, searched

    loaded = load_recipe(recipe, changes=changes)
    check(loaded)
    tongue = language or loaded.recipe.language
    planned = plan(loaded, work, until=until)
    for row in planned:
        if as_json:
            tell_result(json.dumps(asdict(row)))
        else:
            key = "run.plan_made" if row.is_made else "run.plan_line"
            tell_result(text(key, tongue, stage=f"{row.stage:<10}", id=row.id, time=clock(row.rough_seconds)))
    if not as_json:
        tell_result(text("run.plan_total", tongue, time=clock(sum(row.rough_seconds for row in planned))))
        if told := what_gains_nothing(loaded, tongue):
            tell_result(told)
    tries = foresee_search(loaded, work) if any(row.stage == "model" and not row.is_made for row in planned) else []
    for line in [json.dumps({"stage": "model", "tries": [asdict(one) for one in tries]})] if as_json and tries else searched(tries, tongue):
        tell_result(line)
    if with_data:
        stages = [row.stage for row in planned]
        _tell_data(loaded, work, stages, tongue, as_json=as_json)
        if with_probe and "training" in stages:
            _tell_promise(loaded, work, tongue, as_json=as_json)


def _tell_data(loaded: Loaded, work: Path, stages: list[str], tongue: str, *, as_json: bool) -> None:
    """Make the stages of the data that are asked for, and tell what they hold."""
    from tutelage.pipeline.conduct import make
    from tutelage.pipeline.overview import overview

    with Terminal(tongue) as terminal:
        made = make(loaded, work, until="dataset" if "dataset" in stages else "documents", language=tongue, listeners=[terminal]).artifacts
    if as_json:
        for stage, artifact in made.items():
            report = json.loads(artifact.file("report.json").read_text("utf-8"))
            tell_result(json.dumps({"stage": stage, "id": artifact.id, "report": report}, ensure_ascii=False))
        return
    for line in overview(made["documents"], made.get("dataset"), tongue):
        tell_result(line)


def _tell_promise(loaded: Loaded, work: Path, tongue: str, *, as_json: bool) -> None:
    """Probe the training, unless it is made, and tell what is promised of it and what was chosen for it."""
    from tutelage.pipeline.promised import foresee_training, promised

    with Terminal(tongue) as terminal:
        settled = foresee_training(loaded, work, language=tongue, listeners=[terminal])
    if settled is None:
        return
    if as_json:
        tell_result(json.dumps({"stage": "training", **settled.model_dump(mode="json")}, ensure_ascii=False))
        return
    for line in promised(settled, tongue):
        tell_result(line)


def run_make(recipe: Path, changes: list[str], *, until: str | None, work: Path, language: str | None) -> None:
    """Make the stages; raise GateClosed at the end if the gate is closed."""
    from tutelage.pipeline.conduct import make

    loaded = load_recipe(recipe, changes=changes)
    tongue = language or loaded.recipe.language
    signal.signal(signal.SIGTERM, _pause)
    with Terminal(tongue) as terminal:
        done = make(loaded, work, until=until, language=tongue, listeners=[terminal])
    for stage, artifact in done.artifacts.items():
        tell_result(f"{stage} {artifact.id} {artifact.folder}")
    _tell_front(done.artifacts, tongue)
    if done.closed:
        raise done.closed
    folders = {stage: artifact.folder for stage, artifact in done.artifacts.items()}
    tell_result(next_step(folders, recipe, tongue, task=loaded.recipe.training.task))


def _tell_front(made: Mapping[str, Artifact], tongue: str) -> None:
    """Print the copies that nobody beats, where several were tried under a target."""
    from tutelage.scores.page_copies import front_lines

    model = made.get("model")
    if model is None or EVIDENCE not in model.manifest.files:
        return
    copies = Copies.model_validate_json(model.file(EVIDENCE).read_text("utf-8"))
    for line in front_lines(copies, tongue) if copies.target else ():
        tell_result(line)


def next_step(made: Mapping[str, Path], recipe: Path, language: str, *, task: str) -> str:
    """What to do after a run that made these stages (with their folders): serve, make what is left, or take the classifier, after
    which nothing is left.
    """
    if "endpoint" in made:
        return text("run.next_serve", language, recipe=recipe)
    if task != "classification":
        return text("run.next_make", language, recipe=recipe)
    if "training" not in made:
        return text("run.next_make", language, recipe=f"{recipe} --until training")
    return text("run.next_classifier", language, folder=made["training"] / "classifier")


def _pause(signum: int, frame: FrameType | None) -> None:
    raise failure(Paused, "run.error.paused")
