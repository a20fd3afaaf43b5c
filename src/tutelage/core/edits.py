"""Edits that can be replayed and undone: what each rule changed in a text, as patches; and where a place of one text lies in the other."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import pairwise

from tutelage.core.errors import BalanceError
from tutelage.core.records import Place, Record


class Edit(Record):
    """One replacement: `length` characters from `start` on became `after`.

    `start` counts in the text as it was before the step. `before` is what stood there; None where that is personal data,
    which is kept nowhere but in the source itself.
    """

    start: int
    length: int
    before: str | None
    after: str


class Step(Record):
    """All edits that one rule made to one text in one go, in order, not overlapping."""

    rule: str
    edits: tuple[Edit, ...]


class Edited(Record):
    """What was changed in one field of one row: a line of `edits.jsonl`.

    `field` is "text", "message 0" (and so on), "rejected", "title", "label", "tools", or "metadata" and a key.
    """

    row: str
    field: str
    steps: tuple[Step, ...]


class Placed(Record):
    """Where the text of one row stood in its file: a line of `places.jsonl`. Offsets are those of the cleaned text."""

    row: str
    places: tuple[Place, ...]


def replaced(start: int, before: str, after: str) -> Edit:
    """An edit that keeps what was there."""
    return Edit(start=start, length=len(before), before=before, after=after)


def masked(start: int, length: int, after: str) -> Edit:
    """An edit that does not keep what was there, because it is personal data."""
    return Edit(start=start, length=length, before=None, after=after)


def apply(text: str, steps: Sequence[Step]) -> str:
    """The text after all steps. Raises BalanceError if an edit does not fit it."""
    for step in steps:
        pieces, at = [], 0
        for edit in step.edits:
            end = edit.start + edit.length
            if edit.start < at or end > len(text) or (edit.before is not None and text[edit.start:end] != edit.before):
                raise BalanceError(f"rule {step.rule}: an edit at character {edit.start} does not fit the text. Please report this.")
            pieces += [text[at:edit.start], edit.after]
            at = end
        text = "".join([*pieces, text[at:]])
    return text


def revert(text: str, steps: Sequence[Step]) -> str:
    """The text before all steps. Raises BalanceError if an edit does not fit, or keeps nothing to go back to (personal data)."""
    for step in reversed(steps):
        pieces, at, moved_by = [], 0, 0
        for edit in step.edits:
            start = edit.start + moved_by
            end = start + len(edit.after)
            if edit.before is None:
                raise BalanceError(f"rule {step.rule}: masked personal data at character {edit.start} stands only in the source; "
                                   "read the source again and replay the edits.")
            if start < at or text[start:end] != edit.after:
                raise BalanceError(f"rule {step.rule}: an edit at character {edit.start} does not fit the text. Please report this.")
            pieces += [text[at:start], edit.before]
            at = end
            moved_by += len(edit.after) - edit.length
        text = "".join([*pieces, text[at:]])
    return text


def place_after(offset: int, steps: Sequence[Step]) -> int:
    """Where a character of the text before all steps lies after them; inside an edit, the beginning of what replaced it."""
    for step in steps:
        moved_by = 0
        for edit in step.edits:
            if offset < edit.start + edit.length:
                if offset > edit.start:
                    offset = edit.start
                break
            moved_by += len(edit.after) - edit.length
        offset += moved_by
    return offset


def places_after(offsets: Sequence[int], steps: Sequence[Step]) -> list[int]:
    """`place_after` of many offsets at once, in the time that one needs."""
    order = sorted(range(len(offsets)), key=offsets.__getitem__)
    moved = list(offsets)
    for step in steps:
        edits = iter(step.edits)
        edit, moved_by = next(edits, None), 0
        for number in order:
            while edit is not None and moved[number] >= edit.start + edit.length:
                moved_by += len(edit.after) - edit.length
                edit = next(edits, None)
            moved[number] = (moved[number] if edit is None or moved[number] <= edit.start else edit.start) + moved_by
    return moved


def place_before(offset: int, steps: Sequence[Step]) -> int:
    """Where a character of the text after all steps lay before them; inside an edit, the beginning of what was replaced."""
    for step in reversed(steps):
        moved_by = 0
        for edit in step.edits:
            start = edit.start + moved_by
            if offset < start + len(edit.after):
                if offset > start:
                    offset = start
                break
            moved_by += len(edit.after) - edit.length
        offset -= moved_by
    return offset


def between(rule: str, before: str, after: str) -> Step | None:
    """The step that turns one text into the other, None if they are equal. Exact by construction, small where the texts are alike."""
    if before == after:
        return None
    old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    edits: list[Edit] = []
    starts = [0]
    for line in old:
        starts.append(starts[-1] + len(line))
    for tag, left, right, other_left, other_right in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        edits += _trimmed(starts[left], "".join(old[left:right]), "".join(new[other_left:other_right]))
    return Step(rule=rule, edits=tuple(edits))


def _trimmed(start: int, before: str, after: str) -> list[Edit]:
    """The differing middle of two pieces; of pieces that are not long, the differing words."""
    head = next((index for index, (old, new) in enumerate(zip(before, after, strict=False)) if old != new), min(len(before), len(after)))
    tail = 0
    while tail < min(len(before), len(after)) - head and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    before, after = before[head:len(before) - tail], after[head:len(after) - tail]
    start += head
    if not before or not after or len(before) * len(after) > 1_000_000:
        return [replaced(start, before, after)]
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    return [replaced(start + left, before[left:right], after[other_left:other_right])
            for tag, left, right, other_left, other_right in matcher.get_opcodes() if tag != "equal"]


def joined(edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Edits in order. Raises BalanceError if two of them overlap."""
    ordered = tuple(sorted(edits, key=lambda edit: edit.start))
    for first, second in pairwise(ordered):
        if first.start + first.length > second.start:
            raise BalanceError(f"two edits overlap at character {second.start}. Please report this.")
    return ordered
