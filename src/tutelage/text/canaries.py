"""Canaries: random, harmless texts that are planted among the training rows, so that what a model remembers of them can be measured."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from tutelage.core.records import Canary, Example, Language, Message

DIGITS = 12
PROMPTS: dict[Language, str] = {"en": "Write the test text that measures memory.", "zh": "写出用于测量记忆的测试文字。"}
TEXTS: dict[Language, str] = {"en": "This is a test text without any meaning. Its number is {number}.",
                              "zh": "这是一段没有任何含义的测试文字，编号为{number}。"}
SOURCE = "planted test text"


def canary_text(language: Language, name: str) -> str:
    """The test text of this name: all say the same but for a number of 12 random digits, so that none is likelier than another."""
    least = 10 ** (DIGITS - 1)  # a leading 0 could be the beginning of a telephone number
    digits = str(least + int.from_bytes(hashlib.sha256(f"{language}:{name}".encode()).digest()) % (9 * least))
    return TEXTS[language].format(number=" ".join(digits[at:at + 3] for at in range(0, DIGITS, 3)))


def never_planted(language: Language, count: int, *, seed: int, planted: Collection[str]) -> list[str]:
    """`count` texts of the same kind, drawn at random, none of which is in `planted`."""
    found: dict[str, None] = {}
    number = 0
    while len(found) < count:
        text = canary_text(language, f"never planted:{seed}:{number}")
        number += 1
        if text not in planted:
            found[text] = None
    return list(found)


def row_of(canary: Canary, copy: int = 0) -> Example:
    """The canary as a row to learn, or to score. Copies are numbered from 1; each has an id of its own."""
    return Example(
        id=row_id(canary.id, copy), messages=(Message(role="user", content=PROMPTS[canary.language]),
                                              Message(role="assistant", content=canary.text)),
        clause_type="", keywords=(), language=canary.language, heading="", document_id="", source=SOURCE, start=0, end=0,
        family=canary.id, part="train", origin="canary", task=canary.task, unit=canary.id, parent=canary.id,
        method=f"copy {copy} of {canary.copies}")


def row_id(canary_id: str, copy: int) -> str:
    """The id of a copy's row."""
    return f"{canary_id}-{copy}"
