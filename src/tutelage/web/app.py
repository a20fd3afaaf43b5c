"""Puts the site together: routes, guard and shield."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

from tutelage.core.engine import CannotDo
from tutelage.core.errors import InputError, ServiceUnavailable, TutelageError
from tutelage.core.language import text
from tutelage.desk.errors import DeskError, NotFound
from tutelage.endpoint.meter import Meter
from tutelage.web.auth import Guard, Sessions, error_response, is_api
from tutelage.web.clause_api import clause_routes
from tutelage.web.clauses import Clauses
from tutelage.web.draft_pages import draft_routes, own_draft_routes
from tutelage.web.label_pages import label_routes
from tutelage.web.openai_api import openai_routes
from tutelage.web.openai_resources import resource_routes
from tutelage.web.openapi import openapi_routes
from tutelage.web.pages import Pages, htmx_folder
from tutelage.web.progress import Follower
from tutelage.web.receipts import receipt_routes
from tutelage.web.review_pages import review_routes
from tutelage.web.scores_pages import scores_routes
from tutelage.web.service_api import service_routes
from tutelage.web.shield import BodyLimit, HostCheck, RequestIds, SecurityHeaders
from tutelage.web.sign_in import sign_in_routes
from tutelage.web.site import Site
from tutelage.web.streaming import Turns
from tutelage.web.training_pages import training_routes

CLIENT_LEFT = 499
# Which failure is whose fault: our own in all other cases.
FAILURES: tuple[tuple[type[TutelageError], int, str], ...] = ((ServiceUnavailable, 503, "server_error"),
                                                             (InputError, 400, "invalid_request_error"),
                                                             (CannotDo, 400, "invalid_request_error"))
HTTP_TEXTS = {400: "web.error.altered", 404: "web.error.not_found"}


def create_app(site: Site) -> FastAPI:
    """The whole site, ready for an ASGI server."""
    sessions = Sessions(site.secret)
    follower = Follower(site.progress)
    pages, clauses, turns, meter = Pages(site, follower), Clauses(site), Turns(site.endpoint.parallel, site.endpoint.waiting), Meter()
    # The first one stands outermost: a request for a foreign host costs nothing more.
    shield = [Middleware(SecurityHeaders), Middleware(RequestIds), Middleware(HostCheck, hosts=site.hosts), Middleware(BodyLimit),
              Middleware(Guard, desk=site.desk, sessions=sessions)]
    app = FastAPI(title="Tutelage", docs_url=None, redoc_url=None, openapi_url=None, middleware=shield)
    app.mount("/static/htmx", StaticFiles(directory=htmx_folder()), name="htmx")
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "static"), name="static")
    for router in (sign_in_routes(site, sessions, pages), draft_routes(site, clauses, pages),
                   own_draft_routes(site, clauses, pages), review_routes(site, clauses, pages), label_routes(site, pages),
                   training_routes(site, follower, pages), scores_routes(site, pages), clause_routes(site, clauses, turns),
                   openai_routes(site, turns, meter), *resource_routes(site, turns, meter),
                   service_routes(site, turns, meter),
                   receipt_routes(site.receipts), openapi_routes(app, pages)):
        app.include_router(router)

    _add_error_answers(app, pages)
    return app


def _add_error_answers(app: FastAPI, pages: Pages) -> None:
    def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, DeskError)
        told = error.told(pages.language(request))
        status = 404 if isinstance(error, NotFound) else 409
        return error_response(status, told) if is_api(request.url.path) else pages.page(request, "error.html", {"message": told}, status)

    def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if is_api(request.url.path):
            told = f"{error.detail}: {request.method} {request.url.path}."
            return error_response(error.status_code, told, headers=dict(error.headers or {}))
        key = HTTP_TEXTS.get(error.status_code, "web.error.form")
        return pages.page(request, "error.html", {"message": text(key, pages.language(request))}, error.status_code)

    def malformed(request: Request, error: Exception) -> Response:
        return pages.page(request, "error.html", {"message": text("web.error.form", pages.language(request))}, 422)

    def failed(request: Request, error: Exception) -> Response:
        assert isinstance(error, TutelageError)
        status, kind = next((row[1:] for row in FAILURES if isinstance(error, row[0])), (500, "server_error"))
        return error_response(status, str(error), kind=kind, headers={"retry-after": "2"} if status == 503 else None) \
            if is_api(request.url.path) else pages.page(request, "error.html", {"message": str(error)}, status)

    def client_left(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_LEFT)

    app.add_exception_handler(DeskError, refused)
    app.add_exception_handler(TutelageError, failed)
    app.add_exception_handler(HTTPException, http_error)
    app.add_exception_handler(RequestValidationError, malformed)
    app.add_exception_handler(ClientDisconnect, client_left)
