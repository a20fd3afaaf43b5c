"""Chat completions kept with `store: true`: listed, read, given other metadata and deleted, each by who asked for it only."""

from __future__ import annotations

import json
import re
from typing import Annotated, Literal, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import JSONResponse, Response

from tutelage.desk.records import StoredCompletion
from tutelage.web.auth import error_response, visitor_of
from tutelage.web.openai_answers import Json
from tutelage.web.openai_shapes import ChatRequest, Metadata, Shape, read_request
from tutelage.web.site import Site

LONGEST_PAGE = 100
Query = TypeVar("Query", bound="PageQuery")
METADATA = re.compile(r"metadata\[(.*)\]", re.DOTALL)


class PageQuery(Shape):
    """How a list is read: up to `limit` after the one named `after`, in the order in which they were kept or the other way."""

    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=LONGEST_PAGE, strict=False)] = 20
    order: Literal["asc", "desc"] = "asc"


class CompletionQuery(PageQuery):
    """What may be asked of the list of stored completions."""

    model: str | None = None
    metadata: Metadata | None = None


class MetadataRequest(Shape):
    """The body of POST /v1/chat/completions/{id}."""

    metadata: Metadata | None


def owner_of(request: Request) -> str:
    """Whose stored completions the visitor sees."""
    visitor = visitor_of(request)
    return f"key {visitor.key.label}" if visitor.key else f"user {visitor.user.name if visitor.user else ''}"


def check_room(site: Site, request: Request, asked: Shape) -> None:
    """Raise DeskError if the answer is to be kept and there is no room for it."""
    if isinstance(asked, ChatRequest) and asked.store:
        site.desk.completions.check_room(owner_of(request), most=site.endpoint.stored)


def keep(site: Site, request: Request, asked: Shape, body: Json) -> None:
    """Keep an answer if that was asked for. Raises DeskError or DeskBusy where it cannot be kept."""
    if isinstance(asked, ChatRequest) and asked.store:
        messages = [message.model_dump(mode="json", exclude_unset=True) for message in asked.messages]
        completion = StoredCompletion(id=str(body["id"]), created=int(str(body["created"])), model=asked.model, body=json.dumps(body),
                                      messages=json.dumps(messages), metadata=asked.metadata or {})
        site.desk.completions.keep(completion, owner=owner_of(request), most=site.endpoint.stored)


def stored_routes(site: Site) -> APIRouter:
    """The routes of stored completions."""
    router = APIRouter(prefix="/v1/chat/completions")
    kept = site.desk.completions

    @router.get("")
    def listed(request: Request) -> Response:
        asked = _query(request, CompletionQuery)
        if isinstance(asked, Response):
            return asked
        found, more = kept.listed(owner=owner_of(request), model=asked.model, metadata=asked.metadata, after=asked.after, limit=asked.limit,
                                  newest_first=asked.order == "desc")
        return _page([_told(one) for one in found], more)

    @router.get("/{name}")
    def one(request: Request, name: str) -> Response:
        return JSONResponse(_told(kept.get(name, owner=owner_of(request))))

    @router.post("/{name}")
    async def change(request: Request, name: str) -> Response:
        asked = read_request(await request.body(), MetadataRequest)
        if isinstance(asked, Response):
            return asked
        changed = await run_sync(lambda: kept.put_metadata(name, asked.metadata or {}, owner=owner_of(request)))
        return JSONResponse(_told(changed))

    @router.delete("/{name}")
    def delete(request: Request, name: str) -> Response:
        kept.delete(name, owner=owner_of(request))
        return JSONResponse({"object": "chat.completion.deleted", "id": name, "deleted": True})

    @router.get("/{name}/messages")
    def messages(request: Request, name: str) -> Response:
        asked = _query(request, PageQuery)
        return asked if isinstance(asked, Response) else _messages(kept.get(name, owner=owner_of(request)), asked)

    return router


def _query(request: Request, shape: type[Query]) -> Query | JSONResponse:
    """The query, read as strictly as a body."""
    given: dict[str, str | dict[str, str]] = {}
    metadata: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        pair = METADATA.fullmatch(name)
        there: dict[str, str] | dict[str, str | dict[str, str]] = metadata if pair else given
        if (pair[1] if pair else name) in there:
            return error_response(400, f"{name!r} stands twice in the address; send it once.", param=name, code="invalid_value")
        if pair:
            metadata[pair[1]] = value
        else:
            given[name] = value
    return read_request(json.dumps({**given, "metadata": metadata} if metadata else given).encode(), shape)


def _told(one: StoredCompletion) -> Json:
    return {**json.loads(one.body), "metadata": one.metadata}


def _page(data: list[Json], more: bool) -> Response:
    return JSONResponse({"object": "list", "data": data, "first_id": data[0]["id"] if data else None,
                         "last_id": data[-1]["id"] if data else None, "has_more": more})


def _messages(one: StoredCompletion, asked: PageQuery) -> Response:
    """What was asked; a message has the id of its completion with its number."""
    every: list[Json] = [{"id": f"{one.id}-{number}", **message} for number, message in enumerate(json.loads(one.messages))]
    if asked.order == "desc":
        every.reverse()
    ids = [str(message["id"]) for message in every]
    if asked.after is not None and asked.after not in ids:
        return error_response(404, f"There is no message {asked.after!r} in this completion.", param="after")
    rest = every[ids.index(asked.after) + 1:] if asked.after else every
    return _page(rest[:asked.limit], len(rest) > asked.limit)
