"""Rows ready for training: token ids of an example, and which of them are learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeVar

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import Tokenizer
from tutelage.core.records import Example
from tutelage.engine.vocabulary import Vocabulary


class Row(Protocol):
    """What every task's rows have."""

    @property
    def id(self) -> str:
        """The id of the example that it was made from."""
        ...

    @property
    def ids(self) -> tuple[int, ...]:
        """All tokens that are read when the row is computed: rows are sorted and grouped by their number."""
        ...

    @property
    def longest(self) -> int:
        """Tokens of the longest text that the model reads at once: what the limit of a row is compared with."""
        ...

    @property
    def trained(self) -> int:
        """Number of tokens that are learned; 0 where something else is, such as a class."""
        ...


R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class TrainingRow:
    """One rendered example. `reply_bytes` counts the UTF-8 bytes of the assistant's texts, for bits per byte."""

    id: str
    ids: tuple[int, ...]
    supervised: tuple[bool, ...]
    reply_bytes: int

    @property
    def longest(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    @property
    def trained(self) -> int:
        """Number of tokens that are learned."""
        return sum(self.supervised)

    @property
    def inputs(self) -> tuple[int, ...]:
        """The ids that the model must read: what follows the last learned token, and that token itself, predict nothing."""
        last = max(index for index, learned in enumerate(self.supervised) if learned)
        return self.ids[:last]

    @property
    def predicting(self) -> tuple[int, ...]:
        """Positions in `inputs` whose next token is learned."""
        return tuple(index - 1 for index, learned in enumerate(self.supervised) if learned)

    @property
    def targets(self) -> tuple[int, ...]:
        """The learned tokens, one for each position of `predicting`."""
        return tuple(token for token, learned in zip(self.ids, self.supervised, strict=True) if learned)


def render_text(example: Example, chat_format: ChatFormat, tokenizer: Tokenizer) -> TrainingRow:
    """The text of the example alone, all of it to learn: no turns. Its first token is only read unless the format has a beginning."""
    begin = [tokenizer.special(chat_format.begin)] if chat_format.begin else []
    ids = (*begin, *tokenizer.tokenize(example.text))
    return TrainingRow(id=example.id, ids=ids, supervised=(False,) + (True,) * (len(ids) - 1), reply_bytes=len(example.text.encode()))


def text_pieces(example: Example, chat_format: ChatFormat, vocabulary: Vocabulary, *, limit: int) -> list[TrainingRow]:
    """The text as rows of at most `limit` tokens. Each token is learned in exactly one of them, or in none as in the whole.

    Each row begins with what is only read: the format's beginning, or else the token before.
    """
    tokens = vocabulary.tokenize(example.text)
    begin = [vocabulary.special(chat_format.begin)] if chat_format.begin else []
    pieces = []
    for number, start in enumerate(range(0 if begin else 1, len(tokens), limit - 1), 1):
        learned = tokens[start : start + limit - 1]
        ids = (*(begin or tokens[start - 1 : start]), *learned)
        size = sum(len(vocabulary.bytes_of(token)) for token in learned)
        pieces.append(TrainingRow(id=f"{example.id}/{number}", ids=ids, supervised=(False,) + (True,) * len(learned), reply_bytes=size))
    return pieces


def render_row(example: Example, chat_format: ChatFormat, tokenizer: Tokenizer) -> TrainingRow:
    """The example as token ids, with the reply and the token that ends it marked as learned."""
    rendered = render(example.messages, chat_format, tokenizer, reply=False)
    reply_bytes = sum(len(message.content.encode()) for message in example.messages if message.role == "assistant")
    return TrainingRow(id=example.id, ids=rendered.ids, supervised=rendered.supervised, reply_bytes=reply_bytes)
