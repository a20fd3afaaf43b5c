"""Rules over two stages, and over the recipe and this machine: all broken ones at once, by line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from urllib.parse import urlsplit

from tutelage.core.errors import ExtraMissing, InputError, RecipeError
from tutelage.core.permission import parse, why_not
from tutelage.engine.bases import find_base, is_on_hub
from tutelage.engine.kinds import READING_TASKS
from tutelage.engine.remote_http import is_address
from tutelage.pipeline.recipe import Loaded, Recipe
from tutelage.pipeline.trackers import require
from tutelage.pipeline.yaml_tree import Place

THIS_MACHINE = ("127.0.0.1", "localhost", "::1")
JUDGED = ("dpo", "orpo", "kto")  # tasks whose rows are no plain replies


def check(loaded: Loaded) -> None:
    """Raise RecipeError with one line for each broken rule. Loads no model and reads no document."""
    lines = [f"{loaded.path.name}:{loaded.tree.line(place)}: {'.'.join(map(str, place))}: {message}" for place, message in _broken(loaded)]
    if lines:
        raise RecipeError("\n".join(lines))


def _broken(loaded: Loaded) -> Iterator[tuple[Place, str]]:
    recipe = loaded.recipe
    if recipe.scores.held_out > recipe.dataset.held_out:
        yield ("scores", "held_out"), (f"is {recipe.scores.held_out}, but the dataset holds out {recipe.dataset.held_out} rows only. "
                                       "Lower it or raise dataset.held_out.")
    if recipe.scores.memory == "full" and recipe.dataset.canaries == "off":
        yield ("scores", "memory"), ("is full, but the dataset plants no test texts, so what is remembered of them cannot be measured. "
                                     "Set dataset.canaries: on, or scores.memory: quick.")
    if recipe.model.target.is_set and recipe.model.measure == "off":
        yield ("model", "target"), ("is to be searched, but model.measure is off, so no copy can be judged. Set model.measure: quick or "
                                    "full, or leave the target out.")
    if "none" not in (recipe.model.trim, recipe.training.trim):
        yield ("model", "trim"), ("is vocabulary, but training.trim trims the vocabulary before the training, by the same rows. Leave one "
                                  "of the two out.")
    if recipe.model.healed_steps and recipe.model.heal_steps and recipe.training.task in JUDGED:
        asked = " and ".join(f"model.{name}" for step in recipe.model.healed_steps for name in step)
        yield ("model", "heal_steps"), (f"is {recipe.model.heal_steps}, but the rows of the task {recipe.training.task} are preferences, "
                                        f"from which a student cannot learn what its teacher says. Set it to 0, or leave {asked} out.")
    limit = recipe.endpoint.context_length
    drafts: tuple[tuple[Place, int], ...] = ((("drafting", "max_tokens"), recipe.drafting.max_tokens),
                                             (("scores", "max_draft_tokens"), recipe.scores.max_draft_tokens))
    for place, tokens in drafts:
        if tokens >= limit:
            yield place, (f"is {tokens}; a draft and its prompt must fit endpoint.context_length ({limit}). "
                          "Lower it or raise endpoint.context_length.")
    yield from _not_permitted(recipe)
    for number, tracker in enumerate(recipe.trackers):
        try:
            require(tracker)
        except ExtraMissing as error:
            yield ("trackers", number), str(error)
    bases: list[tuple[Place, str]] = [(("training", "base"), recipe.training.base)]
    if recipe.dataset.augment.engine:
        bases.append((("dataset", "augment", "engine"), recipe.dataset.augment.engine))
    if recipe.scores.judge and not is_address(recipe.scores.judge):
        bases.append((("scores", "judge"), recipe.scores.judge))
    if recipe.scores.judge_model and not is_address(recipe.scores.judge):
        yield ("scores", "judge_model"), "belongs to the address of a service; scores.judge is none. Leave it out, or give the address."
    yield from _outside(recipe)
    for place, name in bases:
        if is_on_hub(name):  # to look at it may take a download; the first stage that needs it does
            continue
        try:
            base = find_base(name)
            if place[0] != "training" or recipe.training.task not in READING_TASKS:
                base.check_drafts()
        except InputError as error:
            yield place, str(error)


def _outside(recipe: Recipe) -> Iterator[tuple[Place, str]]:
    """An outside engine that is none, and one of a service or judge model that would read what is for a client only."""
    address, model = recipe.scores.outside, recipe.scores.outside_model
    if address and not is_address(address):
        yield ("scores", "outside"), (f"is {address}; it must be the address of a service, such as https://example.org/v1. Models on this "
                                      "machine are compared by `tutelage judge`.")
    if model and not address:
        yield ("scores", "outside_model"), "belongs to scores.outside, which names no service. Leave it out, or give the address."
    labels = [label for label in (recipe.audience, *(source.permission for source in recipe.documents.listed)) if parse(label).client]
    for name, service in (("outside", address), ("judge", recipe.scores.judge)):
        if labels and is_address(service) and urlsplit(service).hostname not in THIS_MACHINE:
            yield ("scores", name), (f"sends rows to {service}, but the recipe holds documents for {labels[0]} only, which never leave "
                                     f"this machine. Leave scores.{name} out.")


def _not_permitted(recipe: Recipe) -> Iterator[tuple[Place, str]]:
    """Sources that may not be used for the recipe's audience, or no longer."""
    for number, source in enumerate(recipe.documents.listed):
        allowed = parse(source.permission).purposes[0]
        if reason := why_not(source.permission, audience=recipe.audience, purpose=allowed, today=date.today()):
            yield ("documents", "sources", number), (f"{source.path} may not be used: {reason}. Leave it out, or make a model of its own "
                                                     "for those who may: set `audience`.")
