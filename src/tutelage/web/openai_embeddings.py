"""POST /v1/embeddings: vectors of texts or token ids by the served model, the mean of its last hidden states."""

from __future__ import annotations

import asyncio
import base64
import secrets
import time
from collections.abc import Sequence
from typing import Annotated, Literal

import numpy as np
from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import Field, PlainValidator
from starlette.responses import JSONResponse, Response

from tutelage.core.engine import EmbedsTokens
from tutelage.core.errors import ContextTooLong, InputError
from tutelage.endpoint.meter import Meter
from tutelage.endpoint.serving import Served
from tutelage.web.auth import error_response
from tutelage.web.openai_api import find_model
from tutelage.web.openai_shapes import Shape, is_prompt, read_request
from tutelage.web.receipts import open_account
from tutelage.web.shield import REQUEST_ID
from tutelage.web.site import Site
from tutelage.web.streaming import BUSY_SECONDS, Crowded, Turns, unless_gone

MOST_INPUTS = 256
AT_ONCE = 8  # texts between two looks at whether the client is still there


def _inputs(given: object) -> list[str | list[int]]:
    """One or several inputs, each a text or token ids."""
    several: list[object] = given if isinstance(given, list) and any(isinstance(one, (str, list)) for one in given) else [given]
    if len(several) > MOST_INPUTS or not all(is_prompt(one) for one in several):
        raise ValueError(f"send a text, a list of token ids (whole numbers from 0), or up to {MOST_INPUTS} of them; none may be empty")
    return [one for one in several if isinstance(one, (str, list))]


class EmbeddingRequest(Shape):
    """The body of POST /v1/embeddings."""

    model: str
    input: Annotated[list[str | list[int]], PlainValidator(_inputs)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Field(ge=1)] | None = None


def embedding_routes(site: Site, turns: Turns, meter: Meter) -> APIRouter:
    """The route of embeddings."""
    router = APIRouter(prefix="/v1")

    @router.post("/embeddings")
    async def embed(request: Request) -> Response:
        response = await _embed(site, turns, request)
        if response.status_code >= 400:
            meter.refused(response.status_code)
        return response

    return router


async def _embed(site: Site, turns: Turns, request: Request) -> Response:
    asked = read_request(await request.body(), EmbeddingRequest)
    if isinstance(asked, Response):
        return asked
    served = await run_sync(find_model, site, request, asked.model)
    if isinstance(served, Response):
        return served
    if not isinstance(served.engine, EmbedsTokens):
        return error_response(400, f"{served.name} is served by an engine that gives no vectors. Serve a GGUF file.", param="model",
                              code="unsupported_by_model")
    answer_id = f"embd-{secrets.token_hex(12)}"
    account = await open_account(request, site.receipts, answer_id, served, began=time.monotonic())
    try:
        rows = await run_sync(lambda: [served.engine.tokenize(one) if isinstance(one, str) else one for one in asked.input])
        async with asyncio.timeout(site.endpoint.deadline):
            vectors = await unless_gone(request, _vectors(site, turns, served, rows))
    except ContextTooLong as error:
        return error_response(400, f"Invalid value for 'input': {error}", param="input", code="context_length_exceeded")
    except InputError as error:
        return error_response(400, f"Invalid value for 'input': {error}", param="input", code="invalid_value")
    except Crowded as error:
        return error_response(429, str(error), kind="rate_limit_error", code="too_many_requests", headers={"retry-after": BUSY_SECONDS})
    except TimeoutError:
        return error_response(503, f"Not finished within the endpoint's deadline of {site.endpoint.deadline:g} seconds, waiting included. "
                              "Send fewer texts.", kind="server_error", code="deadline_exceeded", headers={"retry-after": BUSY_SECONDS})
    tokens = sum(len(row) for row in rows)
    account.ended([], prompt_tokens=tokens, first_seconds=account.seconds)
    answer = _answer(served, asked, vectors, tokens)
    answer.headers[REQUEST_ID] = answer_id
    return answer


async def _vectors(site: Site, turns: Turns, served: Served, rows: Sequence[Sequence[int]]) -> np.ndarray:
    """Vectors of all rows, some at a time, so that a client who leaves frees the engine."""
    with site.door.use(served) as engine:
        assert isinstance(engine, EmbedsTokens)
        async with turns.turn():
            return np.concatenate([await run_sync(engine.vectors, rows[first:first + AT_ONCE]) for first in range(0, len(rows), AT_ONCE)])


def _answer(served: Served, asked: EmbeddingRequest, vectors: np.ndarray, tokens: int) -> Response:
    width = vectors.shape[1]
    if asked.dimensions not in (None, width):
        return error_response(400, f"dimensions is {asked.dimensions}; {served.name} gives vectors of {width} numbers, which cannot be "
                              "shortened. Leave dimensions out.", param="dimensions", code="unsupported_by_model")
    told = [base64.b64encode(vector.astype("<f4").tobytes()).decode() if asked.encoding_format == "base64" else vector.tolist()
            for vector in vectors]
    return JSONResponse({"object": "list", "model": served.name, "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
                         "data": [{"object": "embedding", "index": index, "embedding": one} for index, one in enumerate(told)]})
