"""THE rendering of messages to token ids. Training and every engine use it; nobody else renders.

Ids, not strings, cross the border between training and serving, and text of users is never parsed for special tokens,
so no message can close its own turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import SerializerFunctionWrapHandler, model_serializer

from tutelage.core.engine import Tokenizer
from tutelage.core.errors import InputError
from tutelage.core.files import short_hash
from tutelage.core.records import Message, Record, Role


class Instruct(Record):
    """What formats with instructions have beside `start` and `end`: the user's words stand between `start` and `close`, a reply is bare.

    Where the marks are no special tokens (`special` false) they are tokenized in one text with the words, a space around these;
    then a message that holds a mark is refused. `begins` repeats the format's `begin` before each turn of the user. `trail` is
    the text between a reply and its end.
    """

    close: str
    special: bool
    begins: bool
    trail: str


class ChatFormat(Record):
    """How turns are framed: `start` token, the role's name, `head_end` token, `head_gap`, the content, `end` token, `turn_gap`.

    `begin` is the token at the very beginning; "" stands for no token. `roles` maps our roles to the names that the model knows.
    Where there is no system role, a system message at the beginning leads the user's first message, between `system_open`
    and `system_close`; any other missing role is refused. With `instruct` turns have no heads: see there.
    """

    name: str
    begin: str
    start: str
    end: str
    roles: dict[Role, str]
    head_end: str = ""
    head_gap: str = "\n"
    turn_gap: str = "\n"
    system_open: str = ""
    system_close: str = "\n\n"  # as in Google's template for Gemma
    instruct: Instruct | None = None

    @model_serializer(mode="wrap")
    def _without_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, object]:
        """What is not said is left out, so that a later addition changes neither the hash nor chat.json of earlier formats."""
        fields = type(self).model_fields
        return {name: value for name, value in write(self).items() if fields[name].is_required() or value != fields[name].default}

    @property
    def hash(self) -> str:
        """Changes with any change of the format; training, copies and engines must agree on it."""
        return short_hash(self.model_dump_json())


NAMES: dict[Role, str] = {"system": "system", "user": "user", "assistant": "assistant"}
TWO: dict[Role, str] = {"user": "user", "assistant": "assistant"}
CHATML = ChatFormat(name="chatml", begin="", start="<|im_start|>", end="<|im_end|>", roles=NAMES)
GEMMA = ChatFormat(name="gemma", begin="<bos>", start="<start_of_turn>", end="<end_of_turn>", roles={"user": "user", "assistant": "model"})
LLAMA3 = ChatFormat(name="llama3", begin="<|begin_of_text|>", start="<|start_header_id|>", end="<|eot_id|>", roles=NAMES,
                    head_end="<|end_header_id|>", head_gap="\n\n", turn_gap="")
LLAMA2 = ChatFormat(  # source: chat_completion in generation.py of Meta's llama repository
    name="llama2", begin="<s>", start="[INST]", end="</s>", roles=TWO, system_open="<<SYS>>\n", system_close="\n<</SYS>>\n\n",
    instruct=Instruct(close="[/INST]", special=False, begins=True, trail=" "))
MISTRAL_V1 = ChatFormat(  # 7B v0.1 and v0.2; source: the tokenizer versions of mistral-common
    name="mistral_v1", begin="<s>", start="[INST]", end="</s>", roles=TWO,
    instruct=Instruct(close="[/INST]", special=False, begins=False, trail=""))
MISTRAL = ChatFormat(  # v0.3 and later, where the marks are tokens of their own
    name="mistral", begin="<s>", start="[INST]", end="</s>", roles=TWO,
    instruct=Instruct(close="[/INST]", special=True, begins=False, trail=""))
NO_CHAT = ChatFormat(name="none", begin="", start="", end="", roles={})  # of models that read texts and never answer
ONLY_READS = ("this model reads texts and cannot answer: it has no chat format. Train it with training.task: classification, or choose a "
              "base that drafts.")
FORMATS = {chat_format.name: chat_format for chat_format in (CHATML, GEMMA, LLAMA3, LLAMA2, MISTRAL_V1, MISTRAL)}


class Rendered(Record):
    """Token ids of a conversation and which of them are learned.

    `supervised[i]` is true where `ids[i]` belongs to a reply of the assistant or is the token that ends it.
    """

    ids: tuple[int, ...]
    supervised: tuple[bool, ...]


def end_id(chat_format: ChatFormat, tokenizer: Tokenizer) -> int:
    """The token that ends every turn: generation stops there. Raises InputError for a model that cannot answer."""
    if not chat_format.roles:
        raise InputError(ONLY_READS)
    return tokenizer.special(chat_format.end)


def render(messages: Sequence[Message], chat_format: ChatFormat, tokenizer: Tokenizer, *, reply: bool) -> Rendered:
    """Token ids of `messages`. With `reply` they end where the assistant's next turn begins.

    What frames a turn and its content are tokenized so that the ids of a prompt are a prefix of those of the same prompt with
    its reply. Raises InputError for no message, a role that the format lacks, turns in an order that it lacks, or a mark of
    the format in a message where marks are plain text.
    """
    if not messages:
        raise InputError("a conversation needs at least one message; it has none.")
    if reply and messages[-1].role == "assistant":
        raise InputError("the last message is already the assistant's; a reply can follow a user's message only.")
    _check_roles(messages, chat_format)
    frame = _frame_instruct if chat_format.instruct else _frame
    ids: list[int] = [tokenizer.special(chat_format.begin)] if chat_format.begin else []
    supervised = [False] * len(ids)
    for number, message in enumerate(_turns(messages, chat_format)):
        head, body, tail = frame(message, chat_format, tokenizer, number == 0)
        ids += head + body + tail
        supervised += [False] * len(head) + [message.role == "assistant"] * len(body) + [False] * len(tail)
    if reply and not chat_format.instruct:
        head = _head("assistant", chat_format, tokenizer)
        ids += head
        supervised += [False] * len(head)
    return Rendered(ids=tuple(ids), supervised=tuple(supervised))


Parts = tuple[list[int], list[int], list[int]]


def _frame(message: Message, chat_format: ChatFormat, tokenizer: Tokenizer, first: bool) -> Parts:
    """Ids of a turn: its head, its content and end, what follows."""
    body = [*tokenizer.tokenize(message.content), tokenizer.special(chat_format.end)]
    tail = tokenizer.tokenize(chat_format.turn_gap) if chat_format.turn_gap else []
    return _head(message.role, chat_format, tokenizer), body, tail


def _head(role: Role, chat_format: ChatFormat, tokenizer: Tokenizer) -> list[int]:
    start, name = tokenizer.special(chat_format.start), chat_format.roles[role]
    if not chat_format.head_end:
        return [start, *tokenizer.tokenize(name + chat_format.head_gap)]
    return [start, *tokenizer.tokenize(name), tokenizer.special(chat_format.head_end), *tokenizer.tokenize(chat_format.head_gap)]


def _frame_instruct(message: Message, chat_format: ChatFormat, tokenizer: Tokenizer, first: bool) -> Parts:
    """Ids of a turn of a format with instructions: what stands before it, its content with its marks or end, nothing."""
    marks, content = chat_format.instruct, message.content
    assert marks is not None
    if message.role == "assistant":
        if not marks.special:
            return [], [*_following(marks.close, f" {content}{marks.trail}", tokenizer), tokenizer.special(chat_format.end)], []
        return [], [*tokenizer.tokenize(content), tokenizer.special(chat_format.end)], []
    again = [tokenizer.special(chat_format.begin)] if marks.begins and not first else []
    if not marks.special:
        return again, tokenizer.tokenize(f"{chat_format.start} {content} {marks.close}"), []
    return [*again, tokenizer.special(chat_format.start)], [*tokenizer.tokenize(content), tokenizer.special(marks.close)], []


def _following(before: str, text: str, tokenizer: Tokenizer) -> list[int]:
    """Ids of `text` as they are after `before`: many vocabularies put a space before what they take for a beginning."""
    known, whole = tokenizer.tokenize(before), tokenizer.tokenize(before + text)
    return whole[len(known):] if whole[:len(known)] == known else tokenizer.tokenize(text)


def _check_roles(messages: Sequence[Message], chat_format: ChatFormat) -> None:
    """Raise InputError for a conversation that the format cannot express."""
    turns = _turns(messages, chat_format)
    for role in (message.role for message in turns):
        if not chat_format.roles:
            raise InputError(ONLY_READS)
        if role not in chat_format.roles:
            raise InputError(f"the format {chat_format.name!r} has no role {role!r}; it has {', '.join(chat_format.roles)}. "
                             "Put the text into the user's message.")
    if not chat_format.instruct:
        return
    for number, message in enumerate(turns):
        if message.role != ("user", "assistant")[number % 2]:
            raise InputError(f"in the format {chat_format.name!r} user and assistant take turns, the user first; turn {number + 1} is of "
                             f"{message.role!r}. Join what one role says in a row.")
    if not chat_format.instruct.special:
        signs = (chat_format.start, chat_format.instruct.close, chat_format.system_open.strip(), chat_format.system_close.strip())
        for sign in (sign for message in messages for sign in signs if sign and sign in message.content):
            raise InputError(f"a message holds {sign!r}, by which the format {chat_format.name!r} tells turns apart; it would change who "
                             "speaks. Leave it out.")


def _turns(messages: Sequence[Message], chat_format: ChatFormat) -> Sequence[Message]:
    """The messages; where the format has no system role, a leading system message stands before the user's own words."""
    if "system" in chat_format.roles or [message.role for message in messages[:2]] != ["system", "user"]:
        return messages
    system, user, *rest = messages
    content = f"{chat_format.system_open}{system.content}{chat_format.system_close}{user.content}"
    return (user.model_copy(update={"content": content}), *rest)
