"""POST /v1/chat/completions and GET /v1/models: the model that passed its gate, for any client of OpenAI's API."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tutelage.core.chat import end_id, render
from tutelage.core.errors import InputError
from tutelage.core.records import Answer, Sampling
from tutelage.endpoint.serving import Served
from tutelage.web.auth import error_response, visitor_of
from tutelage.web.openai_shapes import ChatRequest, Json, chunk, completion, read_request, usage
from tutelage.web.site import Site
from tutelage.web.streaming import Crowded, EventStream, Pieces, Turns, answering, unless_gone, whole

BUSY_SECONDS = "2"


@dataclass(frozen=True)
class Prompt:
    """A checked request, ready for the engine."""

    ids: tuple[int, ...]
    sampling: Sampling
    end_ids: tuple[int, ...]


def openai_routes(site: Site, turns: Turns) -> APIRouter:
    """The routes under /v1."""
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    def list_models(request: Request) -> Response:
        served = site.door.served()
        models = [_model(served)] if served and _may_use(request, served.name) else []
        return JSONResponse({"object": "list", "data": models})

    @router.get("/models/{name}")
    def one_model(request: Request, name: str) -> Response:
        served = _find(site, request, name)
        return served if isinstance(served, Response) else JSONResponse(_model(served))

    @router.post("/chat/completions")
    async def chat(request: Request) -> Response:
        asked = read_request(await request.body())
        if isinstance(asked, Response):
            return asked
        served = await run_sync(_find, site, request, asked.model)
        if isinstance(served, Response):
            return served
        prompt = await run_sync(_prompt, served, asked)
        if isinstance(prompt, Response):
            return prompt

        def start() -> Pieces:
            with site.door.use(served) as engine:
                yield from engine.stream(prompt.ids, prompt.sampling, end_ids=prompt.end_ids)

        return await _answer(request, asked, served, answering(turns, start))

    return router


async def _answer(request: Request, asked: ChatRequest, served: Served, pieces: AsyncGenerator[str | Answer, None]) -> Response:
    head: Json = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": served.name,
                  "system_fingerprint": served.chat_format.hash}
    try:
        if not asked.stream:
            return JSONResponse(completion(head, await unless_gone(request, whole(pieces))))
        first = await unless_gone(request, anext(pieces))
    except Crowded as error:
        return error_response(429, str(error), kind="rate_limit_error", code="too_many_requests", headers={"retry-after": BUSY_SECONDS})
    include_usage = asked.stream_options is not None and asked.stream_options.include_usage
    return EventStream(_events(head, first, pieces, include_usage=include_usage))


async def _events(head: Json, first: str | Answer, rest: AsyncGenerator[str | Answer, None], *,
                  include_usage: bool) -> AsyncGenerator[str, None]:
    extra: Json = {"usage": None} if include_usage else {}
    async with aclosing(rest):
        yield _event({**chunk(head, {"role": "assistant", "content": ""}), **extra})
        piece: str | Answer | None = first
        while isinstance(piece, str):
            yield _event({**chunk(head, {"content": piece}), **extra})
            piece = await anext(rest, None)
        if piece is None:
            raise RuntimeError("the engine's stream ended without an Answer; that breaks core.engine.Engine.stream.")
        yield _event({**chunk(head, {}, piece.finish_reason), **extra})
        if include_usage:
            yield _event({**head, "object": "chat.completion.chunk", "choices": [], "usage": usage(piece)})
        yield "data: [DONE]\n\n"


def _event(data: Json) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


def _prompt(served: Served, asked: ChatRequest) -> Prompt | JSONResponse:
    messages = [message.message() for message in asked.messages]
    try:
        ids = render(messages, served.chat_format, served.engine, reply=True).ids
    except InputError as error:
        return error_response(400, f"Invalid value for 'messages': {error}", param="messages", code="invalid_value")
    context = served.engine.context_length
    limit = asked.reply_limit
    if len(ids) + (limit or 1) > context:
        wanted = f"{len(ids) + (limit or 1)} tokens ({len(ids)} in the messages, {limit or 'at least 1'} for the reply)"
        return error_response(400, f"The model's context holds {context} tokens; you asked for {wanted}. Shorten the messages"
                              f"{' or lower max_tokens' if limit else ''}; nothing is cut unasked.",
                              param="messages", code="context_length_exceeded")
    seed = secrets.randbits(31) if asked.seed is None else asked.seed % 2**31
    sampling = Sampling(max_tokens=limit or context - len(ids), temperature=1.0 if asked.temperature is None else asked.temperature,
                        top_p=1.0 if asked.top_p is None else asked.top_p, seed=seed, stop=asked.stops)
    return Prompt(ids, sampling, (end_id(served.chat_format, served.engine),))


def _find(site: Site, request: Request, name: str) -> Served | JSONResponse:
    """The served model of that name, or the error that says why there is none."""
    served = site.door.served()
    if served is None:
        return error_response(404, f"The model {name!r} does not exist: no model has passed its gate yet, and an ungated model is never "
                              "served. See the Scores page, or run `tutelage show scores`.", param="model", code="model_not_found")
    if served.name != name:
        return error_response(404, f"The model {name!r} does not exist. The served model is {served.name!r}.", param="model",
                              code="model_not_found")
    if not _may_use(request, name):
        return error_response(403, f"This key may not use the model {name!r}. Ask for a key that lists it.", kind="permission_error",
                              param="model", code="model_not_allowed")
    return served


def _may_use(request: Request, name: str) -> bool:
    key = visitor_of(request).key
    return key is None or not key.models or name in key.models


def _model(served: Served) -> Json:
    gate = served.deployment.gate if served.deployment else None
    return {"id": served.name, "object": "model", "created": 0, "owned_by": "tutelage", "context_length": served.engine.context_length,
            "gate": gate.model_dump() if gate else None}
