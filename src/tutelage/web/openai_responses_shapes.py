"""What requests of /v1/responses may hold, checked strictly, and what the same request is as a chat."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tutelage.web.openai_shapes import MOST_LIKELIEST, Metadata, Shape

Json = dict[str, object]
LOGPROBS = "message.output_text.logprobs"
NOT_KEPT = "Responses are not kept here: send the whole conversation as `input` each time."


class InputText(Shape):
    """A part of an input message, or of an answer that is sent back; of the latter `annotations` and `logprobs` are read past."""

    type: Literal["input_text", "output_text"]
    text: str
    annotations: Annotated[list[Json], Field(max_length=0)] | None = None
    logprobs: list[Json] | None = None


class InputMessage(Shape):
    """One turn; an answer that is sent back has an id and a status too."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[InputText]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    phase: None = None

    def message(self) -> Json:
        """The turn as a chat has it; "developer" is a chat's "system"."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return {"role": "system" if self.role == "developer" else self.role, "content": content}


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


class InputTokensRequest(Shape):
    """The body of POST /v1/responses/input_tokens."""

    model: str
    input: Annotated[str, Field(min_length=1)] | Annotated[list[InputMessage], Field(min_length=1)]
    instructions: str | None = None

    def messages(self) -> list[Json]:
        """The conversation as a chat has it, the instructions first."""
        first: list[Json] = [{"role": "system", "content": self.instructions}] if self.instructions else []
        asked = [{"role": "user", "content": self.input}] if isinstance(self.input, str) else [item.message() for item in self.input]
        return [*first, *asked]


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
        return None

    def chat(self) -> Json:
        """The body of the chat that asks the same."""
        asked: Json = {"model": self.model, "messages": self.messages(), "max_completion_tokens": self.max_output_tokens,
                       "temperature": self.temperature, "top_p": self.top_p}
        if self.stream:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        if self.include:
            asked |= {"logprobs": True, "top_logprobs": self.top_logprobs}
        wanted = self.text.format.response_format() if self.text and self.text.format else None
        return asked | {"response_format": wanted} if wanted else asked


# How the chat calls what a request of /v1/responses calls otherwise: for errors that name a place.
PLACES = {"messages": "input", "max_completion_tokens": "max_output_tokens", "max_tokens": "max_output_tokens",
          "response_format": "text.format", "logprobs": "include"}
