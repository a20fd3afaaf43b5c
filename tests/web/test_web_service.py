"""Whether the service lives and is ready, its figures, the tokens of a text, and deadlines."""

from __future__ import annotations

import json
import re
import time

import pytest
from web_site import DRAFT, TUNED, make_site

from tutelage.endpoint.settings import EndpointSettings

CHAT = {"model": TUNED, "messages": [{"role": "user", "content": "保密"}]}


def with_key(client, site, *scopes: str):
    client.headers["authorization"] = f"Bearer {site.desk.new_key(' '.join(scopes), scopes=scopes)}"
    return client


def test_it_lives_from_the_start_and_is_ready_when_a_model_has_passed(site, tuned_site, visit):
    assert visit(site).get("/health").json() == {"ok": True, "model_served": False}
    answer = visit(site).get("/ready")
    assert (answer.status_code, answer.json(), answer.headers["retry-after"]) == (503, {"ready": False, "model": None}, "2")
    answer = visit(tuned_site).get("/ready")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "model": TUNED})


def figures(page: str) -> dict[str, float]:
    return {name: float(value) for name, value in re.findall(r"^([^#\s].*) (\S+)$", page, re.MULTILINE)}


def test_the_figures_are_exact_and_name_the_quality_of_what_is_served(tuned_site, visit):
    client = with_key(visit(tuned_site), tuned_site, "generate", "metrics")
    used = client.post("/v1/chat/completions", json={**CHAT, "max_tokens": 5, "n": 2}).json()["usage"]
    assert client.post("/v1/chat/completions", json={**CHAT, "stream": True}).text.endswith("[DONE]\n\n")
    client.post("/v1/chat/completions", json={**CHAT, "n": 99})
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    found, model = figures(answer.text), f'model_name="{TUNED}"'
    assert found[f"vllm:prompt_tokens_total{{{model}}}"] == 2 * used["prompt_tokens"]
    assert found[f"vllm:generation_tokens_total{{{model}}}"] == 10 + len(DRAFT)
    assert found[f'vllm:request_success_total{{{model},finished_reason="length"}}'] == 2
    assert found[f'vllm:request_success_total{{{model},finished_reason="stop"}}'] == 1
    assert found['tutelage:requests_refused_total{status="400"}'] == 1
    assert found[f"vllm:e2e_request_latency_seconds_count{{{model}}}"] == 2
    assert found[f'vllm:time_to_first_token_seconds_bucket{{{model},le="+Inf"}}'] == 2
    assert (found[f"vllm:num_requests_running{{{model}}}"], found[f"vllm:num_requests_waiting{{{model}}}"]) == (0, 0)
    assert found[f'tutelage:gate_difference{{{model},metric="bits_per_byte",verdict="better"}}'] == -0.12


def test_a_key_reads_figures_or_generates_only_with_that_scope(tuned_site, visit):
    reader = with_key(visit(tuned_site), tuned_site, "metrics")
    assert reader.get("/metrics").status_code == 200
    answer = reader.post("/v1/chat/completions", json=CHAT)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")
    assert "has the scopes metrics; /v1/chat/completions needs 'generate'" in answer.json()["error"]["message"]
    answer = with_key(visit(tuned_site), tuned_site, "generate").get("/metrics")
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "scope_missing")


def test_the_tokens_of_a_text_and_of_a_conversation_and_back(tuned_site, visit):
    client = with_key(visit(tuned_site), tuned_site, "generate")
    assert client.post("/tokenize", json={"model": TUNED, "prompt": "ab"}).json() == {"count": 2, "max_model_len": 600, "tokens": [97, 98]}
    counted = client.post("/tokenize", json=CHAT).json()["count"]
    assert counted == client.post("/v1/chat/completions", json={**CHAT, "max_tokens": 1}).json()["usage"]["prompt_tokens"]
    assert client.post("/detokenize", json={"model": TUNED, "tokens": [97, 98]}).json() == {"prompt": "ab"}
    told = client.get("/tokenizer_info").json()
    assert (told["model"], told["max_model_len"], told["chat_format"]["name"]) == (TUNED, 600, "chatml")
    assert (told["eos_token"], told["eos_token_id"], told["bos_token"], told["bos_token_id"]) == ("<|im_end|>", 0x110001, None, None)


def test_what_names_no_model_is_about_the_one_that_is_served(tuned_site, visit):
    client = with_key(visit(tuned_site), tuned_site, "generate")
    assert client.post("/tokenize", json={"prompt": "ab", "add_special_tokens": False}).json()["tokens"] == [97, 98]
    assert client.post("/detokenize", json={"tokens": [97]}).json() == {"prompt": "a"}


@pytest.mark.parametrize("path, body, status, param", [
    ("/tokenize", {"model": TUNED}, 400, "prompt"),
    ("/tokenize", {**CHAT, "prompt": "x"}, 400, "prompt"),
    ("/tokenize", {"model": "other", "prompt": "x"}, 404, "model"),
    ("/tokenize", {"model": TUNED, "prompt": "x", "add_special_tokens": True}, 400, "add_special_tokens"),
    ("/detokenize", {"model": TUNED, "tokens": [-1]}, 400, "tokens[0]"),
    ("/detokenize", {"model": "other", "tokens": [1]}, 404, "model"),
])
def test_a_wrong_question_about_tokens_names_its_mistake(tuned_site, visit, path, body, status, param):
    answer = with_key(visit(tuned_site), tuned_site, "generate").post(path, json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text


def test_without_a_model_there_are_no_tokens(site, visit):
    answer = with_key(visit(site), site, "generate").get("/tokenizer_info")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")


def hasty(tmp_path, tuned):
    tuned.seconds = 0.05
    return make_site(tmp_path / "hasty", tuned=tuned, endpoint=EndpointSettings(deadline=0.3))


def test_what_is_not_answered_in_time_is_a_503_and_stops(tmp_path, tuned, visit):
    site = hasty(tmp_path, tuned)
    client = with_key(visit(site), site, "generate", "metrics")
    began = time.monotonic()
    answer = client.post("/v1/chat/completions", json=CHAT)
    assert time.monotonic() - began < 1.5
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["retry-after"]) == (503, "deadline_exceeded", "2")
    assert "deadline of 0.3 seconds" in answer.json()["error"]["message"]
    assert tuned.ended == tuned.begun == 1
    assert 'finished_reason="abort"} 1' in client.get("/metrics").text


def test_a_stream_that_takes_too_long_says_so_and_is_not_called_done(tmp_path, tuned, visit):
    site = hasty(tmp_path, tuned)
    text = with_key(visit(site), site, "generate").post("/v1/chat/completions", json={**CHAT, "stream": True}).text
    last = json.loads(text.strip().split("\n\n")[-1].removeprefix("data: "))
    assert last["error"]["code"] == "deadline_exceeded"
    assert "[DONE]" not in text
    assert tuned.ended == tuned.begun == 1


def test_eight_megabytes_are_refused_at_once(tuned_site, visit):
    client = with_key(visit(tuned_site), tuned_site, "generate")
    body = b'{"model": "' + b"x" * 8_000_000 + b'"}'
    client.post("/v1/chat/completions", json=CHAT)
    began = time.monotonic()
    answer = client.post("/v1/chat/completions", content=body)
    assert time.monotonic() - began < 0.05
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
