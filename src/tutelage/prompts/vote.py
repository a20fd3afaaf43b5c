"""Self-consistency: several replies to one prompt vote, and the answer that most of them give wins.

Source: Wang et al. 2022, "Self-Consistency Improves Chain of Thought Reasoning in Language Models", arXiv:2203.11171, section 2.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from tutelage.core.records import Record

Rule = Literal["exact", "number", "choice"]
LETTERS = ("A", "B", "C", "D", "E")
NUMBER = re.compile(r"-?\d{1,3}(?:,\d{3})+(?:\.\d+)?|-?\d+(?:\.\d+)?")
ENDS = ".。!！;；,，:：\"'“”‘’ "


class Vote(Record):
    """One answer with the places of the replies that gave it, counted from 0."""

    answer: str
    replies: tuple[int, ...]


class Tally(Record):
    """The votes, most first; of equal ones the one that came first. `unread` replies gave no answer that the rule can read.

    `margin` is how far the first is ahead of the second, as a share of all replies (0..1).
    """

    votes: tuple[Vote, ...]
    unread: tuple[int, ...]
    margin: float

    @property
    def lead(self) -> int:
        """By how many replies the first is ahead of the second."""
        first, second = (*(len(vote.replies) for vote in self.votes[:2]), 0, 0)[:2]
        return first - second


def read_answer(reply: str, rule: Rule, choices: Sequence[str] = LETTERS) -> str | None:
    """The answer of a reply, in one spelling; None where the rule finds none.

    "exact" takes the whole reply without case, width, white space and the punctuation at its ends; "number" the last number;
    "choice" the one of `choices` that stands last as a word of its own.
    """
    plain = " ".join(unicodedata.normalize("NFKC", reply).split())
    if rule == "exact":
        return plain.casefold().strip(ENDS) or None
    if rule == "number":
        found = NUMBER.findall(plain)
        return _number(found[-1]) if found else None
    last, winner = (0, 0), None
    for choice in choices:
        # Chinese has no spaces: only a Latin letter or a digit beside it makes it a part of another word.
        word = rf"(?<![A-Za-z0-9]){re.escape(unicodedata.normalize('NFKC', choice))}(?![A-Za-z0-9])"
        for match in re.finditer(word, plain):
            place = (match.end(), len(choice))  # of two that end together the longer one is meant: "not valid"
            if place > last:
                last, winner = place, choice
    return winner


def tally(replies: Sequence[str], rule: Rule, choices: Sequence[str] = LETTERS) -> Tally:
    """Count the answers of the replies."""
    given: dict[str, list[int]] = {}
    unread: list[int] = []
    for place, reply in enumerate(replies):
        answer = read_answer(reply, rule, choices)
        if answer is None:
            unread.append(place)
        else:
            given.setdefault(answer, []).append(place)
    votes = sorted((Vote(answer=answer, replies=tuple(places)) for answer, places in given.items()),
                   key=lambda vote: (-len(vote.replies), vote.replies[0]))
    counted = Tally(votes=tuple(votes), unread=tuple(unread), margin=0.0)
    return counted.model_copy(update={"margin": counted.lead / len(replies) if replies else 0.0})


def is_decided(counted: Tally, *, left: int) -> bool:
    """Whether the winner stays the winner whatever the `left` replies say."""
    return counted.lead > left


def _number(text: str) -> str:
    value = Decimal(text.replace(",", ""))
    whole = value.to_integral_value()
    return str(whole if value == whole else value.normalize())
