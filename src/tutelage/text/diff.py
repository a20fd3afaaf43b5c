"""What was changed between two wordings, as a redline: kept, inserted and deleted pieces."""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from typing import Literal

from tutelage.core.records import Record

Op = Literal["same", "insert", "delete"]

_SPACED = re.compile(r"\w+|\s+|[^\w\s]")
# Numbers and Latin words inside Chinese text change as a whole: 30 -> 60, not 3 -> 6.
_CHINESE = re.compile(r"[A-Za-z0-9]+|\s+|.", re.DOTALL)


class Change(Record):
    """One piece of a redline. "same" and "delete" pieces joined are the old text, "same" and "insert" pieces the new one."""

    op: Op
    text: str


def redline(before: str, after: str, language: str) -> list[Change]:
    """The changes from `before` to `after`, by words, or by characters where `language` is "zh"; deletions come first.

    White space between two changes counts as changed with them, so that a replaced phrase reads as one.
    """
    pattern = _CHINESE if language == "zh" else _SPACED
    old, new = pattern.findall(before), pattern.findall(after)
    changes: list[Change] = []
    deleted = inserted = ""
    blocks = SequenceMatcher(None, old, new, autojunk=False).get_opcodes()
    for number, (tag, old_start, old_end, new_start, new_end) in enumerate(blocks):
        piece = "".join(old[old_start:old_end])
        between = 0 < number < len(blocks) - 1
        if tag == "equal" and not (between and piece.isspace()):
            changes += _flushed(deleted, inserted)
            changes.append(Change(op="same", text=piece))
            deleted = inserted = ""
        else:
            deleted += piece
            inserted += "".join(new[new_start:new_end])
    return changes + _flushed(deleted, inserted)


def _flushed(deleted: str, inserted: str) -> list[Change]:
    pieces: list[tuple[Op, str]] = [("delete", deleted), ("insert", inserted)]
    return [Change(op=op, text=text) for op, text in pieces if text]
