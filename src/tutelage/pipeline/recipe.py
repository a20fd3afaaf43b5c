"""A recipe: one YAML file, one key a stage; all its mistakes at once, by line."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import ErrorDetails, to_jsonable_python

from tutelage.core.errors import RecipeError
from tutelage.core.language import catalogue, failure, failures
from tutelage.core.permission import EVERYONE
from tutelage.core.records import Language
from tutelage.core.settings import Settings
from tutelage.dataset.settings import DatasetSettings
from tutelage.documents.settings import DocumentsSettings, Label
from tutelage.drafting.settings import DraftingSettings
from tutelage.endpoint.settings import EndpointSettings
from tutelage.model.settings import ModelSettings
from tutelage.pipeline.trackers import TrackerName
from tutelage.pipeline.yaml_tree import Place, Told, Tree, dotted, read_scalar, read_tree
from tutelage.reviews.settings import ReviewsSettings
from tutelage.scores.settings import ScoresSettings
from tutelage.training.settings import TrainingSettings


class Recipe(Settings):
    """Everything that is asked: which documents, which model, how long it may take, what must be reached."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    """Name of the recipe. Letters, digits, dot, dash, underscore."""
    language: Language = "en"
    """Language of messages and pages at first: en or zh. Each user can switch."""
    audience: Label = EVERYONE
    """Whom the model and the clause library are for: everyone, or `client:acme`, or `client:acme matter:2024-17`. A source that
    its permission keeps from this audience is refused."""
    desk: str = ""
    """Database URL of the desk (users, library, drafts, reviews); left out: an SQLite file in the work folder."""
    trackers: tuple[TrackerName, ...] = ()
    """Where the figures of a training also go: `wandb`, `mlflow`, `tensorboard`, `trackio`. They stay on this machine unless the
    tracker's own environment variable says otherwise; switching trackers trains nothing anew."""
    documents: DocumentsSettings
    """Where the documents are and how they are cleaned."""
    dataset: DatasetSettings = DatasetSettings()
    """How documents become examples and how they are split."""
    training: TrainingSettings
    """Which base model learns, and how."""
    model: ModelSettings = ModelSettings()
    """How the trained model is merged, quantised and exported."""
    scores: ScoresSettings = ScoresSettings()
    """What is measured on held-out rows, and the gate."""
    endpoint: EndpointSettings = EndpointSettings()
    """How the model that passed is served."""
    drafting: DraftingSettings = DraftingSettings()
    """The drafting page and the clause library."""
    reviews: ReviewsSettings = ReviewsSettings()
    """How drafts are approved."""


@dataclass(frozen=True)
class Loaded:
    """A recipe with the file it came from; relative sources are looked up beside that file."""

    recipe: Recipe
    path: Path
    tree: Tree

    @property
    def root(self) -> Path:
        """The folder of the recipe file."""
        return self.path.resolve().parent


def load_recipe(path: Path, *, changes: Sequence[str] = ()) -> Loaded:
    """The checked recipe; `changes` are `key.key=value`, applied over the file.

    Raises RecipeError with one line for each mistake: place, what, got, allowed.
    """
    if not path.is_file():
        raise failure(RecipeError, "recipe.no_file", path=path)
    try:
        text = path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise failure(RecipeError, "recipe.no_utf8", name=path.name, byte=error.start) from None
    tree = read_tree(text, path.name)
    if not isinstance(tree.data, dict):
        raise failure(RecipeError, "recipe.no_group", name=path.name, got=type(tree.data).__name__)
    set_places = {_apply(tree.data, change) for change in changes}
    told = [(line, _placed(f"{path.name}:{line}: ", mistake)) for line, mistake in tree.mistakes]
    try:
        recipe = Recipe.model_validate(tree.data)
    except ValidationError as error:
        mistakes = error.errors()
        # A list whose items are all wrong counts as empty, too.
        inner = {mistake["loc"][:depth] for mistake in mistakes for depth in range(len(mistake["loc"]))}
        told += [_explain(path.name, tree, set_places, mistake) for mistake in mistakes
                 if mistake["type"] != "too_short" or mistake["loc"] not in inner]
        raise _all(told) from None
    if told:
        raise _all(told)
    return Loaded(recipe, path, tree)


def _apply(data: dict[str, Any], change: str) -> Place:
    key, equals, value = change.partition("=")
    place = tuple(key.strip().split("."))
    if not equals or not all(place):
        raise failure(RecipeError, "recipe.set_form", change=change)
    owner = data
    for step in place[:-1]:
        inner = owner.setdefault(step, {})
        if not isinstance(inner, dict):
            raise failure(RecipeError, "recipe.set_group", change=change, setting=step, got=repr(inner))
        owner = inner
    owner[place[-1]] = read_scalar(value)
    return place


def _all(told: list[tuple[int, Told]]) -> RecipeError:
    """The mistakes by the lines of the file, those of the command line first."""
    return failures(RecipeError, [mistake for _, mistake in sorted(told, key=lambda one: one[0])])


def _placed(where: str, told: Told) -> Told:
    """A mistake with what stands before its key: the file and its line, or --set."""
    key, facts = told
    return key, {**facts, "where": where}


def _explain(name: str, tree: Tree, set_places: set[Place], mistake: ErrorDetails) -> tuple[int, Told]:
    """The line of a mistake, 0 for one of the command line, and what is said of it."""
    place = _readable(mistake["loc"], tree.data)
    line = 0 if place in set_places else tree.line(place)
    return line, _placed(f"{name}:{line}: " if line else "--set ", _what(place, mistake))


def _what(place: Place, mistake: ErrorDetails) -> Told:
    facts: dict[str, object] = {"setting": dotted(place)}
    if mistake["type"] == "extra_forbidden":
        known = _known(place[:-1])
        close = difflib.get_close_matches(str(place[-1]), known, n=1)
        return ("recipe.unknown_close", {**facts, "close": close[0]}) if close else (
            "recipe.unknown", {**facts, "known": ", ".join(known)})
    if mistake["type"] == "missing":
        return "recipe.missing", facts
    key = f"recipe.is.{mistake['type']}"
    if key in catalogue():
        return key, {**facts, **{name: _plain(limit) for name, limit in mistake.get("ctx", {}).items()}, "got": repr(mistake["input"])}
    said = mistake["msg"].removeprefix("Value error, ")
    got = "" if mistake["type"] == "value_error" else f" (got {mistake['input']!r})"
    return "recipe.other", {**facts, "said": said[0].lower() + said[1:], "got": got}


def _plain(limit: object) -> object:
    """A limit in words of no language: 1 for 1.0, and choices without "or"."""
    if isinstance(limit, float) and limit.is_integer():
        return int(limit)
    return limit.replace(" or ", ", ") if isinstance(limit, str) else limit


def _readable(loc: tuple[str | int, ...], data: Any) -> Place:
    """The place without the names of union choices that pydantic puts between."""
    place: list[str | int] = []
    here = data
    for index, step in enumerate(loc):
        is_last = index == len(loc) - 1
        if isinstance(here, dict) and (step in here or is_last):
            place.append(step)
            here = here.get(step)
        elif isinstance(here, list) and isinstance(step, int) and step < len(here):
            place.append(step)
            here = here[step]
    return tuple(place)


def _known(place: Place) -> list[str]:
    owner: type[BaseModel] = Recipe
    for step in place:
        if isinstance(step, str) and step in owner.model_fields:
            owner = next(groups_of(owner.model_fields[step].annotation), owner)
    return list(owner.model_fields)


def groups_of(annotation: Any) -> Iterator[type[BaseModel]]:
    """The groups of settings that a type holds: itself, or those inside a tuple, a choice or an annotation."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from groups_of(inner)


def write_resolved(recipe: Recipe) -> str:
    """The complete recipe as YAML, each value with its description as a comment above it."""
    lines: list[str] = []
    _write_group(recipe, lines, "")
    return "\n".join(lines) + "\n"


def _write_group(group: BaseModel, lines: list[str], indent: str) -> None:
    for key, info in type(group).model_fields.items():
        value = getattr(group, key)
        lines += [f"{indent}# {line.strip()}" for line in (info.description or "").splitlines() if line.strip()]
        if isinstance(value, BaseModel) and type(value).model_fields:
            lines.append(f"{indent}{key}:")
            _write_group(value, lines, indent + "  ")
        else:
            lines.append(f"{indent}{key}: {json.dumps(to_jsonable_python(value), ensure_ascii=False)}")
