"""POST /api/clauses: candidates with their provenance, for keys and for sessions."""

from __future__ import annotations

import json

import pytest
from web_site import DRAFT, TUNED

from tutelage.core.errors import ContextTooLong, ServiceUnavailable, TutelageError

ASK = {"type": "limitation_of_liability", "keywords": ["liability cap"], "language": "en"}


def with_key(client, site, **limits):
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test', **limits)}"
    return client


def test_candidates_come_with_their_provenance(tuned_site, visit):
    answer = with_key(visit(tuned_site), tuned_site).post("/api/clauses", json=ASK).json()
    assert answer["model"] == {"name": TUNED, "is_gated": True}
    first, last = answer["candidates"][0], answer["candidates"][-1]
    assert (first["kind"], first["clause_type"], first["language"]) == ("library", "limitation_of_liability", "en")
    assert (first["provenance"]["source"], first["provenance"]["licence"]) == ("Tutelage starting library", "CC0-1.0")
    assert first["text"] in {clause.text for clause in tuned_site.desk.clauses()}
    assert (last["kind"], last["text"], last["provenance"]["model"], last["provenance"]["is_gated"]) == ("model", DRAFT, TUNED, True)


def test_keywords_may_be_one_string(site, visit):
    client = with_key(visit(site), site)
    answer = client.post("/api/clauses", json={**ASK, "keywords": "liability cap, damages"}).json()
    assert answer["keywords"] == ["liability cap", "damages"]


def test_a_key_gets_no_draft_of_an_ungated_model(site, visit, base):
    answer = with_key(visit(site), site).post("/api/clauses", json=ASK).json()
    assert answer["model"] is None
    assert {candidate["kind"] for candidate in answer["candidates"]} == {"library"}
    assert base.begun == 0


def test_a_key_for_another_model_gets_the_library_only(tuned_site, visit):
    answer = with_key(visit(tuned_site), tuned_site, models=("other",)).post("/api/clauses", json=ASK).json()
    assert answer["model"] is None


def test_a_person_gets_the_draft_of_the_base_marked_as_such(site, visit):
    answer = visit(site, "drafter").post("/api/clauses", json=ASK).json()
    assert answer["model"] == {"name": "base", "is_gated": False}
    assert answer["candidates"][-1]["provenance"]["is_gated"] is False


def test_a_key_never_gets_a_signed_origin(tuned_site, visit):
    text = with_key(visit(tuned_site), tuned_site).post("/api/clauses/stream", json=ASK).text
    assert '"draft": {' in text
    assert "origin" not in text


def test_the_types_are_named_in_both_languages(site, visit):
    types = with_key(visit(site), site).get("/api/types").json()["types"]
    assert len(types) == 42
    assert {"type": "confidentiality", "en": "Confidentiality", "zh": "保密"} in types


@pytest.mark.parametrize("change, param, words", [
    ({"type": "confidentialty"}, "type", "Did you mean 'confidentiality'"),
    ({"type": 1}, "type", "valid string"),
    ({"language": "fr"}, "language", "en or zh"),
    ({"keywords": []}, "keywords", "there are none"),
    ({"keywords": ["x"] * 13 + [str(i) for i in range(13)]}, "keywords", "at most 12"),
    ({"keywords": 3}, "keywords", "valid string"),
    ({"extra": 1}, "extra", "not permitted"),
])
def test_a_mistake_is_a_400_that_names_the_field(site, visit, change, param, words):
    client = with_key(visit(site), site)
    for path in ("/api/clauses", "/api/clauses/stream"):
        answer = client.post(path, json={**ASK, **change})
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
        assert words in answer.json()["error"]["message"]


def test_a_body_that_is_no_json_is_a_400(site, visit):
    answer = with_key(visit(site), site).post("/api/clauses", content=b"{")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, None)


def test_a_model_that_cannot_draft_ends_the_stream_with_an_error(site, visit, base):
    base.failure = ContextTooLong("the prompt has 700 tokens; the context holds 600. Use fewer keywords.")
    text = visit(site, "drafter").post("/api/clauses/stream", json=ASK).text
    name, data = text.strip().split("\n\n")[-1].split("\n")
    assert name == "event: error"
    assert json.loads(data.removeprefix("data: ")) == {"code": None, "message": str(base.failure)}


@pytest.mark.parametrize("failure, status", [(ContextTooLong("too long."), 400), (ServiceUnavailable("switched away."), 503),
                                             (TutelageError("broken."), 500)])
def test_a_failure_has_the_status_of_whose_fault_it_is(tuned_site, tuned, visit, failure, status):
    tuned.failure = failure
    client = with_key(visit(tuned_site), tuned_site)
    chat = {"model": TUNED, "messages": [{"role": "user", "content": "x"}]}
    for path, body in (("/api/clauses", ASK), ("/v1/chat/completions", chat), ("/v1/chat/completions", {**chat, "stream": True})):
        answer = client.post(path, json=body)
        told = answer.json()["error"]["message"].removeprefix(f"{answer.headers['x-request-id']}: ")
        assert (answer.status_code, told) == (status, str(failure))
        assert ("retry-after" in answer.headers) == (status == 503)
