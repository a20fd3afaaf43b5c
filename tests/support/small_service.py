"""A small OpenAI-compatible service over real HTTP, with a model that we wrote: what it lacks and how it fails can be chosen."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from web_site import running

PIECES = re.compile(r"<\|im_start\|>|<\|im_end\|>|[A-Za-z]+|\s+|.", re.DOTALL)


def logprob_of(piece: str) -> float:
    """What the service's model gives to one of its tokens: -0.5 for a mark or white space, else a tenth of its length."""
    return -0.5 if piece.startswith("<|") or piece.isspace() else -0.1 * len(piece)


def echo(messages: list[dict[str, str]]) -> str:
    """The last words of the user."""
    return messages[-1]["content"]


@dataclass
class Service:
    """What the service can and how it answers. `bodies` are the requests that it got."""

    reply: Callable[[list[dict[str, str]]], str] = echo
    models: tuple[str, ...] = ("small",)
    key: str = ""
    logprobs: bool = False
    strict_extras: bool = False
    streams: bool = True
    newer: bool = False
    context: int = 100_000
    busy: int = 0
    scale: float = 1.0
    bodies: list[dict[str, Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/v1/models")
        def models(request: Request) -> Response:
            return self.refusal(request) or JSONResponse({"object": "list", "data": [{"id": name} for name in self.models]})

        @app.post("/v1/chat/completions")
        async def chat(request: Request) -> Response:
            body = await request.json()
            refused = self.refusal(request) or self.wrong(body, sum(len(message["content"]) for message in body["messages"]))
            return refused or self.answer(body)

        @app.post("/v1/completions")
        async def completions(request: Request) -> Response:
            body = await request.json()
            if not self.logprobs:
                return error(400, "Only no echo is supported")
            if self.strict_extras and "add_special_tokens" in body:
                return error(422, "Extra inputs are not permitted: add_special_tokens")
            return self.refusal(request) or self.wrong(body, len(body["prompt"])) or self.echoed(body)

        return app

    def refusal(self, request: Request) -> Response | None:
        with self.lock:
            if self.busy > 0:
                self.busy -= 1
                return error(503, "warming up")
        given = request.headers.get("authorization", "")
        return error(401, "wrong key") if self.key and given != f"Bearer {self.key}" else None

    def wrong(self, body: dict[str, Any], length: int) -> Response | None:
        with self.lock:
            self.bodies.append(body)
        if body["model"] not in self.models:
            return error(404, f"The model {body['model']!r} does not exist.")
        if self.newer and "max_tokens" in body:
            return error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        return error(400, f"This model's maximum context length is {self.context} tokens.") if length > self.context else None

    def answer(self, body: dict[str, Any]) -> Response:
        text = self.reply(body["messages"])
        limit = body.get("max_tokens") or body["max_completion_tokens"]
        pieces = PIECES.findall(text)
        reason = "length" if len(pieces) > limit else "stop"
        pieces = pieces[:limit]
        usage = {"prompt_tokens": 7, "completion_tokens": len(pieces), "total_tokens": 7 + len(pieces)}
        if not (self.streams and body.get("stream")):
            message = {"role": "assistant", "content": "".join(pieces)}
            head = {"id": "chat-1", "object": "chat.completion", "created": 0, "model": body["model"]}
            return JSONResponse({**head, "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": usage})

        def events() -> Iterator[str]:
            for piece in pieces:
                yield event({"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]})
            yield event({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
            yield event({"choices": [], "usage": usage})
            yield "data: [DONE]\n\n"

        return StreamingResponse(events(), media_type="text/event-stream")

    def echoed(self, body: dict[str, Any]) -> Response:
        tokens = PIECES.findall(body["prompt"])
        logprobs = [None, *(self.scale * logprob_of(token) for token in tokens[1:])]
        given = {"tokens": [*tokens, "!"], "token_logprobs": [*logprobs, -9.0]}
        return JSONResponse({"choices": [{"index": 0, "text": body["prompt"] + "!", "logprobs": given}],
                             "usage": {"prompt_tokens": len(tokens), "completion_tokens": 1}})

    @contextmanager
    def running(self) -> Iterator[str]:
        """The address of the running service, ending in /v1."""
        with running(self.app()) as address:
            yield f"{address}/v1"


def error(status: int, message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status_code=status)


def event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"
