"""POST /v1/responses, stateless: the same answers as a chat's, in the shape and with the events of OpenAI's newer resource."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tutelage.endpoint.meter import Meter
from tutelage.web.answering import Answering
from tutelage.web.auth import error_response
from tutelage.web.generation import chat_choices
from tutelage.web.openai_answers import ChatShape
from tutelage.web.openai_api import answer_request, find_model
from tutelage.web.openai_responses_events import Events, finished
from tutelage.web.openai_responses_shapes import NOT_KEPT, WORDS, InputTokensRequest, ResponsesRequest, renamed
from tutelage.web.openai_shapes import read_request
from tutelage.web.openai_tools import ToolChatRequest
from tutelage.web.shield import REQUEST_ID
from tutelage.web.site import Site
from tutelage.web.streaming import EventStream, Turns

DATA = "data: "


class ResponseShape(ChatShape):
    """A chat whose answers have the ids of responses."""

    id_mark = "resp"


def responses_routes(site: Site, turns: Turns, meter: Meter) -> APIRouter:
    """The routes of responses; what would need a store of them answers with a 4xx that says so."""
    router = APIRouter(prefix="/v1/responses")

    @router.post("")
    async def respond(request: Request) -> Response:
        response = await _respond(Answering(site, turns, meter, request, ResponseShape()))
        if response.status_code >= 400:
            meter.refused(response.status_code)
        return response

    @router.post("/input_tokens")
    async def count(request: Request) -> Response:
        asked = read_request(await request.body(), InputTokensRequest)
        return asked if isinstance(asked, Response) else await run_sync(_count, site, request, asked)

    @router.post("/compact")
    def compact() -> Response:
        return error_response(400, "Conversations are not compacted here: nothing is cut. Send a shorter `input`.", code="not_supported")

    @router.get("/{name}")
    @router.delete("/{name}")
    @router.post("/{name}/cancel")
    @router.get("/{name}/input_items")
    def not_kept(name: str) -> Response:
        return error_response(404, f"There is no response {name[:80]!r}. {NOT_KEPT}", param="response_id", code="response_not_found")

    return router


async def _respond(answering: Answering) -> Response:
    asked = read_request(await answering.request.body(), ResponsesRequest)
    if isinstance(asked, Response):
        return asked
    chat = read_request(json.dumps(asked.chat()).encode(), ToolChatRequest)
    answer = chat if isinstance(chat, Response) else await answer_request(answering, chat, chat_choices)
    headers = {REQUEST_ID: answer.headers[REQUEST_ID]} if REQUEST_ID in answer.headers else {}
    if isinstance(answer, EventStream):
        return EventStream(_events(asked, answer), answer_id=headers.get(REQUEST_ID, ""))
    body = json.loads(bytes(answer.body))
    if answer.status_code >= 400:
        return _as_asked(asked, answer, body)
    return JSONResponse(finished(asked, body), headers=headers)


def _as_asked(asked: InputTokensRequest, answer: Response, body: dict[str, dict[str, str | None]]) -> Response:
    """The chat's error, with the places called as they were in the request."""
    error = body["error"]
    place, message = error["param"] or "", error["message"] or ""
    ours = renamed(place, asked.talk())
    message = message.replace(repr(place), repr(ours)) if place else message
    for theirs, words in WORDS.items():
        message = message.replace(theirs, words)
    told = {name: value for name, value in answer.headers.items() if name not in ("content-length", "content-type")}
    return JSONResponse({"error": {**error, "message": message, "param": ours or None}}, status_code=answer.status_code, headers=told)


async def _events(asked: ResponsesRequest, chat: EventStream) -> AsyncGenerator[str, None]:
    """The chat's chunks as the events of a response."""
    events = Events(asked)
    async with aclosing(chat.events) as chunks:
        async for chunk in chunks:
            told = chunk.removeprefix(DATA).strip()
            for line in events.of(json.loads(told) if told != "[DONE]" else None):
                yield line


def _count(site: Site, request: Request, asked: InputTokensRequest) -> Response:
    served = find_model(site, request, asked.model)
    if isinstance(served, Response):
        return served
    chat = read_request(json.dumps(asked.chat()).encode(), ToolChatRequest)
    choices = chat if isinstance(chat, JSONResponse) else chat_choices(served, chat)
    if isinstance(choices, JSONResponse):
        return _as_asked(asked, choices, json.loads(bytes(choices.body)))
    return JSONResponse({"object": "response.input_tokens", "input_tokens": len(choices[0].ids)})
