"""The reader of calls: however a reply is cut into pieces, the same words and calls are told."""

from __future__ import annotations

import random

import pytest

from tutelage.core.tool_chat import HERMES, LLAMA3, Dialect
from tutelage.endpoint.calls import CallPiece, CallReader

ARGUMENTS = '{"city": "Os\\"}lo", "at": {"days": [1, {}]}}'
CALL = f'<tool_call>\n{{"name": "weather", "arguments": {ARGUMENTS}}}\n</tool_call>'
NOW = '<tool_call>\n{"name": "now", "arguments": {}}\n</tool_call>'
LED = f'{{"name": "weather", "parameters": {ARGUMENTS}}}'


def read(dialect: Dialect, pieces: list[str]) -> tuple[str, list[tuple[str, str]], list[str]]:
    """The words, the calls, and the words as they were told."""
    reader = CallReader(dialect)
    told = [part for piece in pieces for part in reader.feed(piece)] + list(reader.end())
    words = [part for part in told if not isinstance(part, CallPiece)]
    streamed: list[list[str]] = []
    for part in told:
        if isinstance(part, CallPiece) and part.opens:
            assert part.number == len(streamed)
            streamed.append([part.opens.name, ""])
        elif isinstance(part, CallPiece):
            streamed[part.number][1] += part
    calls = [(call.name, call.arguments) for call in reader.calls]
    assert [tuple(one) for one in streamed] == calls
    assert "".join(words) == reader.words
    return reader.words, calls, words


@pytest.mark.parametrize("dialect, text, words, calls", [
    (HERMES, "It rains. ", "It rains. ", []), (HERMES, "a < b <tool", "a < b <tool", []), (HERMES, "", "", []),
    (HERMES, CALL, "", [("weather", ARGUMENTS)]), (HERMES, f"See:\n\n{CALL}", "See:", [("weather", ARGUMENTS)]),
    (HERMES, f"<<tool_call {CALL}\n{NOW}", "<<tool_call", [("weather", ARGUMENTS), ("now", "{}")]),
    (HERMES, CALL[:40], "", []), (HERMES, CALL[:60], "", [("weather", CALL[CALL.index(ARGUMENTS):60])]), (HERMES, CALL[:20], "", []),
    (LLAMA3, LED, "", [("weather", ARGUMENTS)]), (LLAMA3, f"I say {LED}", f"I say {LED}", []), (LLAMA3, '{"nam', '{"nam', []),
    (LLAMA3, '{"a": 1}', '{"a": 1}', []),
])
def test_words_and_calls_are_the_same_however_the_reply_is_cut(dialect, text, words, calls):
    chance = random.Random(3)
    for cut in (1, 2, 1000, 0, 0, 0):
        pieces, place = [], 0
        while place < len(text):
            size = cut or chance.randint(1, 9)
            pieces.append(text[place:place + size])
            place += size
        assert read(dialect, pieces)[:2] == (words, calls)


def test_words_are_told_as_soon_as_they_cannot_begin_a_call():
    reader = CallReader(HERMES)
    assert list(reader.feed("It rains <b")) == ["It rains <b"]
    assert list(reader.feed(" <tool")) == []
    assert list(reader.feed("box")) == [" <toolbox"]
