"""Run folders `work/runs/<time>-<recipe>-<pid>/`: the events of a run, its resolved recipe, and what it made."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.language import failure
from tutelage.core.records import Record
from tutelage.core.store import Artifact, Store

EVENTS = "events.jsonl"
MADE = "made.json"


class Made(Record):
    """What a run has made so far: artifact ids by stage. `exit_code` is None while it runs."""

    recipe: str
    ids: dict[str, str]
    exit_code: int | None = None


def new_run(work: Path, recipe: str) -> Path:
    """A new run folder."""
    started = time.strftime("%Y%m%dT%H%M%S", time.gmtime())
    folder = work / "runs" / f"{started}-{recipe}-{os.getpid()}"
    folder.mkdir(parents=True, exist_ok=True)
    write_made(folder, Made(recipe=recipe, ids={}))
    return folder


def write_made(run: Path, made: Made) -> None:
    """Say what the run has made so far."""
    write_whole(run / MADE, made.model_dump_json(indent=1))


def runs(work: Path, recipe: str) -> list[tuple[Path, Made]]:
    """Runs of a recipe, newest first."""
    folders = sorted((work / "runs").glob("*/"), key=lambda folder: folder.name, reverse=True)
    found = [(folder, Made.model_validate_json((folder / MADE).read_text("utf-8"))) for folder in folders if (folder / MADE).exists()]
    return [(folder, made) for folder, made in found if made.recipe == recipe]


def newest_events(work: Path, recipe: str) -> Path | None:
    """Event file of the newest run of a recipe."""
    return next((folder / EVENTS for folder, _ in runs(work, recipe) if (folder / EVENTS).exists()), None)


def newest_artifact(work: Path, recipe: str, stage: str) -> Artifact | None:
    """The artifact of a stage that the newest run which has one made or found up to date."""
    return next(artifacts(work, recipe, stage), None)


def artifacts(work: Path, recipe: str, stage: str) -> Iterator[Artifact]:
    """All artifacts of a stage that runs of a recipe made or found up to date and that are still there, those of newer runs first."""
    store = Store(work)
    for artifact_id in dict.fromkeys(made.ids[stage] for _, made in runs(work, recipe) if stage in made.ids):
        if artifact := store.look_up(stage, artifact_id):
            yield artifact


@contextmanager
def alone(work: Path) -> Iterator[None]:
    """Hold the work folder; a second run of `make` on it is refused. A killed run leaves no lock behind."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise failure(InputError, "run.error.busy", work=work, process=file.read().strip() or "?") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
