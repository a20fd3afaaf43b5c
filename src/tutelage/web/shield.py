"""What stands before every route: host check, body limit, security headers. Plain ASGI, so that streams pass untouched."""

from __future__ import annotations

import secrets
from ipaddress import IPv6Address, ip_address

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY_BYTES = 1_000_000
REQUEST_ID = "x-request-id"

PAGE_POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self'; "
               "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
HEADERS = {"content-security-policy": PAGE_POLICY, "x-content-type-options": "nosniff", "x-frame-options": "DENY",
           "referrer-policy": "no-referrer", "cross-origin-opener-policy": "same-origin", "cross-origin-resource-policy": "same-origin",
           "permissions-policy": "camera=(), microphone=(), geolocation=()", "cache-control": "no-store"}


class HostCheck:
    """Refuses requests for any other host name, so that no foreign page reaches the site through DNS rebinding.

    Beside `hosts` the address is taken at which a request arrived: it is no name that somebody could point elsewhere.
    """

    def __init__(self, app: ASGIApp, hosts: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a foreign host, or go on."""
        if scope["type"] == "http" and host_name(Headers(scope=scope).get("host", "")) not in self._hosts | {own_address(scope)}:
            response = PlainTextResponse(f"This site answers only to {', '.join(sorted(self._hosts))}.\n", status_code=400)
            await response(scope, receive, send)
            return
        await self._app(scope, receive, send)


def host_name(host: str) -> str:
    """The name in a Host header, in lower case and without its port; an IPv6 address keeps its brackets."""
    name, bracket, _ = host.lower().partition("]")
    return name + bracket if bracket else host.lower().partition(":")[0]


def own_address(scope: Scope) -> str:
    """The address of ours at which a request arrived, as a Host header has it; 127.0.0.1 where it is none."""
    try:
        found = ip_address((scope.get("server") or ("",))[0])
    except ValueError:
        return "127.0.0.1"
    if isinstance(found, IPv6Address):
        return str(found.ipv4_mapped or f"[{found}]")
    return str(found)


class BodyLimit:
    """Reads the body before anything parses it; more than `limit` bytes are refused with 413 and not kept.

    The body is left in `scope["state"]["body"]` for the guard, and handed on as one message.
    """

    def __init__(self, app: ASGIApp, limit: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._limit = limit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a body that is too large, or go on with it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await self._read(Headers(scope=scope).get("content-length", "0"), receive)
        if body is None:
            message = f"The body has more than {self._limit} bytes; that is the limit. Send less in one request."
            error = {"message": message, "type": "invalid_request_error", "param": None, "code": "body_too_large"}
            await JSONResponse({"error": error}, status_code=413, headers={"connection": "close"})(scope, receive, send)
            return
        scope.setdefault("state", {})["body"] = body
        waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return waiting.pop() if waiting else await receive()

        await self._app(scope, replay, send)

    async def _read(self, announced: str, receive: Receive) -> bytes | None:
        if not announced.isdigit() or int(announced) > self._limit:
            return None
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self._limit:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


class SecurityHeaders:
    """Adds the headers of `HEADERS` to each answer that does not set its own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on; add the headers to the answer."""
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)


class RequestIds:
    """Gives each answer an id in the header x-request-id, unless it has one of its own: that of what was generated."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Go on; add the header to the answer."""
        async def with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).setdefault(REQUEST_ID, f"req-{secrets.token_hex(12)}")
            await send(message)

        await self._app(scope, receive, with_id if scope["type"] == "http" else send)
