"""The training page, live while a run is under way, and the report of the newest training."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from string import Formatter

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from starlette.responses import Response

from tutelage.core.events import Event
from tutelage.core.language import catalogue, text
from tutelage.core.records import Language
from tutelage.web.curves import curves
from tutelage.web.pages import Pages
from tutelage.web.progress import Follower, finished_figures
from tutelage.web.scores_pages import framed
from tutelage.web.site import Site
from tutelage.web.streaming import EventStream

SECONDS_BETWEEN = 1.0
STREAM_SECONDS = 600.0


def training_routes(site: Site, follower: Follower, pages: Pages) -> APIRouter:
    """/training, /training/events and /training/report."""
    router = APIRouter()

    @router.get("/training")
    def training(request: Request) -> Response:
        return pages.page(request, "training.html", _progress(request))

    @router.get("/training/events")
    async def events(request: Request) -> Response:
        return EventStream(_changes(request))

    @router.get("/training/report")
    def report(request: Request) -> Response:
        return framed(site, pages, request, "training")

    async def _changes(request: Request) -> AsyncGenerator[str, None]:
        """The page's moving part each time it changed; the browser calls again when the stream ends."""
        sent = ""
        for _ in range(int(STREAM_SECONDS / SECONDS_BETWEEN)):
            html = await run_sync(lambda: pages.fragment(request, "progress.html", _progress(request)))
            if html != sent:
                sent = html
                yield f"data: {json.dumps(html, ensure_ascii=False)}\n\n"
            else:
                yield ": still here\n\n"
            if site.door.is_leaving:
                return
            await asyncio.sleep(SECONDS_BETWEEN)

    def _progress(request: Request) -> dict[str, object]:
        progress, language = follower.progress(), pages.language(request)
        drawn, made = curves(progress, language) if progress else None, site.door.newest("training")
        if progress and drawn is None and made:
            rows = made.file("curve.jsonl").read_text("utf-8").splitlines()
            drawn = curves(finished_figures(json.loads(row) for row in rows), language)
        return {"progress": progress, "curves": drawn, "made": made,
                "notes": [(event.kind, told(event, language)) for event in reversed(progress.notes)] if progress else []}

    return router


def told(event: Event, language: Language) -> str:
    """The event's text, filled with its facts. A text that a newer version wrote and this one lacks is shown by its key."""
    known = catalogue().get(event.key)
    if known is None or any(name and name not in event.facts for _, name, _, _ in Formatter().parse(known[language])):
        return f"{event.stage}: {event.key}"
    return text(event.key, language, **event.facts)
