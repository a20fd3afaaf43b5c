"""Planting canaries among the training rows: some once, some several times, and some never, to compare with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.core.records import Canary, Example, Language, Task
from tutelage.text.canaries import canary_text, row_of

CANARIES = "canaries.jsonl"
# Copies -> canaries of each language. Many stand once: that decides the gate, and one alone would decide nothing.
PLANTED = {1: 10, 4: 2, 16: 1}
CONTROLS = 10
# A language with a smaller share of the training rows gets none: they would be most of what it learns.
LEAST_SHARE = 0.1
TASKS: tuple[Task, ...] = ("clause", "instruction")


@dataclass(frozen=True)
class Planting:
    """All canaries, controls among them, and the rows to add."""

    canaries: list[Canary]
    rows: list[Example]


def plant(rows: Sequence[Example], seed: int) -> Planting:
    """Canaries for these rows: others for other training rows or another seed, so that no earlier training has seen them.

    Raises InputError where the training rows are neither clauses nor conversations.
    """
    train = [row for row in rows if row.part == "train"]
    task = Counter(row.task for row in train).most_common(1)[0][0]
    if task not in TASKS:
        raise InputError(f"dataset.canaries is on, and the training rows are {task} rows; canaries can be planted among clause and "
                         "instruction rows only, which are learned word for word. Set dataset.canaries: off.")
    salt = short_hash(str(seed), *sorted(row.id for row in train))
    counts = Counter(row.language for row in train)
    canaries = [canary for language in sorted(counts) if counts[language] >= LEAST_SHARE * len(train)
                for canary in _of(language, salt, task)]
    return Planting(canaries, [row_of(canary, copy) for canary in canaries for copy in range(1, canary.copies + 1)])


def _of(language: Language, salt: str, task: Task) -> list[Canary]:
    copies = [0] * CONTROLS + [times for times, number in PLANTED.items() for _ in range(number)]
    return [Canary(id=f"canary-{short_hash(salt, language, str(number))}", language=language, copies=times, task=task,
                   text=canary_text(language, f"{salt}:{number}")) for number, times in enumerate(copies)]
