"""Calls of tools: the grammar that a reply with tools is written under, and the reader that finds its calls while it comes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from tutelage.core.tool_chat import Call, Dialect
from tutelage.endpoint.grammar import Grammar, literal
from tutelage.endpoint.schema_words import Schema

Must = Literal["may", "must", "must not"]
MOST_CALLS = 16  # in one reply


def add_calls(grammar: Grammar, dialect: Dialect, tools: Mapping[str, Schema], *, several: bool) -> str:
    """The rules of one or (`several`) more calls of these tools, which have checked schemas of objects.

    Gives the expression of what stands after the dialect's trigger.
    """
    bodies = [f"{literal(name + dialect.middle)} {grammar.add_schema(f't{number}', schema)}"
              for number, (name, schema) in enumerate(tools.items())]
    opened = literal(dialect.begin.removeprefix(dialect.trigger))
    call = grammar.add_rule("call", f"{opened} ({' | '.join(bodies)}) {literal(dialect.end)}")
    more = f"({literal(dialect.between + dialect.trigger)} {call}){{0,{MOST_CALLS - 1}}}"
    return f"{call} {more}" if several and dialect.takes_several else call


def add_words(grammar: Grammar, dialect: Dialect, calls: str) -> str:
    """The rules of a reply in free words that turns into `calls` where the dialect's trigger was written; "" for `calls`: never.

    Each rule stands for how much of the trigger was written last; there is one way only to read a reply.
    """
    trigger = dialect.trigger
    free = grammar.add_rule("free", ".*") if dialect.leads else "words-0"
    for place, awaited in enumerate(trigger):
        letters = [awaited] if dialect.leads else sorted(set(trigger))
        ways = []
        for letter in letters:
            reached = _reached(trigger, trigger[:place] + letter)
            if reached < len(trigger):
                ways.append(f"{literal(letter)} words-{reached}")
            elif calls:
                ways.append(f"{literal(letter)} {calls}")
        ways.append(f"[^{''.join(letters)}] {free}")
        grammar.add_rule(f"words-{place}", f"({' | '.join(ways)})?")
    return "words-0"


def _reached(trigger: str, written: str) -> int:
    """How much of the trigger stands at the end of what was written."""
    return max(length for length in range(len(trigger) + 1) if written.endswith(trigger[:length]))


class CallPiece(str):
    """A piece of a call's arguments, with which call it belongs to; the first piece of a call is empty and opens it."""

    number: int
    opens: Call | None

    def __new__(cls, text: str, *, number: int, opens: Call | None = None) -> CallPiece:
        """The piece."""
        made = super().__new__(cls, text)
        made.number, made.opens = number, opens
        return made


class CallReader:
    """Finds the calls in a reply that was written under the grammar above, while it comes. `words` is what stands before them.

    White space before a call belongs to it. What could be the beginning of a call is held back.
    """

    def __init__(self, dialect: Dialect) -> None:
        self.words = ""
        self.calls: list[Call] = []
        self._dialect = dialect
        self._held = ""
        self._place: Literal["words", "name", "arguments", "end"] = "words"
        self._depth = 0
        self._is_text = self._is_escaped = False

    def feed(self, piece: str) -> Sequence[str]:
        """Take the next piece of the reply; gives what may be told now: words, and CallPieces."""
        self._held += piece
        told: list[str] = []
        steps = {"words": self._words, "name": self._name, "arguments": self._arguments, "end": self._end}
        while steps[self._place](told):
            continue
        return told

    def end(self) -> Sequence[str]:
        """The words that were held back; the reply has ended."""
        if self._place != "words" or self.calls:
            return []
        rest, self._held = self._held, ""
        self.words += rest
        return [rest] if rest else []

    def _words(self, told: list[str]) -> bool:
        """Tell words up to a trigger, or to what could be its beginning. True if there is more to read."""
        held, trigger, leads = self._held, self._dialect.trigger, self._dialect.leads
        place = held.find(trigger)
        if leads:
            is_open = not self.words and trigger.startswith(held[:len(trigger)])
            place = 0 if is_open and len(held) >= len(trigger) else -1
            words = "" if is_open else held
        elif place >= 0:
            words = held[:place].rstrip()
        else:
            kept = max(length for length in range(len(trigger)) if held.endswith(trigger[:length]))
            words = held[:len(held) - kept].rstrip()
        self.words += words
        self._held = held[place if place >= 0 else len(words):]
        if place >= 0:
            self._place = "name"
        if words:
            told.append(words)
        return place >= 0

    def _name(self, told: list[str]) -> bool:
        begin, middle = self._dialect.begin, self._dialect.middle
        place = self._held.find(middle, len(begin))
        if place < 0:
            return False
        name, self._held = self._held[len(begin):place], self._held[place + len(middle):]
        call = Call(id=f"call_{secrets.token_hex(12)}", name=name, arguments="")
        told.append(CallPiece("", number=len(self.calls), opens=call))
        self.calls.append(call)
        self._place, self._depth = "arguments", 0
        return True

    def _arguments(self, told: list[str]) -> bool:
        """Tell arguments up to the brace that closes them."""
        length = len(self._held)
        for place, letter in enumerate(self._held, 1):
            if self._is_text:
                self._is_text = self._is_escaped or letter != '"'
                self._is_escaped = letter == "\\" and not self._is_escaped
            elif letter == '"':
                self._is_text = True
            else:
                self._depth += {"{": 1, "}": -1}.get(letter, 0)
                if self._depth == 0:
                    length, self._place = place, "end"
                    break
        piece, self._held = self._held[:length], self._held[length:]
        if piece:
            self.calls[-1] = self.calls[-1].model_copy(update={"arguments": self.calls[-1].arguments + piece})
            told.append(CallPiece(piece, number=len(self.calls) - 1))
        return self._place == "end"

    def _end(self, told: list[str]) -> bool:
        """Pass over what stands after the arguments, up to the next call."""
        place = self._held.find(self._dialect.trigger, len(self._dialect.end))
        if place < 0:
            return False
        self._held, self._place = self._held[place:], "name"
        return True
