"""The doors of a service: of its own recipe, and of recipes whose models are served beside it under names of their own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.language import tell_failure, text
from tutelage.desk.desk import Desk
from tutelage.endpoint.budget import MemoryBudget
from tutelage.endpoint.opening import Opener
from tutelage.endpoint.serving import Door, Served
from tutelage.pipeline.checks import check
from tutelage.pipeline.recipe import load_recipe
from tutelage.pipeline.runs import artifacts, newest_artifact
from tutelage.pipeline.stages import Site as Place

# What is told of a model that passed, and of one that people answer for.
OWN = ("run.switched", "run.switched_overridden")
ALSO = ("run.also_switched", "run.also_switched_overridden")


@dataclass(frozen=True)
class Doors:
    """`own` is the recipe's, whose model the pages show; `also` are the others'. `budget` is the memory that they share."""

    own: Door
    also: tuple[Door, ...]
    budget: MemoryBudget

    @property
    def all(self) -> tuple[Door, ...]:
        """The own one first."""
        return (self.own, *self.also)

    def leave(self) -> None:
        """Tell from now on that no new requests should be sent here."""
        for door in self.all:
            door.leave()

    def cut(self) -> None:
        """Close what answers, in use or not."""
        for door in self.all:
            door.cut()

    def close(self) -> None:
        """Retire all models."""
        for door in self.all:
            door.close()


def load_others(recipes: Sequence[Path], own: Place) -> list[Place]:
    """The recipes that are served beside the own one, checked. Raises InputError for two models of one name."""
    places = [own]
    for path in recipes:
        loaded = load_recipe(path, changes=[])
        check(loaded)
        for earlier in places:
            if loaded.recipe.endpoint.name == earlier.recipe.endpoint.name:
                raise InputError(f"{path}: its model has the name {loaded.recipe.endpoint.name!r}, and so has that of "
                                 f"{earlier.loaded.path}. Give it another one: endpoint.name.")
            if loaded.recipe.name == earlier.recipe.name:
                raise InputError(f"{path}: is the recipe {loaded.recipe.name!r}, and so is {earlier.loaded.path}: its models would be the "
                                 "same. Give it another `name`.")
        places.append(Place(loaded, own.work))
    return places[1:]


def open_doors(own: Place, others: Sequence[Place], desk: Desk, tongue: str) -> Doors:
    """All doors, each with the model that may be served now; the own one has the base until then."""
    open_engine = Opener(own.recipe.endpoint, tell=lambda key, facts: tell_result(text(key, tongue, **facts)))
    if total := open_engine.budget.total:
        tell_result(text("run.memory_budget", tongue, gb=total / 1e9))
    doors = [_door(place, desk, open_engine) for place in (own, *others)]
    for door in doors:
        if copy := door.upcoming():
            open_engine.expect(copy)
    for place, door in zip((own, *others), doors, strict=True):
        is_served = _refresh(door, tongue)
        is_own = door is doors[0]
        if is_served and (door.passed_over() or not is_own):
            tell_switch(door, tongue, is_own=is_own)
        elif not is_served and not is_own:
            tell_result(text("run.also_waits", tongue, name=place.recipe.endpoint.name, recipe=place.loaded.path.name))
        elif not is_served:
            _set_base(own, door, open_engine, tongue)
    return Doors(doors[0], tuple(doors[1:]), open_engine.budget)


def tell_switch(door: Door, tongue: str, *, is_own: bool = True) -> None:
    """Which model answers from now on, and why that one; the pages draft with the own one only."""
    if not (served := door.served()):
        return
    if door.passed_over():
        tell_result(text("run.fell_back", tongue, name=served.name, scores=served.deployment.scores_id if served.deployment else ""))
    passed, overridden = OWN if is_own else ALSO
    tell_result(text(passed if served.is_gated else overridden, tongue, name=served.name))


def _door(place: Place, desk: Desk, open_engine: Opener) -> Door:
    work, name = place.work, place.recipe.name
    return Door(work, find=lambda stage: newest_artifact(work, name, stage), chat_format=place.chat_format, open_engine=open_engine,
                overrides=desk.overrides, earlier=lambda: artifacts(work, name, "endpoint"))


def _refresh(door: Door, tongue: str) -> bool:
    try:
        return door.refresh()
    except GateClosed as error:  # who answered for it withdrew: the pages go on without it
        tell_result(text("run.not_switched", tongue, error=tell_failure(error, tongue)))
        return False


def _set_base(place: Place, door: Door, open_engine: Opener, tongue: str) -> None:
    """Let the base draft until a model has passed, where this machine can hold it."""
    if place.base.gguf and place.recipe.endpoint.engine == "llama.cpp":
        door.set_base(Served(place.base.name, open_engine(Path(place.base.gguf), place.base.name), place.chat_format))
    else:
        tell_result(text("run.no_base", tongue))
