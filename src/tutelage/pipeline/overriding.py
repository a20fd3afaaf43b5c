"""Overriding the gate of a recipe's newest scores, and taking it back: a person of the desk signs, the audit chain keeps it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.language import failure
from tutelage.core.records import Override
from tutelage.core.store import Artifact
from tutelage.desk.desk import Desk, User
from tutelage.endpoint.overrides import override
from tutelage.pipeline.recipe import Loaded
from tutelage.pipeline.runs import newest_artifact
from tutelage.pipeline.stages import Site


@dataclass(frozen=True)
class Signed:
    """Who signs, and why."""

    name: str
    password: str
    reason: str


def override_newest(loaded: Loaded, work: Path, signed: Signed) -> tuple[Override, ...]:
    """Everybody who answers for the newest scores, the one who signed last.

    Raises InputError for somebody whom the desk does not know, for no reason, or an open gate; GateClosed for a gate that is broken.
    """
    with _desk_and_scores(loaded, work) as (desk, scores):
        override(desk, scores, person=_person(desk, signed).name, reason=signed.reason)
        return desk.overrides(scores.id)


def withdraw_newest(loaded: Loaded, work: Path, signed: Signed) -> tuple[str, int]:
    """The newest scores' id, and for how many people nobody answers any more. Raises InputError as `override_newest`."""
    with _desk_and_scores(loaded, work) as (desk, scores):
        return scores.id, desk.withdraw_override(scores.id, person=_person(desk, signed).name, reason=signed.reason)


@contextmanager
def _desk_and_scores(loaded: Loaded, work: Path) -> Iterator[tuple[Desk, Artifact]]:
    scores = newest_artifact(work, loaded.recipe.name, "scores")
    if scores is None:
        raise failure(InputError, "run.error.no_scores", work=work, recipe=loaded.recipe.name, file=loaded.path.name)
    desk = Site(loaded, work).open_desk()
    if desk is None:
        raise failure(InputError, "run.error.no_desk", work=work)
    try:
        yield desk, scores
    finally:
        desk.close()


def _person(desk: Desk, signed: Signed) -> User:
    person = desk.sign_in(signed.name, signed.password)
    if person is None:
        raise failure(InputError, "run.error.no_person", name=signed.name)
    return person
