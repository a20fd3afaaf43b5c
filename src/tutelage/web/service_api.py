"""Whether the service lives, is ready, and how it fares; and the tokens of a text: /health, /ready, /metrics, /tokenize and its kin."""

from __future__ import annotations

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tutelage.core.chat import render
from tutelage.core.errors import InputError
from tutelage.endpoint.meter import Meter
from tutelage.endpoint.serving import Served
from tutelage.endpoint.vitals import vitals
from tutelage.web.generation import misplaced
from tutelage.web.openai_api import find_model
from tutelage.web.openai_shapes import DetokenizeRequest, TokenizeRequest, read_request
from tutelage.web.openai_turns import conversation
from tutelage.web.site import Site
from tutelage.web.streaming import BUSY_SECONDS, Turns


def service_routes(site: Site, turns: Turns, meter: Meter) -> APIRouter:
    """The routes that operators and tools ask."""
    router = APIRouter()

    @router.get("/health")
    def health() -> Response:
        return JSONResponse({"ok": True, "model_served": bool(site.models())})

    @router.get("/ready")
    def ready() -> Response:
        served, is_ready = site.door.served(), site.is_ready()
        return JSONResponse({"ready": is_ready, "model": served.name if served else None}, status_code=200 if is_ready else 503,
                            headers=None if is_ready else {"retry-after": BUSY_SECONDS})

    @router.get("/metrics")
    def metrics() -> Response:
        models = site.models()
        gates = {served.name: served.deployment.gate for served in models if served.deployment}
        page = meter.page(model=models[0].name if models else "", running=turns.running, waiting=turns.waiting, gates=gates,
                          more=vitals(models, site.budget))
        return PlainTextResponse(page, media_type="text/plain; version=0.0.4; charset=utf-8")

    @router.post("/tokenize")
    async def tokenize(request: Request) -> Response:
        asked = read_request(await request.body(), TokenizeRequest)
        if isinstance(asked, Response):
            return asked
        served = await run_sync(_find, site, request, asked.model)
        return served if isinstance(served, Response) else await run_sync(_tokenize, served, asked)

    @router.post("/detokenize")
    async def detokenize(request: Request) -> Response:
        asked = read_request(await request.body(), DetokenizeRequest)
        if isinstance(asked, Response):
            return asked
        served = await run_sync(_find, site, request, asked.model)
        if isinstance(served, Response):
            return served
        return JSONResponse({"prompt": await run_sync(served.engine.detokenize, asked.tokens)})

    @router.get("/tokenizer_info")
    def tokenizer_info(request: Request) -> Response:
        found = _find(site, request, None)
        if isinstance(found, Response):
            return found
        chat_format = found.chat_format
        return JSONResponse({"model": found.name, "max_model_len": found.engine.context_length, "chat_format": chat_format.model_dump(),
                             "chat_format_hash": chat_format.hash, **_ends(found)})

    return router


def _find(site: Site, request: Request, name: str | None) -> Served | JSONResponse:
    """The model of that name, without one the first that is served; or the error that says why there is none."""
    first = next(iter(site.models()), None)
    return find_model(site, request, (first.name if first else "") if name is None else name)


def _ends(served: Served) -> dict[str, str | int | None]:
    """The tokens that begin and end a text, under the names by which evaluation programs look for them."""
    found: dict[str, str | int | None] = {}
    for name, token in (("bos_token", served.chat_format.begin), ("eos_token", served.chat_format.end)):
        found |= {name: token or None, f"{name}_id": served.engine.special(token) if token else None}
    return found


def _tokenize(served: Served, asked: TokenizeRequest) -> Response:
    try:
        if asked.messages is None:
            tokens = served.engine.tokenize(asked.prompt or "")
        else:
            messages, chat_format = conversation(asked.messages, (), served.chat_format)
            tokens = list(render(messages, chat_format, served.engine, reply=True).ids)
    except InputError as error:
        return misplaced(error, "prompt" if asked.messages is None else "messages")
    return JSONResponse({"count": len(tokens), "max_model_len": served.engine.context_length, "tokens": tokens})
