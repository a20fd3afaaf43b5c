"""The shapes of the OpenAI-compatible API: what a request may hold, checked strictly, and what answers look like."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import JSONResponse

from tutelage.core.records import Answer, Message
from tutelage.web.auth import error_response

Json = dict[str, object]
# Pydantic names the branch of a union in the place of an error; clients know no branches.
BRANCH = re.compile(r"str|list\[.*|constrained-.*")


class Shape(BaseModel):
    """Strict: no unknown field, no number given as text."""

    model_config = ConfigDict(extra="forbid", strict=True)


class TextPart(Shape):
    """One part of a message's content; only text is known."""

    type: Literal["text"]
    text: str


class ChatMessage(Shape):
    """One turn."""

    role: Literal["system", "user", "assistant"]
    content: str | list[TextPart]

    def message(self) -> Message:
        """The turn as the engines know it; parts are joined as they stand."""
        content = self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)
        return Message(role=self.role, content=content)


class StreamOptions(Shape):
    """`include_usage` asks for one more chunk with the counts."""

    include_usage: bool = False


class ChatRequest(Shape):
    """The body of POST /v1/chat/completions. What is missing here is refused, never ignored."""

    model: str
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Annotated[str, Field(min_length=1)] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] | None = None
    n: Annotated[int, Field(ge=1, le=1)] | None = None

    @property
    def reply_limit(self) -> int | None:
        """The most tokens of the reply, None for as many as fit."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which the reply ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())


def read_request(body: bytes) -> ChatRequest | JSONResponse:
    """The request, or the 400 that names its first mistake."""
    try:
        request = ChatRequest.model_validate_json(body)
    except ValidationError as error:
        return _mistake(error)
    if request.stream_options is not None and not request.stream:
        return error_response(400, "stream_options is only allowed with `stream: true`.", param="stream_options", code="invalid_value")
    if request.max_tokens is not None and request.max_completion_tokens not in (None, request.max_tokens):
        return error_response(400, f"max_tokens is {request.max_tokens} and max_completion_tokens is {request.max_completion_tokens}; "
                              "they mean the same. Send one of them.", param="max_tokens", code="invalid_value")
    return request


def _mistake(error: ValidationError) -> JSONResponse:
    every = error.errors(include_url=False, include_input=False)
    # Of a union's branches the one that was followed deepest is the one that the client meant.
    first = max((other for other in every if other["loc"][:1] == every[0]["loc"][:1]), key=lambda other: len(_place(other["loc"])))
    param = _place(first["loc"])
    if first["type"] == "json_invalid":
        return error_response(400, f"The body is not JSON: {first['msg']}.", code="invalid_json")
    if first["type"] == "extra_forbidden":
        known = ", ".join(ChatRequest.model_fields) if len(first["loc"]) == 1 else "see docs/web.md"
        return error_response(400, f"Unknown or unsupported parameter: {param!r}. Supported: {known}.", param=param,
                              code="unknown_parameter")
    if first["type"] == "missing":
        return error_response(400, f"Missing required parameter: {param!r}.", param=param, code="missing_required_parameter")
    return error_response(400, f"Invalid value for {param or 'the body'!r}: {first['msg']}.", param=param or None, code="invalid_value")


def _place(steps: tuple[str | int, ...]) -> str:
    """ "messages[0].content" for the steps messages, 0, content, str."""
    place = ""
    for step in steps:
        if isinstance(step, int):
            place += f"[{step}]"
        elif not BRANCH.fullmatch(step):
            place += f".{step}" if place else step
    return place


def usage(answer: Answer) -> Json:
    """Exact counts of tokens."""
    made = len(answer.token_ids)
    return {"prompt_tokens": answer.prompt_tokens, "completion_tokens": made, "total_tokens": answer.prompt_tokens + made}


def completion(head: Json, answer: Answer) -> Json:
    """A whole answer."""
    message = {"role": "assistant", "content": answer.text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage(answer)}


def chunk(head: Json, delta: Json, finish_reason: str | None = None) -> Json:
    """One piece of a streamed answer."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}
