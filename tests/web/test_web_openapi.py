"""The OpenAPI document is made from the shapes that check requests, names every API route, and its page needs no other site."""

from __future__ import annotations

import json
import re

import jsonschema_rs
import pytest
from test_web_guard import walk

from tutelage.web.app import create_app
from tutelage.web.auth import is_api
from tutelage.web.openapi import BODIES

BODYLESS = {("POST", "/v1/responses/compact"), ("POST", "/v1/responses/{name}/cancel")}


@pytest.fixture
def told(site, visit):
    answer = visit(site, "drafter").get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def test_every_api_route_stands_in_the_document_and_each_post_has_its_body(site, told):
    found = {(method, path) for method, path in walk(create_app(site).routes) if is_api(path)}
    listed = {(method.upper(), path) for path, methods in told["paths"].items() for method in methods}
    assert found <= listed
    assert listed - found == {("GET", "/health"), ("GET", "/ready")}
    posts = {(method, path) for method, path in found if method == "POST"}
    assert posts - BODYLESS == {(method.upper(), path) for method, path in BODIES}


def test_every_reference_leads_to_a_shape_and_the_shapes_refuse_unknown_fields(told):
    shapes = told["components"]["schemas"]
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(told)))
    assert names
    assert names <= set(shapes)
    chat = shapes["ToolChatRequest"] | {"components": told["components"]}
    good = {"model": "m", "messages": [{"role": "user", "content": "Hello"}]}
    judge = jsonschema_rs.validator_for(chat)
    assert judge.is_valid(good)
    for wrong in ({**good, "temprature": 1}, {**good, "temperature": 9}, {"model": "m"}):
        assert not judge.is_valid(wrong)


def test_errors_have_the_shape_that_the_document_tells(site, visit, told):
    client = visit(site, "drafter")
    for answer in (client.post("/v1/chat/completions", json={"model": "m"}), client.get("/v1/models/none"), client.get("/v1/receipts/x")):
        assert 400 <= answer.status_code < 500
        assert jsonschema_rs.is_valid(told["components"]["schemas"]["Error"], answer.json())


def test_scopes_and_open_routes_are_told(told):
    assert told["paths"]["/metrics"]["get"]["x-scopes"] == ["metrics"]
    assert told["paths"]["/v1/models/{name}"]["delete"]["x-scopes"] == ["admin"]
    assert told["paths"]["/health"]["get"]["security"] == []
    assert told["paths"]["/v1/embeddings"]["post"]["security"] == [{"key": []}]


def test_the_page_shows_routes_and_fields_in_both_languages_and_loads_nothing_from_elsewhere(site, visit):
    client = visit(site, "drafter")
    page = client.get("/openapi?language=en").text
    assert "POST /v1/chat/completions" in page
    assert "max_completion_tokens" in page
    assert not re.findall(r'(?:src|href)="https?://', page)
    assert "密钥须具备以下权限之一" in client.get("/openapi?language=zh").text
