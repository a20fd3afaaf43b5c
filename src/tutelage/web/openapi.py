"""What the API takes and answers: an OpenAPI document made from the shapes that check requests, and a page of it."""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from pydantic.json_schema import models_json_schema
from starlette.responses import JSONResponse, Response

from tutelage.web.auth import is_api, needed_scopes
from tutelage.web.clause_api import ClauseAsk
from tutelage.web.openai_embeddings import EmbeddingRequest
from tutelage.web.openai_moderations import ModerationRequest
from tutelage.web.openai_responses_shapes import InputTokensRequest, ResponsesRequest
from tutelage.web.openai_shapes import DetokenizeRequest, FillRequest, Shape, TextRequest, TokenizeRequest
from tutelage.web.openai_stored import MetadataRequest
from tutelage.web.openai_tools import ToolChatRequest
from tutelage.web.pages import Pages

Json = dict[str, Any]
VERSION = "3.1.0"
COMPONENT = "#/components/schemas/{model}"
# The shape that checks the body of each route that takes one.
BODIES: dict[tuple[str, str], type[Shape]] = {
    ("post", "/v1/chat/completions"): ToolChatRequest, ("post", "/v1/chat/completions/{name}"): MetadataRequest,
    ("post", "/v1/completions"): TextRequest, ("post", "/v1/fim/completions"): FillRequest, ("post", "/v1/embeddings"): EmbeddingRequest,
    ("post", "/v1/moderations"): ModerationRequest, ("post", "/v1/responses"): ResponsesRequest,
    ("post", "/v1/responses/input_tokens"): InputTokensRequest, ("post", "/tokenize"): TokenizeRequest,
    ("post", "/detokenize"): DetokenizeRequest, ("post", "/api/clauses"): ClauseAsk, ("post", "/api/clauses/stream"): ClauseAsk}
STREAMS = ("/v1/chat/completions", "/v1/completions", "/v1/fim/completions", "/v1/responses", "/api/clauses/stream")
OPEN = ("/health", "/ready")
ERROR: Json = {"type": "object", "required": ["error"], "properties": {"error": {
    "type": "object", "required": ["message", "type", "param", "code"], "properties": {
        "message": {"type": "string"}, "type": {"type": "string"}, "param": {"type": ["string", "null"]},
        "code": {"type": ["string", "null"]}}}}}


def document(app: FastAPI) -> Json:
    """The OpenAPI document of all routes that answer in JSON."""
    told = app.openapi()
    shapes = sorted(set(BODIES.values()), key=lambda shape: shape.__name__)
    _, definitions = models_json_schema([(shape, "validation") for shape in shapes], ref_template=COMPONENT)
    paths = {path: {method: _operation(method, path, operation) for method, operation in methods.items()}
             for path, methods in sorted(told["paths"].items()) if is_api(path) or path in OPEN}
    return {"openapi": VERSION, "info": {"title": "Tutelage", "version": app.version}, "paths": paths,
            "components": {"schemas": definitions["$defs"] | {"Error": ERROR},
                           "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}}


def openapi_routes(app: FastAPI, pages: Pages) -> APIRouter:
    """/openapi.json and /openapi."""
    router = APIRouter()

    @router.get("/openapi.json")
    def openapi_document() -> Response:
        return JSONResponse(document(app))

    @router.get("/openapi")
    def openapi_page(request: Request) -> Response:
        found = document(app)
        rows = [{"method": method.upper(), "path": path, "scopes": ", ".join(operation["x-scopes"]),
                 "fields": _fields(found, operation)} for path, methods in found["paths"].items() for method, operation in methods.items()]
        return pages.page(request, "openapi.html", {"rows": rows})

    return router


def _operation(method: str, path: str, found: Json) -> Json:
    """One route: FastAPI knows its path and parameters, we know its body, its errors and who may ask."""
    kinds: dict[str, Json] = {"text/plain": {}} if path == "/metrics" else {"application/json": {}}
    if path in STREAMS:
        kinds |= {"text/event-stream": {}}
    error = {"description": "What is wrong, where, and what to do.",
             "content": {"application/json": {"schema": {"$ref": COMPONENT.format(model="Error")}}}}
    operation: Json = {"operationId": f"{method}_{re.sub('[^a-z]+', '_', path).strip('_')}",
                       "parameters": found.get("parameters", []),
                       "x-scopes": [] if path in OPEN else list(needed_scopes(method.upper(), path)),
                       "security": [] if path in OPEN else [{"key": []}],
                       "responses": {"200": {"description": "The answer.", "content": kinds}}}
    if path not in OPEN:
        operation["responses"] |= {"4XX": error, "5XX": error}
    else:
        operation["responses"]["503"] = {"description": "Not ready.", "content": {"application/json": {}}}
    if body := BODIES.get((method, path)):
        schema = {"$ref": COMPONENT.format(model=body.__name__)}
        operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return operation


def _fields(found: Json, operation: Json) -> list[Json]:
    """The fields of a body: name, schema as text, whether it must be there."""
    if "requestBody" not in operation:
        return []
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    shape = found["components"]["schemas"][name]
    return [{"name": field, "is_needed": field in shape.get("required", ()), "schema": _plain(schema)}
            for field, schema in shape["properties"].items()]


def _plain(schema: Json) -> str:
    """A field's schema as text, without what only repeats its name."""
    kept = {key: value for key, value in schema.items() if key != "title"}
    return json.dumps(kept, ensure_ascii=False).replace(COMPONENT.format(model=""), "")
