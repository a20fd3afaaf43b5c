"""What the input of /v1/responses may hold: messages, calls of functions and their results; and how a chat says the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from tutelage.web.openai_shapes import Shape

Json = dict[str, object]
Status = Literal["in_progress", "completed", "incomplete"]


class InputText(Shape):
    """A part of an input message, or of an answer that is sent back; of the latter `annotations`, `logprobs`, `parsed` are read past."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: Annotated[list[Json], Field(max_length=0)] | None = None
    logprobs: list[Json] | None = None
    parsed: Any = None


def _words(content: str | list[InputText]) -> str:
    return content if isinstance(content, str) else "".join(part.text for part in content)


class InputMessage(Shape):
    """One turn; an answer that is sent back has an id and a status too."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputText]
    id: str | None = None
    status: Status | None = None
    phase: None = None


class FunctionCall(Shape):
    """A call of the model's, sent back as it came. Of the fields that are null in OpenAI's client none may say anything."""

    model_config = ConfigDict(populate_by_name=True)

    type: Literal["function_call"]
    call_id: Annotated[str, Field(min_length=1)]
    name: str
    arguments: str
    id: str | None = None
    status: Status | None = None
    caller: None = None
    namespace: None = None
    async_: Annotated[None, Field(alias="async")] = None
    parsed_arguments: Any = None


class FunctionResult(Shape):
    """What a called function gave."""

    type: Literal["function_call_output"]
    call_id: Annotated[str, Field(min_length=1)]
    output: str | list[InputText]
    id: str | None = None
    status: Status | None = None


# The branch of an item in the place of pydantic's errors, which `openai_shapes` leaves out.
BRANCHES = {"message": "input-message", "function_call": "input-call", "function_call_output": "input-result"}


def _branch(item: Any) -> str | None:
    """Which kind of item it is; what names no type is a message."""
    kind = item.get("type", "message") if isinstance(item, dict) else getattr(item, "type", "message")
    return BRANCHES.get(kind) if isinstance(kind, str) else None


Item = Annotated[
    Annotated[InputMessage, Tag("input-message")] | Annotated[FunctionCall, Tag("input-call")] | Annotated[FunctionResult,
                                                                                                          Tag("input-result")],
    Discriminator(_branch, custom_error_type="item_type", custom_error_message=f"the type must be one of {', '.join(BRANCHES)}")]


class Talk:
    """The items as messages of a chat. `places` tells what the request calls each place of the chat."""

    def __init__(self, instructions: str | None, items: Iterable[Item]) -> None:
        self.messages: list[Json] = []
        self.places: dict[str, str] = {}
        if instructions:
            self._add({"role": "system", "content": instructions}, "instructions")
        for number, item in enumerate(items):
            place = f"input[{number}]"
            if isinstance(item, InputMessage):
                role = "system" if item.role == "developer" else item.role
                self._add({"role": role, "content": _words(item.content)}, place)
            elif isinstance(item, FunctionCall):
                self._call(item, place)
            else:
                self._add({"role": "tool", "tool_call_id": item.call_id, "content": _words(item.output)}, place,
                          tool_call_id="call_id", content="output")

    def _add(self, message: Json, place: str, **fields: str) -> None:
        chats = f"messages[{len(self.messages)}]"
        self.messages.append(message)
        self.places |= {chats: place, **{f"{chats}.{theirs}": f"{place}.{ours}" for theirs, ours in fields.items()}}

    def _call(self, call: FunctionCall, place: str) -> None:
        """Add a call to the message of the assistant that it belongs to: what it said just before, or a message of its own."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self._add({"role": "assistant", "content": None}, place)
        calls = self.messages[-1].setdefault("tool_calls", [])
        assert isinstance(calls, list)
        chats = f"messages[{len(self.messages) - 1}].tool_calls[{len(calls)}]"
        self.places |= {chats: place, f"{chats}.id": f"{place}.call_id", f"{chats}.function": place}
        calls.append({"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}})
