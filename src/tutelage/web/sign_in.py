"""Signing in and out."""

from __future__ import annotations

import hmac
import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from tutelage.web.auth import FORM_COOKIE, SESSION_COOKIE, SESSION_SECONDS, Attempts, Sessions, local_path
from tutelage.web.pages import Pages
from tutelage.web.site import Site

FORM_SECONDS = 3600


def sign_in_routes(site: Site, sessions: Sessions, pages: Pages) -> APIRouter:
    """GET and POST /sign-in, POST /sign-out."""
    router = APIRouter()
    attempts_of_name, attempts_of_address = Attempts(limit=5), Attempts(limit=20)

    def form(request: Request, status_code: int, *, error: str = "", name: str = "", target: str = "/", wait: int = 0) -> Response:
        nonce = secrets.token_urlsafe(16)
        response = pages.page(request, "sign_in.html", {"error": error, "name": name, "target": local_path(target), "wait": wait,
                                                        "form_token": sessions.form_token(nonce)}, status_code)
        _set_cookie(request, response, FORM_COOKIE, nonce, FORM_SECONDS)
        if wait:
            response.headers["retry-after"] = str(wait)
        return response

    @router.get("/sign-in")
    def show(request: Request, next: str = "/") -> Response:
        return form(request, 200, target=next)

    @router.post("/sign-in")
    def sign_in(request: Request, name: Annotated[str, Form()] = "", password: Annotated[str, Form()] = "",
                csrf_token: Annotated[str, Form()] = "", next: Annotated[str, Form()] = "/") -> Response:
        expected = sessions.form_token(request.cookies.get(FORM_COOKIE, ""))
        if FORM_COOKIE not in request.cookies or not hmac.compare_digest(csrf_token.encode(), expected.encode()):
            return form(request, 403, error="web.sign_in.form_too_old", name=name, target=next)
        who, address = name.casefold(), request.client.host if request.client else ""
        wait = max(attempts_of_name.wait_seconds(who), attempts_of_address.wait_seconds(address))
        if wait:
            return form(request, 429, error="web.sign_in.wait", name=name, target=next, wait=wait)
        user = site.desk.sign_in(name, password)
        if user is None:
            attempts_of_name.failed(who)
            attempts_of_address.failed(address)
            return form(request, 401, error="web.sign_in.wrong", name=name, target=next)
        attempts_of_name.succeeded(who)
        response = RedirectResponse(local_path(next), status_code=303)
        _set_cookie(request, response, SESSION_COOKIE, sessions.open(user.name), SESSION_SECONDS)
        response.delete_cookie(FORM_COOKIE)
        return response

    @router.post("/sign-out")
    def sign_out(request: Request) -> Response:
        sessions.end(request.cookies[SESSION_COOKIE])
        response = RedirectResponse("/sign-in", status_code=303)
        response.delete_cookie(SESSION_COOKIE)
        return response

    return router


def _set_cookie(request: Request, response: Response, name: str, value: str, seconds: int) -> None:
    response.set_cookie(name, value, max_age=seconds, httponly=True, samesite="strict", secure=request.url.scheme == "https")
