"""The drafting page, its editor with the redline, and the list of one's own drafts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from tutelage.core.errors import InputError
from tutelage.core.records import Language
from tutelage.desk.errors import DeskError, NotAllowed
from tutelage.desk.records import DraftRow
from tutelage.drafting.compose import LONGEST_KEYWORD, MOST_KEYWORDS, ClauseRequest, opening_request, request_clause
from tutelage.reviews.flow import may_edit
from tutelage.text.clause_types import CLAUSE_TYPES
from tutelage.web.auth import user_of
from tutelage.web.clauses import Clauses, Origin
from tutelage.web.pages import Pages
from tutelage.web.redlines import marked
from tutelage.web.site import Site

Text = Annotated[str, Form()]


def draft_routes(site: Site, clauses: Clauses, pages: Pages) -> APIRouter:
    """/, /hits, /editor, /redline and /status."""
    router = APIRouter()

    @router.get("/")
    def drafting(request: Request) -> Response:
        language = pages.language(request)
        asked = opening_request(site.drafting.opening, language)
        return pages.page(request, "drafting.html", {
            "types": type_names(language), "opening": asked, "keywords": site.drafting.opening.keywords or ", ".join(asked.keywords),
            **_hits(clauses, asked)})

    @router.post("/hits")
    def hits(request: Request, type: Text, language: Text, keywords: Text = "") -> Response:
        try:
            asked = request_clause(type, keywords, language)
        except InputError:
            # Type and language come from lists, so it is the keywords that a person got wrong.
            return HTMLResponse(pages.fragment(request, "mistake.html", {"most": MOST_KEYWORDS, "longest": LONGEST_KEYWORD}))
        return HTMLResponse(pages.fragment(request, "hits.html", _hits(clauses, asked)))

    @router.post("/editor")
    def editor(request: Request, origin: Text) -> Response:
        begun = _origin(clauses, origin)
        return HTMLResponse(pages.fragment(request, "editor.html", {"origin": origin, "begun": begun, "text": begun.text, "changes": []}))

    @router.post("/redline")
    def live_redline(request: Request, text: Text = "", origin: Text = "", draft_id: Annotated[int, Form()] = 0) -> Response:
        if draft_id:
            row = _own_draft(site, request, draft_id)
            changes = marked(row.draft, unix_lines(text), row.language)
        else:
            begun = _origin(clauses, origin)
            changes = marked(begun.text, unix_lines(text), begun.language)
        return HTMLResponse(pages.fragment(request, "redline.html", {"changes": changes}))

    @router.get("/status")
    def status(request: Request) -> Response:
        return HTMLResponse(pages.fragment(request, "status.html", {}))

    return router


def own_draft_routes(site: Site, clauses: Clauses, pages: Pages) -> APIRouter:
    """/drafts and /drafts/{id}: confirming a draft, and editing it again when it came back."""
    router = APIRouter()

    @router.post("/drafts")
    def confirm(request: Request, origin: Text, text: Text = "") -> Response:
        begun = _origin(clauses, origin)
        row = site.desk.new_draft(clause_type=begun.clause_type, keywords=begun.keywords, language=begun.language, model=begun.model,
                                  is_gated=begun.is_gated, draft=begun.text, sources=begun.sources, author=user_of(request).name,
                                  permission=clauses.permission_of(begun))
        return _submit(request, row, text, row.version)

    @router.get("/drafts")
    def mine(request: Request) -> Response:
        return pages.page(request, "drafts.html", {"drafts": site.desk.drafts(author=user_of(request).name)})

    @router.get("/drafts/{draft_id}")
    def again(request: Request, draft_id: int) -> Response:
        row = _own_draft(site, request, draft_id)
        return _edit_page(request, row, row.text, "", 200)

    @router.post("/drafts/{draft_id}")
    def submit_again(request: Request, draft_id: int, version: Annotated[int, Form()], text: Text = "") -> Response:
        return _submit(request, _own_draft(site, request, draft_id), text, version)

    def _submit(request: Request, row: DraftRow, typed: str, version: int) -> Response:
        edited = unix_lines(typed)
        try:
            if edited != row.text or version != row.version:
                row = site.desk.edit_draft(row.id, author=user_of(request).name, text=edited, version=version)
            site.desk.submit_draft(row.id, author=user_of(request).name)
        except DeskError as error:
            return _edit_page(request, row, edited, error.told(pages.language(request)), 409)
        return RedirectResponse("/drafts", status_code=303)

    def _edit_page(request: Request, row: DraftRow, typed: str, error: str, status_code: int) -> Response:
        return pages.page(request, "edit_draft.html", {
            "row": row, "text": typed, "error": error, "changes": marked(row.draft, typed, row.language),
            "is_open": may_edit(user_of(request), row)}, status_code)

    return router


def unix_lines(text: str) -> str:
    """Browsers send the line ends of a text area as CR LF; drafts keep LF."""
    return text.replace("\r\n", "\n")


def type_names(language: Language) -> list[tuple[str, str]]:
    """Key and name of each clause type, by name."""
    return sorted(((key, kind.name(language)) for key, kind in CLAUSE_TYPES.items()), key=lambda pair: pair[1])


def _hits(clauses: Clauses, asked: ClauseRequest) -> dict[str, object]:
    return {"hits": [(hit, clauses.origin_of_hit(asked, hit)) for hit in clauses.hits(asked)]}


def _origin(clauses: Clauses, token: str) -> Origin:
    origin = clauses.read_origin(token)
    if origin is None:
        raise HTTPException(400, "this text's origin was altered; choose the clause again")
    return origin


def _own_draft(site: Site, request: Request, draft_id: int) -> DraftRow:
    row = site.desk.draft(draft_id)
    if row.author != user_of(request).name:
        raise NotAllowed("desk.not_author", draft=draft_id, name=user_of(request).name)
    return row
