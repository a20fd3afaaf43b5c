"""Lets blocking engines answer many clients: a bounded line of waiting requests, threads, and clean cancellation."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio.to_thread import run_sync
from starlette.requests import ClientDisconnect, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from tutelage.core.records import Answer
from tutelage.web.shield import REQUEST_ID

BUSY_SECONDS = "2"  # what a client should wait before it asks again
Result = TypeVar("Result")
Pieces = Generator[str | Answer, None, None]


class Crowded(Exception):
    """Too many requests wait for the model already."""


class Turns:
    """At most `at_once` generations run and `waiting` more stand in line; the next one is refused with Crowded."""

    def __init__(self, at_once: int = 2, waiting: int = 16) -> None:
        self._slots = anyio.Semaphore(at_once)
        self._room = at_once + waiting
        self._inside = 0
        self._running = 0

    @property
    def running(self) -> int:
        """How many generations run now."""
        return self._running

    @property
    def waiting(self) -> int:
        """How many requests stand in line now."""
        return self._inside - self._running

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and hold it. Raises Crowded at once when the line is full."""
        if self._inside >= self._room:
            raise Crowded(f"{self._inside} requests are being answered or wait; no more are taken. Try again in a few seconds.")
        self._inside += 1
        try:
            async with self._slots:
                self._running += 1
                try:
                    yield
                finally:
                    self._running -= 1
        finally:
            self._inside -= 1


async def answering(turns: Turns, start: Callable[[], Pieces]) -> AsyncGenerator[str | Answer, None]:
    """The pieces of a generation, each fetched in a thread, after waiting for a turn.

    Closing or cancelling this one closes the blocking one within a piece, which cancels the generation.
    """
    async with turns.turn():
        pieces = OneAtATime(start)
        try:
            while (piece := await run_sync(pieces.next)) is not None:
                yield piece
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(pieces.close)


class OneAtATime:
    """A blocking generator that a cancelled thread may still be running when it is closed: closing waits for the piece."""

    def __init__(self, start: Callable[[], Pieces]) -> None:
        self._start = start
        self._pieces: Pieces | None = None
        self._lock = threading.Lock()
        self._is_closed = False

    def next(self) -> str | Answer | None:
        """The next piece, None after the last one or after closing."""
        with self._lock:
            if self._is_closed:
                return None
            if self._pieces is None:
                self._pieces = self._start()
            return next(self._pieces, None)

    def close(self) -> None:
        """Close the generator, after the piece that it is making."""
        with self._lock:
            self._is_closed = True
            if self._pieces is not None:
                self._pieces.close()


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of `work`, which is cancelled when the client leaves; then ClientDisconnect is raised."""
    working = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_disconnect(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        leaving.cancel()
        if working.cancel():
            await asyncio.wait({working})


async def _disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue


async def whole(pieces: AsyncGenerator[str | Answer, None]) -> Answer:
    """The Answer at the end of a generation."""
    async with aclosing(pieces):
        async for piece in pieces:
            if isinstance(piece, Answer):
                return piece
    raise RuntimeError("the engine's stream ended without an Answer; that breaks core.engine.Engine.stream.")


async def every(pieces: AsyncGenerator[str | Answer, None]) -> list[Answer]:
    """The Answers of one or several generations, in order."""
    async with aclosing(pieces):
        return [piece async for piece in pieces if isinstance(piece, Answer)]


class EventStream(StreamingResponse):
    """Server-sent events; the generator behind them is closed at once when the client leaves."""

    def __init__(self, events: AsyncGenerator[str, None], *, answer_id: str = "") -> None:
        names = {REQUEST_ID: answer_id} if answer_id else {}
        super().__init__(events, media_type="text/event-stream", headers={"x-accel-buffering": "no", **names})
        self.events = events

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until they end or the client leaves."""
        async with aclosing(self.events):
            await super().__call__(scope, receive, send)
