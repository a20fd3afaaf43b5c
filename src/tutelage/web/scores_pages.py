"""The scores page with the newest report of the recipe, where a reviewer may answer for a model; reports in their frame."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tutelage.core.errors import GateClosed, InputError
from tutelage.core.language import text
from tutelage.desk.errors import DeskError
from tutelage.endpoint.overrides import override, read_gate
from tutelage.endpoint.overrides import told as told_overrides
from tutelage.reviews.flow import DECIDERS
from tutelage.web.auth import user_of
from tutelage.web.pages import Pages
from tutelage.web.site import Site

# The report is a whole document with styles of its own; the sandbox and this policy let it run and fetch nothing.
REPORT_POLICY = ("default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; base-uri 'none'; "
                 "form-action 'none'; sandbox")


def scores_routes(site: Site, pages: Pages) -> APIRouter:
    """/scores, /scores/override and /scores/report."""
    router = APIRouter()

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

    @router.get("/scores/report")
    def report(request: Request) -> Response:
        return framed(site, pages, request, "scores")

    def _scores(request: Request, status_code: int = 200, error: str = "") -> Response:
        found = site.door.newest("scores")
        standing = site.desk.overrides(found.id) if found else ()
        return pages.page(request, "scores.html", {
            "scores": found, "gate": read_gate(found) if found else None, "standing": told_overrides(standing, pages.language(request)),
            "may_answer": user_of(request).role in DECIDERS, "has_answered": user_of(request).name in [one.person for one in standing],
            "error": error}, status_code)

    return router


def framed(site: Site, pages: Pages, request: Request, stage: str) -> Response:
    """The newest report of a stage in the person's language, to be shown in a frame. 404 before the first."""
    found = site.door.newest(stage)
    if found is None:
        raise HTTPException(404, f"there is no report of {stage} yet")
    html = found.file(f"report.{pages.language(request)}.html").read_text("utf-8")
    return HTMLResponse(html, headers={"content-security-policy": REPORT_POLICY, "x-frame-options": "SAMEORIGIN"})
