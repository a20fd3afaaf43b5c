"""Leaks: which rows that training sees resemble a row that the model is measured on, by three rules; and the gate that refuses them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tutelage.core.errors import LeakFound
from tutelage.core.records import Example, Message, Task
from tutelage.core.store import Artifact
from tutelage.text.similarity import Shingles, contained, long_runs_all, resembling, shared_runs, shingle_all

LEAK_SIMILARITY = 0.5
LEAK_CONTAINMENT = 0.8
# A run that stands in so many documents is the corpus's common stock, and does not give a held-out row away.
BOILERPLATE_DOCUMENTS = 10
BOILERPLATE = "boilerplate.json"
LISTED = 20

Rule = Literal["resembles", "contains", "shares a run"]


@dataclass(frozen=True)
class Leak:
    """A row (by position) that gives a held-out row away. `value` is J, the contained share, or the number of shared runs."""

    row: int
    held_out: int
    rule: Rule
    value: float

    @property
    def told(self) -> str:
        """The rule with its figure, such as "J = 0.613"."""
        figures = {"resembles": f"J = {self.value:.3f}", "contains": f"{self.value:.0%} of the shorter one is in the longer one",
                   "shares a run": f"{self.value:.0f} shared runs of 13 words or 40 characters"}
        return figures[self.rule]


def compared_text(task: Task, messages: Sequence[Message], rejected: str) -> str:
    """What of a row is compared: the clause of a drafting, pretraining or classification row; of others all turns but the system's."""
    if task in ("clause", "pretraining"):
        return messages[-1].content
    if task == "classification":
        return messages[-2].content
    turns = [message.content for message in messages if message.role != "system"]
    return "\n".join([*turns, rejected] if rejected else turns)


def find_leaks(seen: Sequence[str], seen_languages: Sequence[str], held_out: Sequence[str], held_out_languages: Sequence[str],
               common: Shingles) -> list[Leak]:
    """For each text of `seen` that gives one of `held_out` away, its first leak: J >= 0.5, else 80 % of the shorter one within the
    longer one, else a shared run of 13 words (40 characters in Chinese) that is not in `common`. By position in `seen`. Exact.
    """
    first: dict[int, Leak] = {}
    runs, held_runs = shingle_all(seen, seen_languages), shingle_all(held_out, held_out_languages)
    found = [Leak(pair.left, pair.right, "resembles", pair.similarity) for pair in resembling(runs, held_runs, LEAK_SIMILARITY)]
    found += [Leak(pair.left, pair.right, "contains", pair.similarity) for pair in contained(runs, held_runs, LEAK_CONTAINMENT)]
    found += [Leak(pair.left, pair.right, "shares a run", pair.runs)
              for pair in shared_runs(long_runs_all(seen, seen_languages), long_runs_all(held_out, held_out_languages), common=common)]
    for leak in found:
        before = first.get(leak.row)
        if before is None or (before.rule == leak.rule and before.value < leak.value):
            first[leak.row] = leak
    return [first[row] for row in sorted(first)]


def check_leaks(rows: Iterable[Example], common: Shingles) -> None:
    """Raise LeakFound, with the rows, if one of another part gives a held-out row away. `common`: see `common_runs`."""
    rows = list(rows)
    inside = [row for row in rows if row.part == "held_out"]
    outside = [row for row in rows if row.part != "held_out"]
    texts = [[compared_text(row.task, row.messages, row.rejected) for row in part] for part in (outside, inside)]
    found = find_leaks(texts[0], [row.language for row in outside], texts[1], [row.language for row in inside], common)
    if not found:
        return
    lines = [f"  {outside[leak.row].id} gives held-out {inside[leak.held_out].id} away: {leak.told}" for leak in found[:LISTED]]
    lines += [f"  ... and {len(found) - LISTED} more"] if len(found) > LISTED else []
    raise LeakFound(f"dataset: {len(found)} of {len(outside)} rows to train on give a held-out row away; none may:\n" + "\n".join(lines)
                    + "\nA model trained on them would be measured on what it was shown. Make the dataset again with `tutelage make`; "
                      "do not edit examples.jsonl.")


def common_runs(dataset: Artifact) -> Shingles:
    """The runs of held-out rows that the dataset found in so many documents that they give nothing away; none for one without the list."""
    if BOILERPLATE not in dataset.manifest.files:
        return np.array([], dtype=np.uint64)
    return np.array(json.loads(dataset.file(BOILERPLATE).read_text("utf-8"))["runs"], dtype=np.uint64)
