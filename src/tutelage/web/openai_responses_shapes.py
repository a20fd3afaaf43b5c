"""What requests of /v1/responses may hold, checked strictly, and what the same request is as a chat."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field

from tutelage.web.openai_responses_items import InputMessage, Item, Talk
from tutelage.web.openai_shapes import MOST_LIKELIEST, Metadata, Shape

Json = dict[str, object]
TOOL = re.compile(r"^(tools\[\d+\])\.function(.*)$")
LOGPROBS = "message.output_text.logprobs"
NOT_KEPT = "Responses are not kept here: send the whole conversation as `input` each time."


class TextFormat(Shape):
    """How the answer is held to a form; which forms there are is told by the chat's `response_format`."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    description: str | None = None
    schema_: Annotated[Json | None, Field(alias="schema")] = None
    strict: bool | None = None

    def response_format(self) -> Json | None:
        """The same as a chat's response_format; None for plain text."""
        if self.type != "json_schema":
            return None if self.type == "text" else {"type": self.type}
        given = {"name": self.name, "description": self.description, "schema": self.schema_, "strict": self.strict}
        return {"type": self.type, "json_schema": {name: value for name, value in given.items() if value is not None}}


class TextSettings(Shape):
    """What is asked of the answer's text."""

    format: TextFormat | None = None


class FunctionTool(Shape):
    """A function that may be called; a chat holds the same one level deeper."""

    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def tool(self) -> Json:
        """The same as a chat's tool."""
        return {"type": "function", "function": self.model_dump(exclude_none=True, exclude={"type"})}


class NamedFunctionTool(Shape):
    """The function that must be called."""

    type: Literal["function"]
    name: str


class InputTokensRequest(Shape):
    """The body of POST /v1/responses/input_tokens."""

    model: str
    input: Annotated[str, Field(min_length=1)] | Annotated[list[Item], Field(min_length=1)]
    instructions: str | None = None
    tools: list[FunctionTool] | None = None
    tool_choice: Literal["none", "auto", "required"] | NamedFunctionTool | None = None
    parallel_tool_calls: bool | None = None

    def talk(self) -> Talk:
        """The conversation as a chat has it, the instructions first."""
        return Talk(self.instructions, [InputMessage(role="user", content=self.input)] if isinstance(self.input, str) else self.input)

    def chat(self) -> Json:
        """The body of the chat that asks the same."""
        choice = self.tool_choice
        named: Json = {"type": "function", "function": {"name": choice.name}} if isinstance(choice, NamedFunctionTool) else {}
        return {"model": self.model, "messages": self.talk().messages, "tools": self.tools and [tool.tool() for tool in self.tools],
                "tool_choice": named or choice, "parallel_tool_calls": self.parallel_tool_calls}


class ResponsesRequest(InputTokensRequest):
    """The body of POST /v1/responses. Nothing is kept between two requests, and what would need it is refused."""

    max_output_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LIKELIEST)] | None = None
    include: list[Literal["message.output_text.logprobs"]] | None = None
    text: TextSettings | None = None
    stream: bool | None = None
    metadata: Metadata | None = None
    truncation: Literal["auto", "disabled"] | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | Json | None = None

    def contradiction(self) -> tuple[str, str] | None:
        """What needs a store of responses, cuts the input, or contradicts another parameter."""
        if self.store:
            return "store", f"store is true. {NOT_KEPT} Leave store out, or use /v1/chat/completions, which keeps answers on request."
        if self.previous_response_id is not None:
            return "previous_response_id", f"previous_response_id is given. {NOT_KEPT}"
        if self.conversation is not None:
            return "conversation", f"conversation is given. {NOT_KEPT}"
        if self.background:
            return "background", f"background is true. {NOT_KEPT} Ask for a stream instead."
        if self.truncation == "auto":
            return "truncation", "truncation is 'auto', but nothing is ever cut here. Leave it out, or send 'disabled'."
        if self.top_logprobs is not None and not self.include:
            return "top_logprobs", f"top_logprobs is only allowed with `include: [{LOGPROBS!r}]`."
        if self.include and self.tools:
            return "include", "log-probabilities are not told beside tools here. Ask /v1/chat/completions for them."
        return None

    def chat(self) -> Json:
        """The body of the chat that asks the same."""
        asked: Json = {**super().chat(), "max_completion_tokens": self.max_output_tokens, "temperature": self.temperature,
                       "top_p": self.top_p}
        if self.stream:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.include:
            asked |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        wanted = self.text.format.response_format() if self.text and self.text.format else None
        return asked | {"response_format": wanted} if wanted else asked


# How a chat calls what a request of /v1/responses calls otherwise: for errors that name a place, or tell of one.
PLACES = {"messages": "input", "max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens",
          "response_format.json_schema": "text.format", "response_format": "text.format", "logprobs": "include",
          "tool_choice.function": "tool_choice"}
WORDS = {"the messages": "the input", "lower max_tokens": "lower max_output_tokens",
         "message with the role 'tool'": "function_call_output", "the role 'tool'": "a function_call_output",
         "the assistant's message before that": "the assistant's that came before and"}


def renamed(place: str, talk: Talk) -> str:
    """What a request of /v1/responses calls a place of the chat that was made from it."""
    place = TOOL.sub(r"\1\2", place)
    for chats, ours in sorted({**PLACES, **talk.places}.items(), key=lambda pair: -len(pair[0])):
        if place == chats or place.startswith((f"{chats}.", f"{chats}[")):
            return place.replace(chats, ours, 1)
    return place
