"""What a key may do: scopes by route, limits by the minute and at the same time, and models only of its own client's documents."""

from __future__ import annotations

import re
import threading
import time
from dataclasses import replace
from datetime import date, timedelta

import pytest
from openai import OpenAI, RateLimitError
from test_web_guard import OPEN, walk
from web_site import DRAFT, TUNED, CharacterEngine, deploy, make_site, running

from tutelage.desk.records import Key, Limits
from tutelage.web.app import create_app
from tutelage.web.auth import API_FOLDERS, API_PATHS, needed_scopes
from tutelage.web.limits import Allowances

CHAT = {"model": TUNED, "messages": [{"role": "user", "content": "保密"}], "max_tokens": 5}
CLAUSE = {"type": "confidentiality", "keywords": "保密期限", "language": "zh"}
SCOPED = {("GET", "/metrics"): {"metrics"}, ("DELETE", "/v1/models/{name}"): {"admin"}}
ACME, GLOBEX = "client:acme", "client:globex matter:7"


def key_of(site, label="program", **wishes):
    return {"authorization": f"Bearer {site.desk.new_key(label, **wishes)}"}


def site_for(tmp_path, *permissions, audience="everyone"):
    """A site whose model was trained on documents with these labels."""
    work = tmp_path / "work"
    deploy(work, permissions)
    return replace(make_site(work, tuned=CharacterEngine(TUNED), deploys=False), audience=audience)


def test_each_api_route_is_open_to_the_scope_that_it_names_and_to_no_other(tuned_site, visit):
    client = visit(tuned_site)
    keys = {scope: key_of(tuned_site, scope, scopes=(scope,)) for scope in ("generate", "admin", "metrics")}
    routes = {(method, path) for method, path in walk(create_app(tuned_site).routes)
              if (path.startswith(API_FOLDERS) or path in API_PATHS) and (method, path) not in OPEN}
    assert len(routes) >= 12
    for method, path in sorted(routes):
        place = re.sub(r"\{\w+\}", "x", path)
        wanted = set(needed_scopes(method, place))
        assert wanted == SCOPED.get((method, path), {"generate", "admin"} if path.startswith("/v1/receipts/") else {"generate"})
        for scope, headers in keys.items():
            answer = client.request(method, place, headers=headers)
            if scope in wanted:
                assert answer.status_code not in (401, 403), (method, path, scope)
            else:
                error = answer.json()["error"]
                assert (answer.status_code, error["code"]) == (403, "scope_missing"), (method, path, scope)
                assert all(f"'{name}'" in error["message"] for name in wanted)


def test_only_an_admin_takes_a_model_off_and_the_desk_remembers(tuned_site, visit):
    headers = key_of(tuned_site, scopes=("admin",))
    drafter = visit(tuned_site, "drafter").delete(f"/v1/models/{TUNED}")
    assert drafter.status_code == 403
    assert drafter.json()["error"]["message"] == f"You have the role drafter; /v1/models/{TUNED} needs an admin."
    client = visit(tuned_site)
    assert client.delete("/v1/models/other", headers=headers).status_code == 404
    assert client.delete(f"/v1/models/{TUNED}", headers=headers).json() == {"id": TUNED, "object": "model", "deleted": True}
    assert client.delete(f"/v1/models/{TUNED}", headers=headers).status_code == 404
    assert not tuned_site.door.refresh()
    assert client.get("/ready").status_code == 503
    assert [(row.actor, row.action, row.subject) for row in tuned_site.desk.audit()][-1] == ("key program", "take off model", TUNED)


def test_requests_of_a_minute_are_counted_told_and_refused_with_when_to_come_again(tuned_site, visit):
    client = visit(tuned_site)
    client.headers.update(key_of(tuned_site, limits=Limits(requests_per_minute=3)))
    for left in (2, 1, 0):
        answer = client.get("/v1/models")
        assert answer.status_code == 200
        assert (answer.headers["x-ratelimit-limit-requests"], answer.headers["x-ratelimit-remaining-requests"]) == ("3", str(left))
    refused = client.post("/v1/chat/completions", json=CHAT)
    error = refused.json()["error"]
    assert (refused.status_code, error["type"], error["param"], error["code"]) == (429, "requests", None, "rate_limit_exceeded")
    assert re.fullmatch(r"The key 'program' has used up its 3 requests a minute\. Try again in (19|20) s\.", error["message"])
    assert refused.headers["retry-after"] in ("19", "20")
    assert 55 < float(refused.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
    assert visit(tuned_site).get("/v1/models", headers=key_of(tuned_site, "other")).status_code == 200


def test_tokens_of_a_minute_are_those_that_the_usage_tells(tuned_site, visit):
    client = visit(tuned_site)
    client.headers.update(key_of(tuned_site, limits=Limits(tokens_per_minute=60)))
    whole = client.post("/v1/chat/completions", json=CHAT)
    used = whole.json()["usage"]["total_tokens"]
    assert used == 60 - int(whole.headers["x-ratelimit-remaining-tokens"])
    with client.stream("POST", "/v1/chat/completions", json={**CHAT, "max_tokens": 40, "stream": True}) as stream:
        assert stream.read().endswith(b"data: [DONE]\n\n")
    refused = client.post("/v1/completions", json={"model": TUNED, "prompt": "x"})
    assert (refused.status_code, refused.json()["error"]["type"]) == (429, "tokens")
    owed = 2 * used + 35 - 60
    assert int(refused.headers["retry-after"]) == pytest.approx(owed + 1, abs=1)


def test_a_draft_of_the_clause_api_counts_too(tuned_site, visit):
    client = visit(tuned_site)
    client.headers.update(key_of(tuned_site, limits=Limits(tokens_per_minute=20)))
    assert client.post("/api/clauses", json=CLAUSE).status_code == 200
    assert client.post("/api/clauses", json=CLAUSE).status_code == 429


def test_a_key_has_only_so_many_requests_under_way(tmp_path, visit):
    site = make_site(tmp_path / "work", tuned=CharacterEngine(TUNED, seconds=0.05))
    with running(create_app(site)) as address:
        key = site.desk.new_key("slow", limits=Limits(parallel=1))
        with OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client:
            stream = client.chat.completions.create(model=TUNED, messages=[{"role": "user", "content": "保密"}], stream=True)
            next(iter(stream))
            with pytest.raises(RateLimitError, match="has 1 requests under way; its limit is 1 at the same time") as caught:
                client.models.list()
            assert caught.value.response.headers["retry-after"] == "1"
            stream.close()
            for _ in range(40):
                try:
                    assert client.models.list().data[0].id == TUNED
                    break
                except RateLimitError:
                    time.sleep(0.05)
            else:
                pytest.fail("the place of the closed stream was not given back")


def test_the_allowance_comes_back_with_time_and_debt_is_paid_first():
    now = [100.0]
    allowances = Allowances(clock=lambda: now[0])
    key = Key(label="k", scopes=("generate",), models=(), expires_at=None, limits=Limits(tokens_per_minute=60))
    assert allowances.enter(key) is None
    allowances.spend(key, 90)
    assert allowances.enter(key).seconds == 31  # 30 owed and one to go on with, at one a second
    now[0] += 31
    assert allowances.enter(key) is None
    assert allowances.headers(key)["x-ratelimit-reset-tokens"] == "59.000s"
    now[0] += 600
    assert allowances.headers(key)["x-ratelimit-remaining-tokens"] == "60"
    wider = key.model_copy(update={"limits": Limits(requests_per_minute=2)})
    assert allowances.headers(wider) == {"x-ratelimit-limit-requests": "2", "x-ratelimit-remaining-requests": "2",
                                         "x-ratelimit-reset-requests": "0.000s"}


def test_threads_that_ask_at_once_get_exactly_what_the_limit_gives():
    allowances = Allowances(clock=lambda: 0.0)
    key = Key(label="k", scopes=("generate",), models=(), expires_at=None, limits=Limits(requests_per_minute=10, parallel=7))
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(allowances.enter(key) is None)) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 7


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/chat/completions", CHAT), ("POST", "/v1/completions", {"model": TUNED, "prompt": "x"}),
    ("GET", f"/v1/models/{TUNED}", None), ("POST", "/tokenize", {"model": TUNED, "prompt": "x"}),
    ("POST", "/detokenize", {"model": TUNED, "tokens": [65]}), ("GET", "/tokenizer_info", None),
    ("POST", "/api/clauses", CLAUSE), ("POST", "/api/clauses/stream", CLAUSE)])
def test_a_key_never_reaches_a_model_of_another_clients_documents(tmp_path, visit, method, path, body):
    site = site_for(tmp_path, "everyone", GLOBEX)
    client = visit(site)
    for label, permission in (("open", "everyone"), ("acme", ACME), ("other matter", "client:globex matter:8")):
        answer = client.request(method, path, json=body, headers=key_of(site, label, permission=permission))
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (403, "model_not_permitted")
        assert "it was trained on documents labelled 'client:globex matter:7': it is for " in error["message"]
        assert DRAFT[:4] not in answer.text
    mine = client.request(method, path, json=body, headers=key_of(site, "own", permission=GLOBEX))
    assert mine.status_code == 200, mine.text


def test_the_model_of_another_client_is_not_listed(tmp_path, visit):
    site = site_for(tmp_path, GLOBEX)
    client = visit(site)
    assert client.get("/v1/models", headers=key_of(site, "acme", permission=ACME)).json()["data"] == []
    assert len(client.get("/v1/models", headers=key_of(site, "own", permission=GLOBEX)).json()["data"]) == 1


def test_people_of_a_site_for_others_get_no_draft_of_such_a_model_either(tmp_path, visit):
    site = site_for(tmp_path, GLOBEX, audience=ACME)
    answer = visit(site, "drafter").post("/api/clauses/stream", json=CLAUSE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_permitted")
    assert "client:globex matter:7" in answer.json()["error"]["message"]
    own = visit(replace(site, audience=GLOBEX), "drafter").post("/api/clauses/stream", json=CLAUSE)
    assert (own.status_code, "event: end" in own.text) == (200, True)


def test_a_model_is_asked_no_longer_than_its_documents_may_be_used(tmp_path, visit):
    yesterday = date.today() - timedelta(days=1)
    site = site_for(tmp_path, f"{ACME} until:{yesterday}")
    answer = visit(site).post("/v1/chat/completions", json=CHAT, headers=key_of(site, permission=ACME))
    assert f"its permission ended on {yesterday}" in answer.json()["error"]["message"]


def test_a_key_finds_only_clauses_that_both_the_site_and_it_may_see(tmp_path, visit):
    from test_web_permission import clause, found

    site = replace(make_site(tmp_path / "work"), audience=ACME)
    site.desk.put_clauses([clause("open", "everyone"), clause("acme", ACME), clause("matter", f"{ACME} matter:7"),
                           clause("globex", "client:globex")])
    for permission, names in (("everyone", {"en-open"}), (ACME, {"en-open", "en-acme"}), ("client:globex", {"en-open"}),
                              (f"{ACME} matter:7", {"en-open", "en-acme"})):
        client = visit(site)
        client.headers.update(key_of(site, permission, permission=permission))
        assert set(found(client)) == names
