"""THE rendering of messages to token ids. Training and every engine use it; nobody else renders.

Ids, not strings, cross the border between training and serving, and text of users is never parsed for special tokens,
so no message can close its own turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.engine import Tokenizer
from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.core.records import Message, Record, Role


class ChatFormat(Record):
    """How turns are framed: `start` token, the role's name, a line end, the content, `end` token, a line end.

    `begin` is the token at the very beginning, "" for none. `roles` maps our roles to the names that the model knows. Where
    there is no system role, a system message at the beginning leads the user's first message; any other missing role is refused.
    """

    name: str
    begin: str
    start: str
    end: str
    roles: dict[Role, str]

    @property
    def hash(self) -> str:
        """Changes with any change of the format; training, copies and engines must agree on it."""
        return short_hash(self.model_dump_json())


CHATML = ChatFormat(name="chatml", begin="", start="<|im_start|>", end="<|im_end|>",
                    roles={"system": "system", "user": "user", "assistant": "assistant"})
GEMMA = ChatFormat(name="gemma", begin="<bos>", start="<start_of_turn>", end="<end_of_turn>", roles={"user": "user", "assistant": "model"})
SYSTEM_GAP = "\n\n"  # between system and user message in a turn of both, as in Google's template for Gemma
FORMATS = {chat_format.name: chat_format for chat_format in (CHATML, GEMMA)}


class Rendered(Record):
    """Token ids of a conversation and which of them are learned.

    `supervised[i]` is true where `ids[i]` belongs to a reply of the assistant or is the token that ends it.
    """

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]


def end_id(chat_format: ChatFormat, tokenizer: Tokenizer) -> int:
    """The token that ends every turn: generation stops there."""
    return tokenizer.special(chat_format.end)


def render(messages: Sequence[Message], chat_format: ChatFormat, tokenizer: Tokenizer, *, reply: bool) -> Rendered:
    """Token ids of `messages`. With `reply` they end where the assistant's next turn begins.

    The head of a turn and its content are tokenized apart, so the ids of a prompt are a prefix of those of the same
    prompt with its reply. Raises InputError for no message, or a role that the format lacks.
    """
    if not messages:
        raise InputError("a conversation needs at least one message; it has none.")
    if reply and messages[-1].role == "assistant":
        raise InputError("the last message is already the assistant's; a reply can follow a user's message only.")
    ids: list[int] = [tokenizer.special(chat_format.begin)] if chat_format.begin else []
    supervised = [False] * len(ids)
    for message in _turns(messages, chat_format):
        head = _head(message.role, chat_format, tokenizer)
        body = [*tokenizer.tokenize(message.content), tokenizer.special(chat_format.end)]
        tail = tokenizer.tokenize("\n")
        ids += head + body + tail
        supervised += [False] * len(head) + [message.role == "assistant"] * len(body) + [False] * len(tail)
    if reply:
        head = _head("assistant", chat_format, tokenizer)
        ids += head
        supervised += [False] * len(head)
    return Rendered(ids=tuple(ids), supervised=tuple(supervised))


def _turns(messages: Sequence[Message], chat_format: ChatFormat) -> Sequence[Message]:
    """The messages; where the format has no system role, a leading system message stands before the user's own words."""
    if "system" in chat_format.roles or [message.role for message in messages[:2]] != ["system", "user"]:
        return messages
    system, user, *rest = messages
    return (user.model_copy(update={"content": f"{system.content}{SYSTEM_GAP}{user.content}"}), *rest)


def _head(role: Role, chat_format: ChatFormat, tokenizer: Tokenizer) -> list[int]:
    if role not in chat_format.roles:
        raise InputError(f"the format {chat_format.name!r} has no role {role!r}; it has {', '.join(chat_format.roles)}. "
                         "Put the text into the user's message.")
    return [tokenizer.special(chat_format.start), *tokenizer.tokenize(chat_format.roles[role] + "\n")]
