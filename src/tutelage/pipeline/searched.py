"""What the search of a recipe's copies would try, told before the work: which copies, about how large each, about how long it takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tutelage.core.language import text
from tutelage.pipeline.recipe import Loaded
from tutelage.pipeline.stages import SECONDS_A_COPY, Site


@dataclass(frozen=True)
class Foreseen:
    """A copy that would be tried. `keeps_to_target`: None where the target is no limit of bytes, so that only the try can tell."""

    name: str
    megabytes: float
    keeps_to_target: bool | None


def foresee_search(loaded: Loaded, work: Path) -> list[Foreseen]:
    """All copies that would be tried; empty where the recipe searches nothing, or the shapes of its base are not told by its files."""
    from tutelage.model.reckoning import base_shapes, reckon

    settings = loaded.recipe.model
    if not settings.target.is_set or (shapes := base_shapes(Site(loaded, work).base)) is None:
        return []
    training = loaded.recipe.training
    if training.trim == "vocabulary":
        shapes, settings = shapes.of_tokens(training.trim_tokens), settings.model_copy(update={"trim": "none"})
    limit = settings.target.megabytes
    return [Foreseen(one.name, round(one.megabytes, 2), one.megabytes <= limit if limit else None) for one in reckon(shapes, settings)]


def searched(found: list[Foreseen], language: str) -> list[str]:
    """The same as lines of text; none where nothing is searched."""
    if not found:
        return []
    keys = {None: "run.search_line", True: "run.search_fits", False: "run.search_too_large"}
    return [text("run.search_head", language, count=len(found), minutes=f"{len(found) * SECONDS_A_COPY / 60:.0f}"),
            *(text(keys[one.keeps_to_target], language, name=f"{one.name:<12}", megabytes=f"{one.megabytes:,.0f}") for one in found)]
