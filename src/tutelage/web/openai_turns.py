"""The conversation of a request as turns, its calls and their results checked: each result answers a call, each call has one."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.core.tool_chat import Call, Turn, plain_messages
from tutelage.web.openai_shapes import ChatMessage, ToolCall


class TurnMistake(InputError):
    """A message that does not fit its place; `place` is where, such as "messages[2].tool_call_id"."""

    def __init__(self, place: str, reason: str, *, code: str = "invalid_value") -> None:
        self.place, self.code = place, code
        super().__init__(reason)


def conversation(messages: Sequence[ChatMessage], tools: Sequence[str], chat_format: ChatFormat) -> tuple[list[Message], ChatFormat]:
    """The messages to render, and the format for it. Raises TurnMistake, or InputError for what the format cannot express."""
    turns, waiting = [], dict[str, str]()  # the calls that have no result yet, with their functions
    for number, message in enumerate(messages):
        place = f"messages[{number}]"
        _check_fields(message, place)
        if message.role == "tool":
            if message.tool_call_id not in waiting:
                raise TurnMistake(f"{place}.tool_call_id", f"{message.tool_call_id!r} is no call of the assistant's message before that "
                                                           "waits for a result.")
            called = waiting.pop(str(message.tool_call_id))
            if message.name not in (None, called):
                raise TurnMistake(f"{place}.name", f"{message.name!r} is not the function that was called; that is {called!r}.")
        elif waiting:
            raise TurnMistake(place, f"the call {min(waiting)!r} has no result yet: a message with the role 'tool' must come first.")
        for call_number, call in enumerate(message.tool_calls or ()):
            _check_call(call, f"{place}.tool_calls[{call_number}]", waiting)
            waiting[call.id] = call.function.name
        turns.append(Turn(role=message.role, content=_said(message), calls=tuple(
            Call(id=call.id, name=call.function.name, arguments=call.function.arguments) for call in message.tool_calls or ())))
    if waiting:
        raise TurnMistake("messages", f"the call {min(waiting)!r} has no result: send a message with the role 'tool' for it.")
    return plain_messages(turns, tools, chat_format)


def _said(message: ChatMessage) -> str:
    """The words, after the name of who says them if there is one; templates have no other place for it."""
    words = message.words()
    return f"{message.name}: {words}" if message.name and words and message.role != "tool" else words


def _check_fields(message: ChatMessage, place: str) -> None:
    if message.tool_calls is not None and message.role != "assistant":
        raise TurnMistake(f"{place}.tool_calls", f"the role is {message.role!r}; only the assistant calls tools.")
    if message.tool_call_id is not None and message.role != "tool":
        raise TurnMistake(f"{place}.tool_call_id", f"the role is {message.role!r}; only the role 'tool' has it.")
    if message.tool_call_id is None and message.role == "tool":
        raise TurnMistake(f"{place}.tool_call_id", "it is missing; the role 'tool' needs it.", code="missing_required_parameter")
    if message.content is None and not message.tool_calls:
        raise TurnMistake(f"{place}.content", "it is missing; only a message of the assistant with tool_calls needs none.",
                          code="missing_required_parameter")


def _check_call(call: ToolCall, place: str, known: Collection[str]) -> None:
    if call.id in known:
        raise TurnMistake(f"{place}.id", f"{call.id!r} is the id of two calls.")
    try:
        is_object = isinstance(json.loads(call.function.arguments), dict)
    except (ValueError, RecursionError):
        is_object = False
    if not is_object:
        raise TurnMistake(f"{place}.function.arguments", "they must be a JSON object, written as a text.")
