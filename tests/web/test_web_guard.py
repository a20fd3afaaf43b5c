"""Who gets in: every route without credentials, sessions, CSRF, keys, hosts, bodies and headers."""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

import pytest
from starlette.routing import Mount, Route
from web_site import PASSWORD, form_token

from tutelage.web.app import create_app
from tutelage.web.auth import SESSION_COOKIE, Attempts, Sessions, local_path
from tutelage.web.shield import HostCheck, host_name

OPEN = {("GET", "/sign-in"), ("POST", "/sign-in"), ("GET", "/health"), ("GET", "/ready")}
ASK = {"type": "confidentiality", "keywords": "保密期限", "language": "zh"}


def walk(routes, prefix=""):
    for route in routes:
        if isinstance(route, Mount):
            assert route.path.startswith("/static"), f"a mount outside /static: {route.path}"
        elif isinstance(route, Route):
            yield from ((method, prefix + route.path) for method in route.methods if method != "HEAD")
        else:
            context = route.include_context
            yield from walk(route.original_router.routes, prefix + context.prefix)


def test_every_route_but_sign_in_health_and_ready_is_closed_to_strangers(site, visit):
    found = set(walk(create_app(site).routes))
    assert len(found) >= 32
    assert found >= OPEN | {("POST", "/v1/chat/completions"), ("POST", "/api/clauses"), ("POST", "/reviews/{draft_id}")}
    client = visit(site)
    for method, path in sorted(found - OPEN):
        answer = client.request(method, path.replace("{draft_id}", "1").replace("{name}", "tutelage-draft"))
        if path.startswith(("/api/", "/v1/")) or path in ("/metrics", "/tokenize", "/detokenize", "/tokenizer_info", "/openapi.json"):
            assert answer.status_code == 401, (method, path)
            assert answer.json()["error"]["code"] == "invalid_api_key"
        else:
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/sign-in"), (method, path)


def test_a_path_that_does_not_exist_is_closed_too(site, visit):
    assert visit(site).get("/nothing").headers["location"] == "/sign-in?next=%2Fnothing"
    answer = visit(site, "drafter").get("/nothing")
    assert (answer.status_code, "There is no such page." in answer.text) == (404, True)


@pytest.mark.parametrize("path", ["/drafts", "/hits", "/editor", "/redline", "/sign-out", "/reviews/1", "/labels", "/api/clauses",
                                  "/api/clauses/stream", "/v1/chat/completions"])
def test_a_session_changes_nothing_without_its_csrf_token(site, visit, path):
    client = visit(site, "drafter")
    for token in ("", "0" * 64):
        client.headers["x-csrf-token"] = token
        answer = client.post(path, json=ASK)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "csrf_token_missing")


def test_the_token_of_another_session_does_not_count(site, visit):
    client, other = visit(site, "drafter"), visit(site, "reviewer")
    client.headers["x-csrf-token"] = other.headers["x-csrf-token"]
    assert client.post("/hits", data=ASK).status_code == 403


def test_a_form_may_carry_the_token_in_a_field(site, visit):
    client = visit(site, "drafter")
    token = client.headers.pop("x-csrf-token")
    assert client.post("/hits", data={**ASK, "csrf_token": token}).status_code == 200


def test_signing_in_gives_a_cookie_that_no_script_and_no_other_site_can_use(site, visit):
    client = visit(site)
    token = form_token(client.get("/sign-in").text)
    answer = client.post("/sign-in", data={"name": "drafter", "password": PASSWORD, "csrf_token": token, "next": "/drafts"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/drafts")
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(SESSION_COOKIE))
    assert "httponly" in cookie.lower()
    assert "samesite=strict" in cookie.lower()
    assert client.get("/").status_code == 200


def test_a_person_who_is_signed_in_may_sign_in_as_somebody_else(site, visit):
    client = visit(site, "drafter")
    del client.headers["x-csrf-token"]
    token = re.findall(r'name="csrf_token" value="([^"]+)"', client.get("/sign-in").text)[-1]
    assert client.post("/sign-in", data={"name": "reviewer", "password": PASSWORD, "csrf_token": token}).status_code == 303
    assert "<b>reviewer</b>" in client.get("/").text


def test_a_sign_in_form_needs_its_own_token(site, visit):
    client = visit(site)
    client.get("/sign-in")
    answer = client.post("/sign-in", data={"name": "drafter", "password": PASSWORD, "csrf_token": "0" * 64})
    assert (answer.status_code, "This form was too old." in answer.text) == (403, True)
    assert SESSION_COOKIE not in client.cookies


def test_a_wrong_password_is_refused_and_five_make_the_name_wait(site, visit):
    client = visit(site)
    for _ in range(5):
        token = form_token(client.get("/sign-in").text)
        answer = client.post("/sign-in", data={"name": "drafter", "password": "wrong", "csrf_token": token})
        assert (answer.status_code, "Name or password is wrong." in answer.text) == (401, True)
    token = form_token(client.get("/sign-in").text)
    answer = client.post("/sign-in", data={"name": "Drafter", "password": PASSWORD, "csrf_token": token})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 300
    assert "Too many wrong attempts." in answer.text


def test_attempts_count_each_name_by_itself_and_forget_after_success():
    attempts = Attempts(limit=2, seconds=60)
    attempts.failed("a", "b")
    assert attempts.wait_seconds("a", "b") == 0
    attempts.failed("a")
    assert 58 <= attempts.wait_seconds("a") <= 60
    assert attempts.wait_seconds("b") == 0
    attempts.succeeded("a")
    assert attempts.wait_seconds("a") == 0


def test_a_session_ends_at_sign_out_even_if_the_cookie_was_kept(site, visit):
    client = visit(site, "drafter")
    kept = client.cookies[SESSION_COOKIE]
    assert client.post("/sign-out").headers["location"] == "/sign-in"
    client.cookies.set(SESSION_COOKIE, kept)
    assert client.get("/").status_code == 303


def test_a_forged_session_is_no_session(site, visit):
    client = visit(site)
    client.cookies.set(SESSION_COOKIE, Sessions(b"another secret").open("reviewer"))
    assert client.get("/reviews").status_code == 303


def test_keys_open_the_apis_but_no_page_and_expire(site, visit):
    client = visit(site)
    key = site.desk.new_key("works")
    assert client.get("/api/types", headers={"authorization": f"Bearer {key}"}).status_code == 200
    assert client.get("/drafts", headers={"authorization": f"Bearer {key}"}).status_code == 303
    old = site.desk.new_key("old", expires_at=datetime.now(UTC) - timedelta(seconds=1))
    assert client.get("/api/types", headers={"authorization": f"Bearer {old}"}).status_code == 401


def test_a_key_without_the_scope_is_refused(site, visit):
    key = site.desk.new_key("metrics only", scopes=("metrics",))
    answer = visit(site).get("/api/types", headers={"authorization": f"Bearer {key}"})
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        403, "This key has the scopes metrics; /api/types needs 'generate'. Ask for another key.")


def test_another_host_name_is_refused(site, visit):
    answer = visit(site).get("/health", headers={"host": "evil.example:8765"})
    assert (answer.status_code, answer.text) == (400, "This site answers only to 127.0.0.1, [::1], localhost.\n")
    for host in ("localhost:8765", "127.0.0.1", "[::1]:8765"):
        assert visit(site).get("/health", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("server, host, status", [
    ("192.0.2.7", "192.0.2.7:8765", 200), ("192.0.2.7", "192.0.2.8", 400), ("::ffff:192.0.2.7", "192.0.2.7", 200),
    ("2001:db8::7", "[2001:db8::7]:8765", 200), ("2001:db8::7", "", 400), ("not an address", "not an address", 400)])
def test_the_address_at_which_a_request_arrived_is_a_name_of_the_site(server, host, status):
    answered: list[int] = []

    async def inside(scope, receive, send):
        answered.append(200)

    async def send(message):
        if message["type"] == "http.response.start":
            answered.append(message["status"])

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    scope = {"type": "http", "method": "GET", "path": "/", "server": (server, 8765), "headers": [(b"host", host.encode())]}
    asyncio.run(HostCheck(inside, hosts=("localhost",))(scope, receive, send))
    assert answered == [status]


@pytest.mark.parametrize("header, name", [("LocalHost:80", "localhost"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("", "")])
def test_the_name_in_a_host_header(header, name):
    assert host_name(header) == name


def test_a_body_over_a_megabyte_is_refused_before_it_is_parsed(site, visit):
    client = visit(site, "drafter")
    answer = client.post("/api/clauses", content=b"x" * 1_000_001)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    parts = (b"x" * 100_000 for _ in range(11))
    assert client.post("/api/clauses", content=parts).status_code == 413
    assert client.post("/api/clauses", content=b"x" * 1_000_000).status_code == 400


@pytest.mark.parametrize("path", ["/sign-in", "/health", "/static/style.css", "/nothing", "/v1/models"])
def test_every_answer_has_the_security_headers(site, visit, path):
    headers = visit(site).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert (headers["x-content-type-options"], headers["x-frame-options"], headers["referrer-policy"]) == ("nosniff", "DENY", "no-referrer")


@pytest.mark.parametrize("target, path", [("/drafts", "/drafts"), ("https://evil.example", "/"), ("//evil.example", "/"),
                                          ("/\\evil.example", "/"), ("/a\r\nset-cookie: x", "/a%0D%0Aset-cookie%3A%20x")])
def test_after_signing_in_nobody_is_sent_elsewhere(target, path):
    assert local_path(target) == path


def test_health_tells_nothing_but_whether_a_model_is_served(site, tuned_site, visit):
    assert visit(site).get("/health").json() == {"ok": True, "model_served": False}
    assert visit(tuned_site).get("/health").json() == {"ok": True, "model_served": True}


def test_no_keyword_and_no_password_reaches_a_log(site, visit, caplog):
    caplog.set_level(logging.DEBUG)
    client = visit(site)
    token = form_token(client.get("/sign-in").text)
    client.post("/sign-in", data={"name": "drafter", "password": "wrong-secret-word", "csrf_token": token})
    visit(site, "drafter").post("/api/clauses", json={**ASK, "keywords": "very-private-keyword"})
    assert "secret-word" not in caplog.text
    assert "private-keyword" not in caplog.text
