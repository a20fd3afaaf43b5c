"""Who calls: session cookies, CSRF tokens and keys; and the guard that lets nobody else in."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from urllib.parse import parse_qs, quote

from anyio.to_thread import run_sync
from itsdangerous import BadSignature, URLSafeSerializer, URLSafeTimedSerializer
from starlette.datastructures import URL, MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tutelage.desk.desk import Desk
from tutelage.desk.records import Key, User
from tutelage.web.limits import Allowances, Spending

SESSION_COOKIE = "tutelage_session"
FORM_COOKIE = "tutelage_form"
SESSION_SECONDS = 12 * 3600
CSRF_HEADER = "x-csrf-token"
CSRF_FIELD = "csrf_token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
OPEN_PATHS = ("/sign-in", "/health", "/ready")
OPEN_FOLDER = "/static/"
GENERATE, ADMIN, METRICS = "generate", "admin", "metrics"
# Which scopes open a route to a key, any of them; routes that are not listed need `generate`.
SCOPES: dict[tuple[str, str], tuple[str, ...]] = {
    ("GET", "/metrics"): (METRICS,), ("GET", "/v1/receipts/"): (GENERATE, ADMIN), ("DELETE", "/v1/models/"): (ADMIN,)}
API_FOLDERS = ("/api/", "/v1/")
API_PATHS = ("/metrics", "/tokenize", "/detokenize", "/tokenizer_info", "/openapi.json")


@dataclass(frozen=True)
class Visitor:
    """Who calls: a signed-in person with the session's CSRF token, or a key."""

    user: User | None = None
    csrf: str = ""
    key: Key | None = None


class Sessions:
    """Signs and reads the cookies. A session ends after 12 hours, or at sign-out for this process."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._signer = URLSafeTimedSerializer(secret, salt="tutelage session", signer_kwargs={"digest_method": hashlib.sha256})
        self._ended: set[str] = set()

    def open(self, name: str) -> str:
        """Cookie value of a new session."""
        return self._signer.dumps({"name": name, "id": secrets.token_urlsafe(16)})

    def read(self, cookie: str) -> tuple[str, str] | None:
        """Name and CSRF token of a session, or None if it was forged, has ended or is too old."""
        try:
            session = self._signer.loads(cookie, max_age=SESSION_SECONDS)
        except BadSignature:
            return None
        return None if session["id"] in self._ended else (session["name"], self._token(session["id"]))

    def end(self, cookie: str) -> None:
        """Make the cookie worthless."""
        try:
            self._ended.add(self._signer.loads(cookie, max_age=SESSION_SECONDS)["id"])
        except BadSignature:
            return

    def form_token(self, nonce: str) -> str:
        """CSRF token of the sign-in form, bound to the nonce in its cookie."""
        return self._token("form " + nonce)

    def _token(self, about: str) -> str:
        return hmac.new(self._secret, f"csrf {about}".encode(), hashlib.sha256).hexdigest()


class Origins:
    """Signs where a text came from, so that the browser can carry it but nobody can alter what the model wrote."""

    def __init__(self, secret: bytes) -> None:
        self._signer = URLSafeSerializer(secret, salt="tutelage origin", signer_kwargs={"digest_method": hashlib.sha256})

    def sign(self, json_text: str) -> str:
        """A token that carries the text."""
        return self._signer.dumps(json_text)

    def read(self, token: str) -> str | None:
        """The text, or None if the token was forged."""
        try:
            return str(self._signer.loads(token))
        except BadSignature:
            return None


class Attempts:
    """Counts failed sign-ins: after `limit` within `seconds` the same name, or the same address, has to wait."""

    def __init__(self, limit: int = 5, seconds: float = 300.0) -> None:
        self._limit = limit
        self._seconds = seconds
        self._failed: dict[str, list[float]] = {}

    def wait_seconds(self, *whos: str) -> int:
        """Seconds until one of these may try again; 0 for now."""
        now = time.monotonic()
        waits = [0.0]
        for who in whos:
            recent = [at for at in self._failed.get(who, []) if now - at < self._seconds]
            if len(recent) >= self._limit:
                waits.append(self._seconds - (now - recent[-self._limit]))
        return int(max(waits) + 0.999)

    def failed(self, *whos: str) -> None:
        """Count one failure for each of these."""
        now = time.monotonic()
        self._failed = {who: at for who, at in self._failed.items() if now - at[-1] < self._seconds}
        for who in whos:
            self._failed[who] = [*self._failed.get(who, []), now][-self._limit:]

    def succeeded(self, *whos: str) -> None:
        """Forget the failures of these."""
        for who in whos:
            self._failed.pop(who, None)


def is_open(path: str) -> bool:
    """Whether a path answers to anybody."""
    return path in OPEN_PATHS or path.startswith(OPEN_FOLDER)


def needed_scopes(method: str, path: str) -> tuple[str, ...]:
    """The scopes of which a key needs one; an entry that ends with a slash is for all below it."""
    return next((scopes for (verb, place), scopes in SCOPES.items()
                 if verb == method and (path == place or (place.endswith("/") and path.startswith(place)))), (GENERATE,))


def is_api(path: str) -> bool:
    """Whether a path answers in JSON, to keys too."""
    return path.startswith(API_FOLDERS) or path in API_PATHS


class Guard:
    """Stands before all routes: without a session or a key every path is refused that `is_open` does not name.

    A page sends the visitor to sign in; an API answers 401. A session may change something only with its CSRF token, in
    the header or in the form. A key is held to its limits here, before anything is read of what it asks. Sets
    `scope["state"]["visitor"]`, and "spending", where answers count their tokens.
    """

    def __init__(self, app: ASGIApp, desk: Desk, sessions: Sessions) -> None:
        self._app = app
        self._desk = desk
        self._sessions = sessions
        self._allowances = Allowances()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or set the visitor and go on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        visitor = await self._visitor(connection)
        path = connection.url.path
        refusal: Response | None = None
        if visitor is None:
            refusal = None if is_open(path) else _refuse(connection)
        elif visitor.key:
            refusal = _scope_missing(visitor.key, scope["method"], path)
        elif visitor.user and needed_scopes(scope["method"], path) == (ADMIN,) and visitor.user.role != "admin":
            refusal = error_response(403, f"You have the role {visitor.user.role}; {path} needs an admin.", kind="permission_error",
                                     code="role_missing")
        elif visitor.user and scope["method"] not in SAFE_METHODS and not is_open(path) and not self._has_token(connection, visitor):
            refusal = error_response(403, "This request lacks the session's CSRF token. Load the page again and repeat it.",
                                     kind="permission_error", code="csrf_token_missing")
        if refusal:
            await refusal(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["visitor"] = visitor or Visitor()
        state["spending"] = Spending(self._allowances, visitor.key if visitor else None)
        if visitor and visitor.key:
            await self._within_limits(visitor.key, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _within_limits(self, key: Key, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._allowances.headers(key))
            await send(message)

        refused = self._allowances.enter(key)
        if refused:
            answer = error_response(429, refused.message, kind=refused.kind, code="rate_limit_exceeded",
                                    headers={"retry-after": str(refused.seconds)})
            await answer(scope, receive, with_headers)
            return
        try:
            await self._app(scope, receive, with_headers)
        finally:
            self._allowances.leave(key)

    async def _visitor(self, connection: HTTPConnection) -> Visitor | None:
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if is_api(connection.url.path) and scheme.lower() == "bearer":
            key = await run_sync(self._desk.check_key, secret.strip())
            return Visitor(key=key) if key else None
        session = self._sessions.read(connection.cookies.get(SESSION_COOKIE, ""))
        if session is None:
            return None
        user = await run_sync(self._desk.user, session[0])
        return Visitor(user=user, csrf=session[1]) if user else None

    def _has_token(self, connection: HTTPConnection, visitor: Visitor) -> bool:
        sent = connection.headers.get(CSRF_HEADER, "")
        if not sent and connection.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            fields = parse_qs(connection.scope["state"]["body"].decode("latin-1"))
            sent = fields.get(CSRF_FIELD, [""])[0]
        return hmac.compare_digest(sent.encode(), visitor.csrf.encode())


def visitor_of(request: Request) -> Visitor:
    """Who sent the request."""
    visitor = request.state.visitor
    assert isinstance(visitor, Visitor)
    return visitor


def spend(request: Request, tokens: int) -> None:
    """Count the tokens of an answer, its prompt included, against the limits of the key that asked."""
    spending = request.state.spending
    assert isinstance(spending, Spending)
    spending.spend(tokens)


def asker(request: Request) -> str:
    """Who sent the request, as the desk's records name them: "key LABEL" or "user NAME"."""
    visitor = visitor_of(request)
    return f"key {visitor.key.label}" if visitor.key else f"user {visitor.user.name if visitor.user else ''}"


def user_of(request: Request) -> User:
    """The signed-in person; the guard lets nobody else reach a page."""
    user = visitor_of(request).user
    assert user is not None
    return user


def error_response(status: int, message: str, *, kind: str = "invalid_request_error", param: str | None = None, code: str | None = None,
                   headers: dict[str, str] | None = None) -> JSONResponse:
    """An error in the shape that clients of OpenAI's API know."""
    return JSONResponse({"error": {"message": message, "type": kind, "param": param, "code": code}}, status_code=status, headers=headers)


def _scope_missing(key: Key, method: str, path: str) -> JSONResponse | None:
    needed = needed_scopes(method, path)
    if set(needed) & set(key.scopes):
        return None
    wanted = " or ".join(repr(scope) for scope in needed)
    return error_response(403, f"This key has the scopes {', '.join(key.scopes)}; {path} needs {wanted}. Ask for another key.",
                          kind="permission_error", code="scope_missing")


def _refuse(connection: HTTPConnection) -> Response:
    path = connection.url.path
    if is_api(path):
        return error_response(401, "No valid key. Send `Authorization: Bearer KEY` with a key of the desk that has not expired.",
                              kind="authentication_error", code="invalid_api_key", headers={"www-authenticate": "Bearer"})
    target = URL("/sign-in").include_query_params(next=path) if connection.scope["method"] == "GET" and path != "/" else URL("/sign-in")
    if "hx-request" in connection.headers:
        return Response(status_code=401, headers={"hx-redirect": "/sign-in"})
    return RedirectResponse(str(target), status_code=303)


def local_path(target: str) -> str:
    """`target` if it is a path of this site, else "/": a link cannot lead a visitor elsewhere after signing in."""
    return quote(target, safe="/") if target.startswith("/") and not target.startswith(("//", "/\\")) else "/"
