"""How a conversation reaches a service: ids that stand for characters and marks, read back as messages, or spelled as one text.

A service renders messages with its own template and has its own tokens. So that the one rendering of `core.chat` still makes every
prompt, prompts for a service are rendered in the format SERVED with the ids of `Wire`, from which the messages can be read again.
"""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError
from tutelage.core.records import Message, Role
from tutelage.engine.sampling import check_text

FIRST_MARK = 0x110000  # one above the last code point
ROLES: dict[Role, str] = {"system": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
SERVED = ChatFormat(name="served", begin="", start="<start>", end="<end>", roles=ROLES)


class Wire:
    """A vocabulary of characters. Marks are ids above all characters, so that no text can hold one; any name is a mark."""

    def __init__(self) -> None:
        self._marks: list[str] = [SERVED.start, SERVED.end]

    def tokenize(self, text: str) -> list[int]:
        """The code points of the text."""
        check_text(text)
        return [ord(character) for character in text]

    def special(self, token: str) -> int:
        """The id of a mark; a name that is new becomes one."""
        if token not in self._marks:
            self._marks.append(token)
        return FIRST_MARK + self._marks.index(token)

    def detokenize(self, token_ids: Sequence[int]) -> str:
        """The characters, marks left out."""
        return "".join(chr(token) for token in token_ids if token < FIRST_MARK)

    def spelled(self, token_ids: Sequence[int]) -> str:
        """The characters, with the names of marks where they stand: what a server that reads marks in texts takes."""
        return "".join(chr(token) if token < FIRST_MARK else self._marks[token - FIRST_MARK] for token in token_ids)


def messages_of(token_ids: Sequence[int]) -> list[Message]:
    """The messages of a prompt rendered in the format SERVED; the head of the reply that is asked for is left out.

    Raises CannotDo for a reply that was begun: a service begins replies itself.
    """
    start, end = FIRST_MARK, FIRST_MARK + 1
    messages, place = [], 0
    ids = list(token_ids)
    while place < len(ids):
        if ids[place] != start:
            raise InputError(f"the prompt has id {ids[place]} where a turn begins; render it in the format {SERVED.name!r}.")
        head = ids.index(ord("\n"), place)
        role = "".join(map(chr, ids[place + 1:head]))
        if end not in ids[head:]:
            if ids[head + 1:]:
                raise CannotDo("a service begins replies itself and cannot go on with one that was begun. Use the model's folder or file.")
            break
        close = ids.index(end, head)
        messages.append(Message.model_validate({"role": role, "content": "".join(map(chr, ids[head + 1:close]))}))
        place = close + 2  # the line end after a turn
    return messages


def spell(messages: Sequence[Message], chat_format: ChatFormat, *, reply: bool) -> str:
    """The messages as one text in a model's own format, its marks spelled out, up to the mark that ends the last reply.

    With `reply` it ends where the next one begins. Raises InputError for a message that holds a mark: the server would read it as one.
    """
    wire = Wire()
    rendered = render(messages, chat_format, wire, reply=reply)
    ids = rendered.ids
    if not reply:
        ids = ids[:max(place for place, is_learned in enumerate(rendered.supervised) if is_learned) + 1]
    for mark in (mark for mark in marks_of(chat_format) if any(mark in message.content for message in messages)):
        raise InputError(f"a message holds {mark!r}, a mark of the format {chat_format.name!r}, and the service would read it as one. "
                         "Leave the row out.")
    return wire.spelled(ids)


def marks_of(chat_format: ChatFormat) -> list[str]:
    """The marks by which a format tells turns apart."""
    marks = [chat_format.begin, chat_format.start, chat_format.end, chat_format.head_end]
    return [mark for mark in [*marks, chat_format.instruct.close if chat_format.instruct else ""] if mark]
