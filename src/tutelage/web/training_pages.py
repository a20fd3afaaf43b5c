"""The training page, live while a run is under way, and the scores page with the newest report of the recipe."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from string import Formatter
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tutelage.core.errors import GateClosed, InputError
from tutelage.core.events import Event
from tutelage.core.language import catalogue, text
from tutelage.core.records import Language
from tutelage.desk.errors import DeskError
from tutelage.endpoint.overrides import override, read_gate
from tutelage.endpoint.overrides import told as told_overrides
from tutelage.reviews.flow import DECIDERS
from tutelage.web.auth import user_of
from tutelage.web.curves import curves
from tutelage.web.pages import Pages
from tutelage.web.progress import Follower, finished_figures
from tutelage.web.site import Site
from tutelage.web.streaming import EventStream

SECONDS_BETWEEN = 1.0
STREAM_SECONDS = 600.0
# The report is a whole document with styles of its own; the sandbox and this policy let it run and fetch nothing.
REPORT_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
                 "form-action 'none'; sandbox")


def training_routes(site: Site, follower: Follower, pages: Pages) -> APIRouter:
    """/training, /training/events, /training/report, /scores, /scores/override and /scores/report."""
    router = APIRouter()

    @router.get("/training")
    def training(request: Request) -> Response:
        return pages.page(request, "training.html", _progress(request))

    @router.get("/training/events")
    async def events(request: Request) -> Response:
        return EventStream(_changes(request))

    @router.get("/scores")
    def scores(request: Request) -> Response:
        return _scores(request)

    @router.post("/scores/override")
    def answer(request: Request, scores: Annotated[str, Form()], decision: Annotated[Literal["override", "withdraw"], Form()],
               reason: Annotated[str, Form()] = "") -> Response:
        newest, person = site.door.newest("scores"), user_of(request).name
        if newest is None or newest.id != scores:
            return _scores(request, 409, text("web.scores.other", pages.language(request)))
        try:
            if decision == "override":
                override(site.desk, newest, person=person, reason=reason)
            else:
                site.desk.withdraw_override(newest.id, person=person, reason=reason)
        except DeskError as error:
            return _scores(request, 409, error.told(pages.language(request)))
        except (GateClosed, InputError) as error:
            return _scores(request, 409, str(error))
        return RedirectResponse("/scores", status_code=303)

    @router.get("/training/report")
    def training_report(request: Request) -> Response:
        return _report(request, "training", "there is no finished training yet")

    @router.get("/scores/report")
    def report(request: Request) -> Response:
        return _report(request, "scores", "there are no scores yet")

    def _report(request: Request, stage: str, none: str) -> Response:
        found = site.door.newest(stage)
        if found is None:
            raise HTTPException(404, none)
        html = found.file(f"report.{pages.language(request)}.html").read_text("utf-8")
        return HTMLResponse(html, headers={"content-security-policy": REPORT_POLICY, "x-frame-options": "SAMEORIGIN"})

    def _scores(request: Request, status_code: int = 200, error: str = "") -> Response:
        found = site.door.newest("scores")
        standing = site.desk.overrides(found.id) if found else ()
        return pages.page(request, "scores.html", {
            "scores": found, "gate": read_gate(found) if found else None, "standing": told_overrides(standing, pages.language(request)),
            "may_answer": user_of(request).role in DECIDERS, "has_answered": user_of(request).name in [one.person for one in standing],
            "error": error}, status_code)

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
