"""Reviews: the list of submitted drafts, one draft as a redline, and the decision of a second person."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.records import DraftRow
from tutelage.reviews.flow import approve, give_back, may_decide, may_read
from tutelage.reviews.make import export
from tutelage.web.auth import user_of
from tutelage.web.clauses import Clauses
from tutelage.web.draft_pages import unix_lines
from tutelage.web.pages import Pages
from tutelage.web.redlines import marked
from tutelage.web.site import Site

DECIDED_SHOWN = 20


def review_routes(site: Site, clauses: Clauses, pages: Pages) -> APIRouter:
    """/reviews and /reviews/{id}."""
    router = APIRouter()

    @router.get("/reviews")
    def submitted(request: Request) -> Response:
        user = user_of(request)
        readable = [row for row in site.desk.drafts() if may_read(user, row)]
        return pages.page(request, "reviews.html", {
            "waiting": [row for row in reversed(readable) if row.state == "submitted"],
            "decided": [row for row in readable if row.state in ("approved", "returned")][:DECIDED_SHOWN],
            "may_decide": partial(may_decide, user)})

    @router.get("/reviews/{draft_id}")
    def one(request: Request, draft_id: int) -> Response:
        return _page(request, draft_id, "", 200)

    @router.post("/reviews/{draft_id}")
    def decide(request: Request, draft_id: int, decision: Annotated[Literal["approve", "return"], Form()],
               text_sha256: Annotated[str, Form()], comment: Annotated[str, Form()] = "") -> Response:
        user, said = user_of(request), unix_lines(comment)
        try:
            if decision == "approve":
                approve(site.desk, draft_id, user=user, text_sha256=text_sha256, comment=said)
                export(site.desk, site.work)
            else:
                give_back(site.desk, draft_id, user=user, text_sha256=text_sha256, comment=said)
        except NotFound:
            raise
        except DeskError as error:
            return _page(request, draft_id, error.told(pages.language(request)), 409, said)
        return RedirectResponse(f"/reviews/{draft_id}", status_code=303)

    def _page(request: Request, draft_id: int, error: str, status_code: int, comment: str = "") -> Response:
        row = site.desk.draft(draft_id)
        if not may_read(user_of(request), row):
            raise NotFound("desk.no_draft", draft=draft_id)
        return pages.page(request, "review.html", {
            "row": row, "error": error, "comment": comment, "changes": marked(row.draft, row.text, row.language),
            "may_decide": may_decide(user_of(request), row), "sources": _sources(row)}, status_code)

    def _sources(row: DraftRow) -> list[tuple[str, str, str]]:
        """Title, source and licence of each clause that was shown beside the draft; its id where it may be shown no longer."""
        library = {clause.id: clause for clause in clauses.permitted(row.language)}
        return [(library[name].title, library[name].source, library[name].licence) if name in library else (name, "", "")
                for name in row.sources]

    return router
