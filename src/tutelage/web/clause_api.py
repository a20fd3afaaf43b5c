"""POST /api/clauses, its streaming sister for the page, and GET /api/types."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import ValidationError
from starlette.responses import JSONResponse, Response

from tutelage.core.errors import InputError, TutelageError
from tutelage.drafting.compose import ClauseRequest, from_answer, from_hit, request_clause
from tutelage.drafting.search import Hit
from tutelage.endpoint.serving import Served
from tutelage.text.clause_types import CLAUSE_TYPES
from tutelage.web.auth import error_response, visitor_of
from tutelage.web.clauses import Clauses
from tutelage.web.openai_answers import Json
from tutelage.web.openai_api import audience_of, barred
from tutelage.web.openai_shapes import Shape
from tutelage.web.receipts import Account, open_account
from tutelage.web.shield import REQUEST_ID
from tutelage.web.site import Site
from tutelage.web.streaming import BUSY_SECONDS, Crowded, EventStream, Turns, answering, unless_gone, whole

CROWDED = "too_many_requests"


class ClauseAsk(Shape):
    """The body of POST /api/clauses."""

    type: str
    keywords: str | list[str]
    language: str


def clause_routes(site: Site, clauses: Clauses, turns: Turns) -> APIRouter:
    """The routes under /api."""
    router = APIRouter(prefix="/api")

    @router.get("/types")
    def types() -> Response:
        return JSONResponse({"types": [{"type": key, "en": kind.en, "zh": kind.zh} for key, kind in CLAUSE_TYPES.items()]})

    @router.post("/clauses")
    async def candidates(request: Request) -> Response:
        asked = read_ask(await request.body())
        if isinstance(asked, Response):
            return asked
        served = drafter_for(site, request)
        if isinstance(served, Response):
            return served
        found: list[Json] = [from_hit(hit).model_dump() for hit in await run_sync(clauses.hits, asked, audience_of(site, request))]
        answer_id = new_id()
        if served:
            account = await open_account(request, site.receipts, answer_id, served, began=time.monotonic())
            try:
                answer = await unless_gone(request, whole(answering(turns, lambda: clauses.draft(served, asked))))
            except Crowded as error:
                return _crowded(error)
            account.ended([answer], prompt_tokens=answer.prompt_tokens, first_seconds=account.seconds)
            found.append(from_answer(answer, asked, is_gated=served.is_gated).model_dump())
        model = {"name": served.name, "is_gated": served.is_gated} if served else None
        return JSONResponse({"type": asked.clause_type, "keywords": list(asked.keywords), "language": asked.language, "model": model,
                             "candidates": found}, headers={REQUEST_ID: answer_id})

    @router.post("/clauses/stream")
    async def stream(request: Request) -> Response:
        asked = read_ask(await request.body())
        if isinstance(asked, Response):
            return asked
        served = drafter_for(site, request)
        if isinstance(served, Response):
            return served
        hits = await run_sync(clauses.hits, asked, audience_of(site, request))
        answer_id = new_id()
        account = await open_account(request, site.receipts, answer_id, served, began=time.monotonic()) if served else None
        return EventStream(_events(clauses, turns, asked, account, hits, is_page=visitor_of(request).user is not None), answer_id=answer_id)

    return router


def read_ask(body: bytes) -> ClauseRequest | JSONResponse:
    """The request, or the 400 that names its first mistake."""
    try:
        ask = ClauseAsk.model_validate_json(body)
        return request_clause(ask.type, ask.keywords, ask.language)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        param = str(first["loc"][0]) if first["loc"] else None
        return error_response(400, f"{param or 'the body'}: {first['msg']}. Send a JSON object with type, keywords and language.",
                              param=param, code="invalid_value")
    except InputError as error:
        named = re.match(r"[a-z]+", str(error))
        return error_response(400, str(error), param=named[0] if named else None, code="invalid_value")


def drafter_for(site: Site, request: Request) -> Served | JSONResponse | None:
    """The model that drafts for this visitor: a key gets a model that passed its gate and that it may use, a person the drafter.

    The 403 where the model learned from documents that are not for the visitor.
    """
    key = visitor_of(request).key
    served = site.door.served() if key else site.door.drafter()
    if served is None or (key and key.models and served.name not in key.models):
        return None
    return barred(site, request, served) or served


def new_id() -> str:
    """The id of an answer of the clause API."""
    return f"clause-{secrets.token_hex(12)}"


async def _events(clauses: Clauses, turns: Turns, asked: ClauseRequest, account: Account | None, hits: list[Hit], *,
                  is_page: bool) -> AsyncGenerator[str, None]:
    yield _event("candidates", {"candidates": [from_hit(hit).model_dump() for hit in hits]})
    if account is None:
        yield _event("end", {"draft": None})
        return
    try:
        async for name, data in _drafted(clauses, turns, asked, account, hits, is_page=is_page):
            yield _event(name, data)
    except Crowded as error:
        yield _event("error", {"code": CROWDED, "message": str(error)})
    except TutelageError as error:
        yield _event("error", {"code": None, "message": str(error)})


async def _drafted(clauses: Clauses, turns: Turns, asked: ClauseRequest, account: Account, hits: list[Hit], *,
                   is_page: bool) -> AsyncGenerator[tuple[str, Json], None]:
    """The pieces of the draft and its end; whatever was made of it is accounted for, also when the client leaves."""
    served = account.served
    drafted: list[str] = []
    first_seconds = 0.0
    try:
        async with aclosing(answering(turns, lambda: clauses.draft(served, asked))) as pieces:
            async for piece in pieces:
                first_seconds = first_seconds or account.seconds
                if isinstance(piece, str):
                    drafted.append(piece)
                    yield "piece", {"text": piece}
                    continue
                drafted.clear()
                account.ended([piece], prompt_tokens=piece.prompt_tokens, first_seconds=first_seconds)
                draft: Json = from_answer(piece, asked, is_gated=served.is_gated).model_dump()
                if is_page and piece.text.strip():
                    draft["origin"] = clauses.origin_of_draft(asked, served, piece, hits)
                yield "end", {"draft": draft}
    finally:
        if drafted:  # the tokens of its prompt are told at the end only
            account.ended([], prompt_tokens=0, first_seconds=first_seconds, pieces_lost=len(drafted), is_whole=False)


def _crowded(error: Crowded) -> JSONResponse:
    return error_response(429, str(error), kind="rate_limit_error", code=CROWDED, headers={"retry-after": BUSY_SECONDS})


def _event(name: str, data: Json) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
