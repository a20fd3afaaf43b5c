"""Writes the pages that are made from the code: recipe.md, recipe.schema.json, commands.md, errors.md, and the tables of measured figures
in stages/training.md. `--check` only compares.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from measured import PAGE, with_tables
from pydantic import BaseModel

from tutelage.core import errors
from tutelage.pipeline.recipe import Recipe, groups_of

DOCS = Path(__file__).parent
COMMANDS = ("", "check", "plan", "make", "join", "show", "serve", "override", "labels", "judge", "review sample", "review tally",
            "review edits", "export edge", "tasks", "key new", "key list", "key end")


def recipe_page() -> str:
    """One table a group of settings: name, type, default, meaning."""
    lines = ["# The recipe", "", "Made from the settings classes by `make docs`; do not edit. Order: the file, then `--set key=value`.", ""]
    _group(Recipe, "", lines)
    return "\n".join(lines) + "\n"


def _group(group: type[BaseModel], place: str, lines: list[str]) -> None:
    inner: list[tuple[type[BaseModel], str]] = []
    lines += [f"## {place or 'top level'}", "", "| key | type | default | meaning |", "|---|---|---|---|"]
    schema = group.model_json_schema()
    for key, info in group.model_fields.items():
        name = f"{place}.{key}" if place else key
        inner += [(found, name if found is info.annotation else f"{name}[]") for found in groups_of(info.annotation)]
        default = "required" if info.is_required() else f"`{_default(info.get_default(call_default_factory=True))}`"
        meaning = " ".join((info.description or "").split()).replace("|", "\\|")
        lines.append(f"| `{name}` | {_type(schema['properties'][key], schema)} | {default} | {meaning} |")
    lines.append("")
    for found, name in inner:
        _group(found, name, lines)


def _default(value: object) -> str:
    if isinstance(value, BaseModel):
        return "see below"
    return json.dumps(value, ensure_ascii=False, default=lambda item: item.model_dump(mode="json"))


def _type(node: dict[str, object], schema: dict[str, object]) -> str:
    if "$ref" in node or "allOf" in node:
        return "group"
    if "enum" in node:
        return " or ".join(f"`{choice}`" for choice in node["enum"])  # type: ignore[union-attr]
    if "const" in node:
        return f"`{node['const']}`"
    if "anyOf" in node:
        return " or ".join(_type(choice, schema) for choice in node["anyOf"])  # type: ignore[union-attr]
    signs = (("exclusiveMinimum", ">"), ("minimum", ">="), ("exclusiveMaximum", "<"), ("maximum", "<="))
    bounds = [f"{sign} {node[name]}" for name, sign in signs if name in node]
    kind = {"array": "list", "object": "map", "null": "empty"}.get(str(node.get("type")), str(node.get("type")))
    return " ".join([kind, *([", ".join(bounds)] if bounds else [])])


def schema_page() -> str:
    """JSON schema for editors."""
    return json.dumps(Recipe.model_json_schema(), indent=1, ensure_ascii=False) + "\n"


def commands_page() -> str:
    """The --help of each command."""
    lines = ["# The command line", "", "Made from `--help` by `make docs`; do not edit.", ""]
    for command in COMMANDS:
        words = [sys.executable, "-m", "tutelage", *command.split(), "--help"]
        shown = subprocess.run(words, capture_output=True, text=True, check=True, env={"COLUMNS": "110", "TERM": "dumb", "PATH": ""}).stdout
        shown = "\n".join(line.rstrip() for line in shown.replace("python -m tutelage", "tutelage").strip().splitlines())
        lines += [f"## tutelage {command}".rstrip(), "", "```", shown, "```", ""]
    return "\n".join(lines)


def errors_page() -> str:
    """The error tree with exit codes."""
    tree = (errors.__doc__ or "").strip()
    lines = ["# Errors and exit codes", "", "Made from `core/errors.py` by `make docs`; do not edit.", "", "```", tree, "```", "",
             "Each message says what, where, what was got, what is allowed and what to do next. The command line tells it in the language "
             "of `--language`, else in that of the recipe.",
             "In Chinese are the mistakes of a recipe, and what is said of runs, gates, overrides and the desk; of all others the kind of "
             "the error is told in Chinese, then its English text. The exit code is the same in both.", ""]
    return "\n".join(lines)


def training_page() -> str:
    """The page of the training with its measured tables."""
    return with_tables((DOCS / PAGE).read_text("utf-8"))


PAGES = {"recipe.md": recipe_page, "recipe.schema.json": schema_page, "commands.md": commands_page, "errors.md": errors_page,
         str(PAGE): training_page}


def main() -> int:
    """Write the pages, or with --check say which are not current (exit 1)."""
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if "--check" not in sys.argv:
            path.write_text(text, "utf-8")
        elif not path.exists() or path.read_text("utf-8") != text:
            stale.append(name)
    if stale:
        print(f"not current: {', '.join(stale)}. Run `make docs` and commit.")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
