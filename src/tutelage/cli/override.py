"""override: a reviewer answers for a copy whose scores decide nothing, or takes that back."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import typer

from tutelage.cli.terminal import tell_result
from tutelage.core.errors import InputError
from tutelage.core.language import failure, text
from tutelage.endpoint.overrides import told
from tutelage.pipeline.overriding import Signed, override_newest, withdraw_newest
from tutelage.pipeline.recipe import load_recipe

PASSWORD = "DESK_PASSWORD"


def run_override(recipe: Path, changes: list[str], *, user: str, reason: str, withdraws: bool, work: Path, language: str | None,
                 as_json: bool) -> None:
    """Record it, and tell who answers now and what comes next."""
    loaded = load_recipe(recipe, changes=changes)
    tongue = language or loaded.recipe.language
    signed = Signed(user, os.environ.get(PASSWORD) or _ask_password(user, tongue), reason)
    if withdraws:
        scores, ended = withdraw_newest(loaded, work, signed)
        tell_result(json.dumps({"scores": scores, "ended": ended}) if as_json
                    else text("run.withdrawn", tongue, scores=scores, ended=ended, recipe=recipe))
        return
    standing, needed = override_newest(loaded, work, signed), loaded.recipe.endpoint.override_people
    if as_json:
        tell_result(json.dumps([one.model_dump() for one in standing], ensure_ascii=False))
        return
    for line in told(standing, tongue):
        tell_result(line)
    key = "run.override_next" if len(standing) >= needed else "run.override_more"
    tell_result(text(key, tongue, scores=standing[-1].scores_id, recipe=recipe, given=len(standing), needed=needed))


def _ask_password(user: str, language: str) -> str:
    """The password, typed unseen. Raises InputError where there is no terminal to type it on."""
    if not sys.stdin.isatty():
        raise failure(InputError, "run.error.no_terminal", name=user, variable=PASSWORD)
    answer: str = typer.prompt(text("run.password", language, name=user), hide_input=True)
    return answer
