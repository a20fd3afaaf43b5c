"""What a cleaning rule is: a name, and a function that finds the edits to make in a text. Rules run one after the other and leave steps."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from tutelage.core.edits import Edit, Step, apply, between, replaced

Find = Callable[[str], list[Edit]]


class Rule(NamedTuple):
    """A named rule. `find` gives its edits of a text, in order, not overlapping; none where the text is as it should be."""

    name: str
    find: Find


@dataclass(frozen=True)
class Tidied:
    """The text and what was changed in it: name of the change -> how often, and the steps that replay and undo it.

    Without changes the text is the one given.
    """

    text: str
    changes: dict[str, int] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


def run(text: str, rules: Iterable[Rule]) -> Tidied:
    """The text after all rules, each run once."""
    steps: list[Step] = []
    for rule in rules:
        edits = rule.find(text)
        if edits:
            steps.append(Step.model_construct(rule=rule.name, edits=tuple(edits)))
            text = apply(text, steps[-1:])
    return Tidied(text, counted(steps), tuple(steps))


def counted(steps: Sequence[Step]) -> dict[str, int]:
    """How many edits each rule made, in the order of the rules."""
    changes: Counter[str] = Counter()
    for step in steps:
        changes[step.rule] += len(step.edits)
    return dict(changes)


def by_pattern(pattern: re.Pattern[str], replacement: str) -> Find:
    """Each match becomes `replacement`."""
    def find(text: str) -> list[Edit]:
        return [replaced(match.start(), match[0], replacement) for match in pattern.finditer(text)]
    return find


def by_letter(pattern: re.Pattern[str], table: dict[int, str]) -> Find:
    """In each match each character becomes what the table says."""
    def find(text: str) -> list[Edit]:
        return [replaced(match.start(), match[0], match[0].translate(table)) for match in pattern.finditer(text)]
    return find


def by_line(name: str, change: Callable[[str], str]) -> Find:
    """Each line beyond ASCII is changed; an edit is as small as the change."""
    def find(text: str) -> list[Edit]:
        edits: list[Edit] = []
        if text.isascii():
            return edits
        start = 0
        for line in text.split("\n"):
            if not line.isascii():
                step = between(name, line, change(line))
                if step:
                    edits += [edit.model_copy(update={"start": edit.start + start}) for edit in step.edits]
            start += len(line) + 1
        return edits
    return find
