"""Chat completions, completions and models: the model that passed its gate, for any client of OpenAI's API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse, Response

from tutelage.endpoint.audience import why_barred
from tutelage.endpoint.meter import Meter
from tutelage.endpoint.serving import Served
from tutelage.web.answering import Answering
from tutelage.web.auth import asker, error_response, visitor_of
from tutelage.web.generation import Wanted, chat_choices, fill_choices, text_choices
from tutelage.web.openai_answers import ChatShape, Json, TextShape
from tutelage.web.openai_shapes import AnswerRequest, FillRequest, TextRequest, read_request
from tutelage.web.openai_tools import ToolChatRequest
from tutelage.web.site import Site
from tutelage.web.streaming import Turns
from tutelage.web.voting import Voting

Wish = TypeVar("Wish", bound=AnswerRequest)
Choices = list[Wanted] | JSONResponse


def openai_routes(site: Site, turns: Turns, meter: Meter) -> APIRouter:
    """The routes under /v1."""
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    def list_models(request: Request) -> Response:
        models = [_model(served) for served in site.models() if _may_use(request, served.name) and not barred(site, request, served)]
        return JSONResponse({"object": "list", "data": models})

    @router.get("/models/{name}")
    def one_model(request: Request, name: str) -> Response:
        served = find_model(site, request, name)
        return served if isinstance(served, Response) else JSONResponse(_model(served))

    @router.delete("/models/{name}")
    def take_off(request: Request, name: str) -> Response:
        served = find_model(site, request, name)
        if isinstance(served, Response):
            return served
        site.desk.model_taken_off(name, actor=asker(request), model_id=served.deployment.model_id if served.deployment else "")
        site.door_of(served).take_off(served)
        return JSONResponse({"id": name, "object": "model", "deleted": True})

    @router.post("/chat/completions")
    async def chat(request: Request) -> Response:
        return await _generate(Voting(site, turns, meter, request, ChatShape()), ToolChatRequest, chat_choices)

    @router.post("/completions")
    async def complete(request: Request) -> Response:
        return await _generate(Answering(site, turns, meter, request, TextShape()), TextRequest, text_choices)

    @router.post("/fim/completions")
    async def fill(request: Request) -> Response:
        return await _generate(Answering(site, turns, meter, request, ChatShape()), FillRequest, fill_choices)

    return router


async def _generate(answering: Answering, kind: type[Wish], choices_of: Callable[[Served, Wish], Choices]) -> Response:
    response = await _checked(answering, kind, choices_of)
    if response.status_code >= 400:
        answering.meter.refused(response.status_code)
    return response


async def _checked(answering: Answering, kind: type[Wish], choices_of: Callable[[Served, Wish], Choices]) -> Response:
    asked = read_request(await answering.request.body(), kind)
    return asked if isinstance(asked, Response) else await answer_request(answering, asked, choices_of)


async def answer_request(answering: Answering, asked: Wish, choices_of: Callable[[Served, Wish], Choices]) -> Response:
    """The answer to a checked request, or the error that says why there is none."""
    served = await run_sync(find_model, answering.site, answering.request, asked.model)
    if isinstance(served, Response):
        return served
    choices = await run_sync(choices_of, served, asked)
    return choices if isinstance(choices, Response) else await answering.answer(served, asked, choices)


def find_model(site: Site, request: Request, name: str) -> Served | JSONResponse:
    """The served model of that name, or the error that says why there is none."""
    models = site.models()
    if not models:
        return error_response(404, f"The model {name!r} does not exist: no model has passed its gate yet, and an ungated model is never "
                              "served. See the Scores page, or run `tutelage show scores`.", param="model", code="model_not_found")
    served = next((one for one in models if one.name == name), None)
    if served is None:
        told = [repr(one.name) for one in models if _may_use(request, one.name) and not barred(site, request, one)]
        return error_response(404, f"The model {name!r} does not exist. {_served(told)}", param="model", code="model_not_found")
    if not _may_use(request, name):
        return error_response(403, f"This key may not use the model {name!r}. Ask for a key that lists it.", kind="permission_error",
                              param="model", code="model_not_allowed")
    return barred(site, request, served) or served


def barred(site: Site, request: Request, served: Served) -> JSONResponse | None:
    """The 403 for a visitor for whom something is not that the model was trained on."""
    reason = why_barred(served, audience=audience_of(site, request), today=date.today())
    if not reason:
        return None
    return error_response(403, f"The model {served.name!r} may not be asked: {reason}. Ask for a key for that work, or make a model "
                          "without these documents.", kind="permission_error", param="model", code="model_not_permitted")


def audience_of(site: Site, request: Request) -> str:
    """Whose work the visitor does: a key says so itself, people do that of the site."""
    key = visitor_of(request).key
    return key.permission if key else site.audience


def _served(names: list[str]) -> str:
    if len(names) == 1:
        return f"The served model is {names[0]}."
    return f"Served are {', '.join(names)}." if names else "None is served for this key."


def _may_use(request: Request, name: str) -> bool:
    key = visitor_of(request).key
    return key is None or not key.models or name in key.models


def _model(served: Served) -> Json:
    gate = served.deployment.gate if served.deployment else None
    return {"id": served.name, "object": "model", "created": 0, "owned_by": "tutelage", "context_length": served.engine.context_length,
            "gate": gate.model_dump() if gate else None}
