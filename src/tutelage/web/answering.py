"""One request on its way from the engine to the client: whole or streamed, counted, within its deadline."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tutelage.core.errors import ServiceUnavailable, TutelageError
from tutelage.core.records import Answer
from tutelage.endpoint.meter import Meter
from tutelage.endpoint.serving import Served
from tutelage.web.auth import error_response
from tutelage.web.generation import Wanted, pieces_of
from tutelage.web.openai_answers import DONE, ChatShape, Json, TextShape, event, usage
from tutelage.web.openai_shapes import AnswerRequest
from tutelage.web.openai_stored import check_room, keep
from tutelage.web.receipts import Account, open_account
from tutelage.web.shield import REQUEST_ID
from tutelage.web.site import Site
from tutelage.web.streaming import BUSY_SECONDS, Crowded, EventStream, Turns, answering, every, unless_gone

Result = TypeVar("Result")
Pieces = AsyncGenerator[str | Answer, None]


class Answering:
    """Answers one request in the shape of its route."""

    def __init__(self, site: Site, turns: Turns, meter: Meter, request: Request, shape: ChatShape | TextShape) -> None:
        self.site, self.meter, self.request = site, meter, request
        self._turns, self._shape = turns, shape
        self._id = f"{shape.id_mark}-{secrets.token_hex(12)}"
        self._began = time.monotonic()

    async def answer(self, served: Served, asked: AnswerRequest, choices: Sequence[Wanted]) -> Response:
        """The whole answer, or a stream whose first piece is there already: what fails before it has a status of its own."""
        head: Json = {"id": self._id, "created": int(time.time()), "model": served.name, "system_fingerprint": served.chat_format.hash}
        await run_sync(check_room, self.site, self.request, asked)
        account = await open_account(self.request, self.site.receipts, self._id, served, began=self._began)
        pieces = self._held(served, choices)
        try:
            if asked.stream:
                first = await self._in_time(unless_gone(self.request, anext(pieces)))
                return EventStream(self._events(head, asked, choices, first, pieces, account), answer_id=self._id)
            answers = await self._in_time(unless_gone(self.request, every(pieces)))
        except Crowded as error:
            return error_response(429, str(error), kind="rate_limit_error", code="too_many_requests", headers={"retry-after": BUSY_SECONDS})
        except TimeoutError:
            await pieces.aclose()
            self.meter.broke_off(served.name)
            return self._unavailable(self._late(), "deadline_exceeded")
        except ServiceUnavailable as error:
            self.meter.broke_off(served.name)
            return self._unavailable(f"{self._id}: {error}", "engine_unavailable")
        seconds = time.monotonic() - self._began
        self.meter.answered(served.name, answers, choices_a_prompt=asked.n or 1, first_seconds=seconds, seconds=seconds)
        account.ended(answers, prompt_tokens=prompt_tokens(asked, choices), first_seconds=seconds)
        return JSONResponse(await self._finished(head, asked, choices, answers), headers={REQUEST_ID: self._id})

    async def _finished(self, head: Json, asked: AnswerRequest, choices: Sequence[Wanted], answers: Sequence[Answer]) -> Json:
        """The whole answer, kept where that was asked for."""
        return await self._told(head, asked, choices, answers, usage(answers, asked.n or 1))

    async def _told(self, head: Json, asked: AnswerRequest, choices: Sequence[Wanted], answers: Sequence[Answer], used: Json) -> Json:
        told = [self._shape.choice(number, answer, wanted.echo)
                for number, (answer, wanted) in enumerate(zip(answers, choices, strict=True))]
        body: Json = {**head, "object": self._shape.kind, "choices": told, "usage": used}
        await run_sync(keep, self.site, self.request, asked, body)
        return body

    async def _held(self, served: Served, choices: Sequence[Wanted]) -> Pieces:
        """The pieces of all choices. The model stays open while the request waits in line: a newer one does not take it away."""
        with self.site.door.use(served):
            async with aclosing(answering(self._turns, lambda: pieces_of(self.site, served, choices))) as pieces:
                async for piece in pieces:
                    yield piece

    async def _events(self, head: Json, asked: AnswerRequest, choices: Sequence[Wanted], first: str | Answer, rest: Pieces,
                      account: Account) -> AsyncGenerator[str, None]:
        """The chunks of all choices, the counts if they were asked for, and the end. What fails on the way is told as an error."""
        first_seconds = time.monotonic() - self._began
        answers: list[Answer] = []
        lost: list[str] = []
        is_whole = False
        try:
            async with aclosing(rest):
                async for chunk in self._chunks(head, asked, choices, first, rest, answers, lost):
                    yield chunk
            await self._finished(head, asked, choices, answers)
            is_whole = True
        except TutelageError as error:
            yield self._broken(f"the answer broke off: {error}", "broken_off")
        except TimeoutError:
            yield self._broken(self._late(), "deadline_exceeded")
        finally:
            if not is_whole:
                self.meter.broke_off(str(head["model"]))
            account.ended(answers, prompt_tokens=prompt_tokens(asked, choices), first_seconds=first_seconds, pieces_lost=len(lost),
                          is_whole=is_whole)
        if is_whole:
            self.meter.answered(str(head["model"]), answers, choices_a_prompt=asked.n or 1, first_seconds=first_seconds,
                                seconds=time.monotonic() - self._began)
            if asked.include_usage:
                yield event({**head, "object": self._shape.chunk_kind, "choices": [], "usage": usage(answers, asked.n or 1)})
            yield DONE

    async def _chunks(self, head: Json, asked: AnswerRequest, choices: Sequence[Wanted], first: str | Answer, rest: Pieces,
                      answers: list[Answer], lost: list[str]) -> AsyncGenerator[str, None]:
        """The chunks of all choices, one choice after another; `answers` gets the Answer of each, `lost` the pieces of an open one."""
        frame: Json = {**head, "object": self._shape.chunk_kind}
        extra: Json = {"usage": None} if asked.include_usage else {}
        piece: str | Answer | None = first
        is_open = False
        while piece is not None:
            index = len(answers)
            if not is_open and (opening := self._shape.first(index, choices[index].echo)):
                yield event({**frame, "choices": [opening], **extra})
            is_open = isinstance(piece, str)
            if isinstance(piece, str):
                lost.append(piece)
                yield event({**frame, "choices": [self._shape.piece(index, piece)], **extra})
            else:
                answers.append(piece)
                lost.clear()
                yield event({**frame, "choices": [self._shape.last(index, piece)], **extra})
            piece = await self._in_time(_next(rest))

    async def _in_time(self, work: Coroutine[Any, Any, Result]) -> Result:
        """The result, or TimeoutError at the request's deadline, which counts the time in the line too."""
        left = self._began + self.site.endpoint.deadline - time.monotonic()
        async with asyncio.timeout(max(0.0, left)):
            return await work

    def _unavailable(self, told: str, code: str) -> JSONResponse:
        return error_response(503, told, kind="server_error", code=code, headers={"retry-after": BUSY_SECONDS, REQUEST_ID: self._id})

    def _late(self) -> str:
        return (f"{self._id}: not finished within the endpoint's deadline of {self.site.endpoint.deadline:g} seconds, waiting included. "
                "Ask for fewer tokens, or try again when less is going on.")

    def _broken(self, message: str, code: str) -> str:
        told = message if message.startswith(self._id) else f"{self._id}: {message}"
        return event({"error": {"message": told, "type": "server_error", "param": None, "code": code}})


def prompt_tokens(asked: AnswerRequest, choices: Sequence[Wanted]) -> int:
    """Tokens of all prompts; one with several choices counts once."""
    return sum(len(wanted.ids) for wanted in choices[::asked.n or 1])


async def _next(pieces: Pieces) -> str | Answer | None:
    return await anext(pieces, None)
