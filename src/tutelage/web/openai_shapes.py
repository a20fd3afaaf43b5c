"""What requests of the OpenAI-compatible API may hold, checked strictly: the 400 names the first mistake."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from starlette.responses import JSONResponse

from tutelage.core.chat import ChatFormat
from tutelage.endpoint.bounds import FREE, Bounds
from tutelage.prompts.vote import LETTERS, Rule
from tutelage.web.auth import error_response

# Pydantic names the branch of a union in the place of an error; clients know no branches.
BRANCH = re.compile(r"str|list\[.*|constrained-.*|literal\[.*|Named\w+|input-\w+|\[key\]")
MOST_CHOICES = 16
MOST_LIKELIEST = 20
MOST_BIASES = 300
MOST_STOPS = 64  # of an editor, which sends what ends a statement in many languages
Metadata = Annotated[dict[Annotated[str, Field(min_length=1, max_length=64)], Annotated[str, Field(max_length=512)]], Field(max_length=16)]
TokenId = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]  # keys of a JSON object are texts
StopText = Annotated[str, Field(min_length=1)]
Stop = StopText | Annotated[list[StopText], Field(max_length=4)]


class Shape(BaseModel):
    """Strict: no unknown field, no number given as text."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        return None


class TextPart(Shape):
    """One part of a message's content; only text is known."""

    type: Literal["text"]
    text: str


class CalledFunction(Shape):
    """The function that was called, its arguments as JSON text. `parsed_arguments` is what OpenAI's client read in them and sends along."""

    name: str
    arguments: str
    parsed_arguments: Any = None


class ToolCall(Shape):
    """A call in a message of the assistant."""

    id: Annotated[str, Field(min_length=1)]
    type: Literal["function"]
    function: CalledFunction


class ChatMessage(Shape):
    """One turn. What fits which role, and which call has which result, is checked by `openai_turns`.

    `name` is who of several speaks and stands before the words, as in "ann: Pay."; of a call's result it is the function's.
    """

    role: Literal["system", "user", "assistant", "tool"]
    type: Literal["text", "message"] | None = None  # evaluation programs send it along
    content: str | list[TextPart] | None = None
    name: Annotated[str, Field(pattern=r"^[^\s<|\\/>]{1,64}$")] | None = None
    tool_calls: Annotated[list[ToolCall], Field(min_length=1)] | None = None
    tool_call_id: str | None = None
    refusal: None = None  # clients send answers back as they came; OpenAI's adds what it read in them
    parsed: Any = None

    def words(self) -> str:
        """The content as one text; parts are joined as they stand."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content or ())


class StreamOptions(Shape):
    """`include_usage` asks for one more chunk with the counts."""

    include_usage: bool = False


class AnswerRequest(Shape):
    """What chats and texts may both ask. What is missing here is refused, never ignored."""

    model: str
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(gt=0, le=1)] | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    stop: Stop | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[TokenId, Annotated[float, Field(ge=-100, le=100)]], Field(max_length=MOST_BIASES)] | None = None
    n: Annotated[int, Field(ge=1, le=MOST_CHOICES)] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """Texts before which the reply ends."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())

    @property
    def include_usage(self) -> bool:
        """Whether a stream ends with the counts."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def reply_limit(self) -> int | None:
        """The most tokens of the reply, None for as many as fit."""
        return self.max_tokens

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are told for each token; None: no log-probabilities at all."""
        return None

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        if self.stream_options is not None and not self.stream:
            return "stream_options", "stream_options is only allowed with `stream: true`."
        return super().contradiction()


class VoteWish(Shape):
    """An extension: the `n` replies vote, and the one that won is the answer. `stop_early` makes no more once that is decided."""

    rule: Rule
    choices: Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(min_length=2, max_length=50)] = list(LETTERS)
    stop_early: bool = True


class ChatRequest(AnswerRequest):
    """The body of POST /v1/chat/completions."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Field(ge=0, le=MOST_LIKELIEST)] | None = None
    store: bool | None = None
    metadata: Metadata | None = None
    vote: VoteWish | None = None

    @property
    def told_tools(self) -> list[str]:
        """The tools that the model is told of, each as JSON text."""
        return []

    def bounds(self, chat_format: ChatFormat) -> Bounds:
        """What the reply is held to. Raises SchemaMistake for what nothing can be held to."""
        return FREE

    @property
    def reply_limit(self) -> int | None:
        """The most tokens of the reply, None for as many as fit."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are told for each token; None: no log-probabilities at all."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        if self.max_tokens is not None and self.max_completion_tokens not in (None, self.max_tokens):
            return "max_tokens", (f"max_tokens is {self.max_tokens} and max_completion_tokens is {self.max_completion_tokens}; "
                                  "they mean the same. Send one of them.")
        if self.top_logprobs is not None and not self.logprobs:
            return "top_logprobs", "top_logprobs is only allowed with `logprobs: true`."
        if self.vote is not None and (self.stream or (self.n or 1) < 2):
            return "vote", f"a vote needs `n` of 2 to {MOST_CHOICES} replies, and no `stream`: the winner is known at the end."
        if self.vote is not None and self.vote.rule != "choice" and "choices" in self.vote.model_fields_set:
            return "vote.choices", "choices are only allowed with the rule `choice`."
        if self.metadata is not None and not self.store:
            return "metadata", "metadata is only allowed with `store: true`: without it nothing is kept."
        return super().contradiction()


def _prompts(given: object) -> list[str | list[int]]:
    """One or several prompts, each a text or token ids."""
    several: list[object] = given if isinstance(given, list) and any(isinstance(prompt, (str, list)) for prompt in given) else [given]
    if len(several) > MOST_CHOICES or not all(is_prompt(prompt) for prompt in several):
        raise ValueError(f"send a text, a list of token ids (whole numbers from 0), or up to {MOST_CHOICES} of them; none may be empty")
    return [prompt for prompt in several if isinstance(prompt, (str, list))]


def is_prompt(prompt: object) -> bool:
    """Whether it is a text, or a list of token ids, that is not empty."""
    if isinstance(prompt, list):
        return bool(prompt) and all(type(token) is int and 0 <= token < 2**31 for token in prompt)
    return isinstance(prompt, str) and bool(prompt)


class TextRequest(AnswerRequest):
    """The body of POST /v1/completions. With `echo` the prompt stands before the reply, and its tokens have log-probabilities too.

    With a `suffix` the reply is what stands between the prompt and it; an empty one is none: nothing stands after.
    """

    prompt: Annotated[list[str | list[int]], PlainValidator(_prompts)]
    suffix: str | None = None
    echo: bool | None = None
    logprobs: Annotated[int, Field(ge=0, le=MOST_LIKELIEST)] | None = None

    @property
    def likeliest(self) -> int | None:
        """How many of the likeliest tokens are told for each token; None: no log-probabilities at all."""
        return self.logprobs

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        if self.max_tokens == 0 and not self.echo:
            return "max_tokens", "max_tokens is 0, so nothing would be answered; that is only allowed with `echo: true`."
        if self.suffix and self.echo:
            return "echo", "echo is not allowed with suffix: the prompt does not stand alone before the reply."
        if len(self.prompt) * (self.n or 1) > MOST_CHOICES:
            return "n", f"{len(self.prompt)} prompts times n = {self.n} are more than {MOST_CHOICES} answers. Send fewer in one request."
        return super().contradiction()


class FillRequest(AnswerRequest):
    """The body of POST /v1/fim/completions, by which editors ask for what stands between `prompt` and `suffix`; either may be empty."""

    prompt: str
    suffix: str | None = None
    stop: StopText | Annotated[list[StopText], Field(max_length=MOST_STOPS)] | None = None

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        if self.max_tokens == 0:
            return "max_tokens", "max_tokens is 0, so nothing would be answered."
        return super().contradiction()


class TokenizeRequest(Shape):
    """The body of POST /tokenize: a text, or messages as a chat would render them. Special tokens are never added to a text.

    Without a `model` it is the one that is served.
    """

    model: str | None = None
    add_special_tokens: Literal[False] | None = None
    prompt: str | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1)] | None = None

    def contradiction(self) -> tuple[str, str] | None:
        """A parameter that contradicts another one, and why."""
        if (self.prompt is None) == (self.messages is None):
            return "prompt", "send either prompt (a text) or messages (a conversation)."
        return None


class DetokenizeRequest(Shape):
    """The body of POST /detokenize."""

    model: str | None = None
    tokens: list[Annotated[int, Field(ge=0, lt=2**31)]]


Asked = TypeVar("Asked", bound=Shape)


def read_request(body: bytes, shape: type[Asked]) -> Asked | JSONResponse:
    """The request, or the 400 that names its first mistake."""
    try:
        request = shape.model_validate_json(body)
    except ValidationError as error:
        return _mistake(error, shape)
    wrong = request.contradiction()
    return error_response(400, wrong[1], param=wrong[0], code="invalid_value") if wrong else request


def _mistake(error: ValidationError, shape: type[BaseModel]) -> JSONResponse:
    every = error.errors(include_url=False, include_input=False)
    # Of a union's branches the one that was followed deepest is the one that the client meant; then one whose type was right.
    first = max((other for other in every if other["loc"][:1] == every[0]["loc"][:1]),
                key=lambda other: (len(_place(other["loc"])), not other["type"].endswith("_type")))
    param = _place(first["loc"])
    if first["type"] == "json_invalid":
        return error_response(400, f"The body is not JSON: {first['msg']}.", code="invalid_json")
    if first["type"] == "extra_forbidden":
        known = ", ".join(shape.model_fields) if len(first["loc"]) == 1 else "see docs/web.md"
        return error_response(400, f"Unknown or unsupported parameter: {param!r}. Supported: {known}.", param=param,
                              code="unknown_parameter")
    if first["type"] == "missing":
        return error_response(400, f"Missing required parameter: {param!r}.", param=param, code="missing_required_parameter")
    reason = first["msg"].removeprefix("Value error, ")
    return error_response(400, f"Invalid value for {param or 'the body'!r}: {reason}.", param=param or None, code="invalid_value")


def _place(steps: tuple[str | int, ...]) -> str:
    """ "messages[0].content" for the steps messages, 0, content, str."""
    place = ""
    for step in steps:
        if isinstance(step, int):
            place += f"[{step}]"
        elif not BRANCH.fullmatch(step):
            place += f".{step}" if place else step
    return place
