"""Rows of learning from preferences: two replies to one prompt, or one reply that was wanted or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import Tokenizer
from tutelage.core.records import Example, Message
from tutelage.training.rows import TrainingRow


@dataclass(frozen=True)
class PairRow:
    """A prompt with the reply that was chosen and the one that was rejected; only the tokens of the last turns are learned."""

    id: str
    chosen: TrainingRow
    rejected: TrainingRow

    @property
    def sequences(self) -> tuple[TrainingRow, TrainingRow]:
        """Both, the better one first."""
        return self.chosen, self.rejected

    @property
    def ids(self) -> tuple[int, ...]:
        """All tokens of both."""
        return self.chosen.ids + self.rejected.ids

    @property
    def longest(self) -> int:
        """Tokens of the longer one."""
        return max(len(one.ids) for one in self.sequences)

    @property
    def trained(self) -> int:
        """Learned tokens of both replies."""
        return self.chosen.trained + self.rejected.trained


@dataclass(frozen=True)
class JudgedRow:
    """A prompt with a reply that was wanted or not, and the same prompt with the reply to another one (`mismatched`)."""

    id: str
    reply: TrainingRow
    mismatched: TrainingRow
    wanted: bool

    @property
    def sequences(self) -> tuple[TrainingRow, TrainingRow]:
        """The reply, and the other one."""
        return self.reply, self.mismatched

    @property
    def ids(self) -> tuple[int, ...]:
        """All tokens of both."""
        return self.reply.ids + self.mismatched.ids

    @property
    def longest(self) -> int:
        """Tokens of the longer one."""
        return max(len(one.ids) for one in self.sequences)

    @property
    def trained(self) -> int:
        """Learned tokens of the reply."""
        return self.reply.trained


def render_last(name: str, messages: Sequence[Message], chat_format: ChatFormat, tokenizer: Tokenizer) -> TrainingRow:
    """The conversation as token ids, with its last turn and the token that ends it marked as learned; earlier replies are only read."""
    whole = render(messages, chat_format, tokenizer, reply=False)
    start = len(render(messages[:-1], chat_format, tokenizer, reply=True).ids)
    supervised = tuple(learned and place >= start for place, learned in enumerate(whole.supervised))
    return TrainingRow(id=name, ids=whole.ids, supervised=supervised, reply_bytes=len(messages[-1].content.encode()))


def render_pair(example: Example, chat_format: ChatFormat, tokenizer: Tokenizer) -> PairRow:
    """Both replies of a preference row."""
    worse = (*example.prompt, Message(role="assistant", content=example.rejected))
    return PairRow(id=example.id, chosen=render_last(example.id, example.messages, chat_format, tokenizer),
                   rejected=render_last(example.id, worse, chat_format, tokenizer))


def render_judged(example: Example, mismatched: str, chat_format: ChatFormat, tokenizer: Tokenizer) -> JudgedRow:
    """A feedback row, with the text of another row's reply."""
    other = (*example.prompt, Message(role="assistant", content=mismatched))
    return JudgedRow(id=example.id, reply=render_last(example.id, example.messages, chat_format, tokenizer),
                     mismatched=render_last(example.id, other, chat_format, tokenizer), wanted=example.label == "true")


def mismatched_replies(examples: Sequence[Example]) -> dict[str, str]:
    """For each row the reply of the next row of its part that says something else; its own where all say the same."""
    found = {}
    for part in sorted({example.part for example in examples}):
        rows = [example for example in examples if example.part == part]
        for number, example in enumerate(rows):
            following = (rows[(number + step) % len(rows)].text for step in range(1, len(rows)))
            found[example.id] = next((text for text in following if text != example.text), example.text)
    return found
