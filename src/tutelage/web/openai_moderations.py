"""POST /v1/moderations: which kinds of harm a text holds, in OpenAI's shape, by the guard room."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from tutelage.core.errors import InputError
from tutelage.endpoint.meter import Meter
from tutelage.guard.moderation import Moderation, Moderator, worst
from tutelage.web.auth import error_response, visitor_of
from tutelage.web.openai_answers import Json
from tutelage.web.openai_shapes import Shape, read_request

MOST_INPUTS = 256


class TextInput(Shape):
    """A part of one input; pictures are not moderated."""

    type: Literal["text"]
    text: str


Parts = Annotated[list[TextInput], Field(min_length=1, max_length=MOST_INPUTS)]
Texts = Annotated[list[str], Field(min_length=1, max_length=MOST_INPUTS)]


class ModerationRequest(Shape):
    """The body of POST /v1/moderations: a text, several (a result each), or parts of one (one result)."""

    input: str | Texts | Parts
    model: str | None = None

    def inputs(self) -> list[list[str]]:
        """The texts of each result."""
        if isinstance(self.input, str):
            return [[self.input]]
        parts = [part.text for part in self.input if isinstance(part, TextInput)]
        return [parts] if parts else [[text] for text in self.input if isinstance(text, str)]


def moderation_routes(moderator: Moderator, meter: Meter) -> APIRouter:
    """The route of moderations."""
    router = APIRouter(prefix="/v1")

    @router.post("/moderations")
    async def moderate(request: Request) -> Response:
        asked = read_request(await request.body(), ModerationRequest)
        response = asked if isinstance(asked, Response) else await run_sync(_moderate, moderator, request, asked)
        if response.status_code >= 400:
            meter.refused(response.status_code)
        return response

    return router


def _moderate(moderator: Moderator, request: Request, asked: ModerationRequest) -> Response:
    if asked.model not in (None, moderator.name):
        return error_response(404, f"The model {asked.model!r} does not moderate here. Leave model out, or send {moderator.name!r}.",
                              param="model", code="model_not_found")
    key = visitor_of(request).key
    if key and key.models and moderator.name not in key.models:
        return error_response(403, f"This key may not use the model {moderator.name!r}. Ask for a key that lists it.",
                              kind="permission_error", param="model", code="model_not_allowed")
    try:
        found = [worst([moderator.moderate(text) for text in texts]) for texts in asked.inputs()]
    except InputError as error:
        return error_response(400, f"Invalid value for 'input': {error}", param="input", code="invalid_value")
    return JSONResponse({"id": f"modr-{secrets.token_hex(12)}", "model": moderator.name, "results": [_result(one) for one in found]})


def _result(found: Moderation) -> Json:
    return {"flagged": found.flagged, "categories": found.categories, "category_scores": found.scores,
            "category_applied_input_types": {category: ["text"] for category in found.categories}}
