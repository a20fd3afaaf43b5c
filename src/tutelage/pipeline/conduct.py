"""Makes the stages of a recipe in the order of the table; what is up to date is found again, not made again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tutelage.core.errors import GateClosed, InputError, TutelageError
from tutelage.core.events import Events, JsonLines, Listener
from tutelage.core.files import write_whole
from tutelage.core.language import failure
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store, content_id
from tutelage.pipeline.checks import check
from tutelage.pipeline.ends import why_it_ends
from tutelage.pipeline.recipe import Loaded, write_resolved
from tutelage.pipeline.runs import EVENTS, MADE, Made, alone, new_run, write_made
from tutelage.pipeline.stages import STAGES, Site, Stage, stage_settings
from tutelage.pipeline.trackers import Trackers
from tutelage.reviews.labels import export_labels
from tutelage.reviews.make import export


@dataclass(frozen=True)
class Planned:
    """A stage before the work: its id, whether it is already there, and roughly how long it takes on two cores."""

    stage: str
    id: str
    is_made: bool
    rough_seconds: float


@dataclass
class Conducted:
    """What a run gave: the artifacts by stage, and the closed gate if it was closed."""

    artifacts: dict[str, Artifact] = field(default_factory=dict)
    closed: GateClosed | None = None


def plan(loaded: Loaded, work: Path, *, until: str | None = None) -> list[Planned]:
    """What `make` would do. Ids are known before the work, since an id hashes settings and inputs only."""
    site, store = Site(loaded, work), Store(work)
    ids: dict[str, str] = {}
    planned = []
    for stage in _wanted(until):
        settings = stage_settings(site, stage)
        parents = {name: ids[name] for name in stage.takes}
        ids[stage.name] = content_id(stage.name, version=stage.version, settings=settings, parents=parents, inputs=stage.inputs(site))
        made = store.look_up(stage.name, ids[stage.name])
        seconds = 0.0 if made else _rough_seconds(site, store, stage, settings)
        planned.append(Planned(stage.name, ids[stage.name], made is not None, seconds))
    return planned


def make(loaded: Loaded, work: Path, *, until: str | None = None, language: str = "en", listeners: Sequence[Listener] = ()) -> Conducted:
    """Make all stages up to `until`.

    A closed gate stops only the stages that take its result; it is in the answer, not raised. Raises any other
    TutelageError; what was finished before it stays, and the next run goes on from there.
    """
    check(loaded)
    _check_end(loaded, until)
    with alone(work):
        run = new_run(work, loaded.recipe.name)
        write_whole(run / "recipe.yaml", write_resolved(loaded.recipe))
        log = JsonLines(run / EVENTS)
        trackers = Trackers(loaded.recipe.trackers, work=work, settings=loaded.recipe.training, tell=Events(log, *listeners))
        events = Events(log, *listeners, trackers)
        try:
            return _conduct(Site(loaded, work), run, events, until, language)
        except BaseException as error:
            code = error.exit_code if isinstance(error, TutelageError) else 1
            write_made(run, _so_far(run).model_copy(update={"exit_code": code}))
            events.send("run", "failed", "run.failed", exit_code=code, error=_one_line(error))
            raise
        finally:
            trackers.close()
            log.close()


def _conduct(site: Site, run: Path, events: Events, until: str | None, language: str) -> Conducted:
    started = time.monotonic()
    _export_approved(site)
    planned = plan(site.loaded, site.work, until=until)
    for row in planned:
        events.send(row.stage, "plan", id=row.id, is_made=row.is_made, rough_seconds=row.rough_seconds)
    done = Conducted()
    for stage, row in zip(_wanted(until), planned, strict=True):
        if any(name not in done.artifacts for name in stage.takes):
            continue
        try:
            done.artifacts[stage.name] = _make_stage(site, stage, row, done.artifacts, events, language)
        except GateClosed as error:
            if stage.name != "endpoint":
                raise
            done.closed = error
            events.send(stage.name, "failed", "run.gate_closed", reason=str(error))
        write_made(run, Made(recipe=site.recipe.name, ids={name: made.id for name, made in done.artifacts.items()}))
    code = done.closed.exit_code if done.closed else 0
    write_made(run, _so_far(run).model_copy(update={"exit_code": code}))
    events.send("run", "finished", "run.finished", exit_code=code, seconds=round(time.monotonic() - started, 1))
    return done


def _make_stage(site: Site, stage: Stage, row: Planned, artifacts: dict[str, Artifact], events: Events, language: str) -> Artifact:
    store = Store(site.work)
    found = store.look_up(stage.name, row.id)
    if found:
        events.send(stage.name, "finished", "run.up_to_date", id=found.id, is_new=False, seconds=0.0,
                    made_in=found.manifest.seconds)
        return found
    events.send(stage.name, "started", "run.started", id=row.id, rough_seconds=row.rough_seconds)
    with store.making(stage.name, row.id, version=stage.version, recipe=site.recipe.name, settings=stage_settings(site, stage),
                      parents={name: artifacts[name] for name in stage.takes}, inputs=stage.inputs(site), events=events,
                      language=language) as making:
        stage.make(making, site)
    made = store.look_up(stage.name, row.id)
    assert made is not None
    events.send(stage.name, "finished", "run.made", id=made.id, is_new=True, seconds=made.manifest.seconds, **made.manifest.counts)
    return made


def _wanted(until: str | None) -> tuple[Stage, ...]:
    if until is None:
        return STAGES
    names = [stage.name for stage in STAGES]
    if until not in names:
        raise failure(InputError, "run.error.no_stage", stage=until, stages=", ".join(names))
    return STAGES[:names.index(until) + 1]


def _check_end(loaded: Loaded, until: str | None) -> None:
    """Raise InputError if stages are asked for that cannot use what the training makes."""
    if len(_wanted(until)) > len(_wanted("training")) and (why := why_it_ends(loaded, "en")):
        raise InputError(why)


def _rough_seconds(site: Site, store: Store, stage: Stage, settings: Settings) -> float:
    """Seconds that the same settings took here last time, else the table's figure."""
    same = [artifact for artifact in store.all(stage.name) if artifact.manifest.settings == settings.model_dump(mode="json")]
    return same[-1].manifest.seconds if same else stage.rough_seconds(site)


def _export_approved(site: Site) -> None:
    """Write the rows of approvals and labels that a crash kept from being written, so that the dataset sees all of them."""
    desk = site.open_desk()
    if desk is None:
        return
    try:
        export(desk, site.work)
        export_labels(desk, site.work, needed=site.recipe.reviews.labels_needed)
    finally:
        desk.close()


def _so_far(run: Path) -> Made:
    return Made.model_validate_json((run / MADE).read_text("utf-8"))


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
