"""export edge: a folder for a phone or a small board, from the copy that passed its gate."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from tutelage.cli.terminal import Terminal, tell_result
from tutelage.core.errors import InputError
from tutelage.core.files import size_of
from tutelage.core.language import failure, text
from tutelage.pipeline.recipe import load_recipe

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}
SIZE = re.compile(r"(\d+(?:\.\d+)?) ?([kmg]?b|)", re.IGNORECASE)


def run_export_edge(recipe: Path, changes: list[str], *, size: str, form: Literal["gguf", "onnx"] | None, folder: Path, with_make: bool,
                    work: Path, language: str | None, as_json: bool) -> None:
    """Print what was written and how the runner ran; with `with_make` make first what is not up to date."""
    from tutelage.pipeline.checks import check
    from tutelage.pipeline.conduct import make
    from tutelage.pipeline.edge import Asked, export_edge

    asked = Asked(read_size(size), form or "", folder)
    loaded = load_recipe(recipe, changes=changes)
    check(loaded)
    tongue = language or loaded.recipe.language
    if with_make:
        with Terminal(tongue) as terminal:
            make(loaded, work, until="scores", language=tongue, listeners=[terminal])
    made = export_edge(loaded, work, asked)
    if as_json:
        tell_result(json.dumps({"folder": str(folder), **made.model_dump(mode="json")}, ensure_ascii=False))
        return
    ran = made.measured
    assert ran
    tell_result(text("edge.done", tongue, folder=folder, copy=made.copy_name, format=made.format, megabytes=f"{size_of(folder) / 1e6:,.1f}",
                     budget=f"{made.budget_bytes / 1e6:,.1f}", memory="-" if ran.peak_rss_mb is None else f"{ran.peak_rss_mb:,.0f}",
                     prompt_tokens=ran.prompt_tokens, answer_tokens=ran.answer_tokens, seconds=ran.seconds))
    tell_result(text("edge.next", tongue, folder=folder))


def read_size(given: str) -> int:
    """Bytes of a size such as "90MB"; units are powers of ten. Raises InputError for anything else."""
    found = SIZE.fullmatch(given.strip())
    if found is None:
        raise failure(InputError, "edge.no_size", given=given)
    return int(float(found[1]) * UNITS[found[2].lower()])
