"""The tables of docs/stages/training.md that are made from benchmarks/results: `make docs` writes them between their marks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
PAGE = Path("stages") / "training.md"
BEGIN, END = "<!-- made from benchmarks/results/{name}.json by `make docs` -->", "<!-- end of it -->"


def with_tables(page: str) -> str:
    """The page with each table made anew."""
    for name, table in TABLES.items():
        begin = BEGIN.format(name=name)
        before, found, rest = page.partition(begin + "\n")
        _, ended, after = rest.partition(END)
        if not found or not ended:
            raise ValueError(f"docs/{PAGE} has no place for the table {name}: write a line {begin!r}, and below it a line {END!r}.")
        page = f"{before}{begin}\n{_made(name, table)}{END}{after}"
    return page


def _made(name: str, table: Callable[[dict[str, object]], str]) -> str:
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return f"Not measured on this build yet: `make bench NAME={name.replace('-', '_')}`.\n"
    found = json.loads(path.read_text("utf-8"))
    return f"{table(found['figures'])}\nTaken {found['taken']} on {found['machine']['cores']} cores.\n"


def methods_table(figures: dict[str, object]) -> str:
    """A row a method: what it costs and what it gives."""
    lines = [f"{figures['rows']} rows of the demo's dataset, {figures['steps']} steps of 8 rows, the base SmolLM2-135M, one seed; "
             "bits per byte on 32 validation rows.", "",
             "| method | learning rate | bits per byte before | after | fall | tokens a second | peak memory | written | path |",
             "|---|---|---|---|---|---|---|---|---|"]
    for name, told in _cases(figures["methods"]):
        if "failed" in told:
            lines.append(f"| {name} | | {told['before']} | {_after(told)} | learned nothing | | {told['peak_gib']} GiB | | |")
        else:
            lines.append(f"| {name} | {told['learning_rate']:g} | {told['before']} | {_after(told)} | {_fall(told)} | "
                         f"{told['tokens_per_second']:.0f} | {told['peak_gib']} GiB | {told['written_mb']} MB | {told['path']} |")
    return "\n".join(lines) + "\n"


def sweep_table(figures: dict[str, object]) -> str:
    """A row a step size, and a number of rows a step."""
    lines = [f"{figures['rows']} rows of the demo's dataset, each seen once, {figures['rows_a_step']} a step unless told otherwise, the "
             f"base SmolLM2-135M, one seed; bits per byte on {figures['validation_rows']} validation rows.", "",
             "| method and step size | before | after | fall |", "|---|---|---|---|"]
    for name, told in _cases(figures["cases"]):
        outcome = "learned nothing" if "failed" in told else _fall(told)
        lines.append(f"| {name} | {told['before']} | {_after(told)} | {outcome} |")
    return "\n".join(lines) + "\n"


def _cases(found: object) -> list[tuple[str, dict[str, float]]]:
    assert isinstance(found, dict)
    return list(found.items())


def _after(told: dict[str, float]) -> str:
    return "no number" if told["after"] is None else str(told["after"])


def _fall(told: dict[str, float]) -> str:
    """How much fewer bits, in percent of those before."""
    return f"{100 * (1 - told['after'] / told['before']):.1f} %"


TABLES = {"training-methods": methods_table, "sweep": sweep_table}
