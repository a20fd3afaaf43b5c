"""The OpenAI-compatible API: by hand for its strictness, and with the openai client against a real server."""

from __future__ import annotations

import json
import threading
import time

import openai
import pytest
from web_site import DRAFT, TUNED, make_site, running

from tutelage.core.chat import CHATML, render
from tutelage.core.records import Message
from tutelage.web.app import create_app

MESSAGES = [{"role": "system", "content": "You draft."}, {"role": "user", "content": "保密"}]
ASK = {"model": TUNED, "messages": MESSAGES}
# <|im_start|>system\nYou draft.<|im_end|>\n<|im_start|>user\n保密<|im_end|>\n<|im_start|>assistant\n, one token a character
PROMPT_TOKENS = (1 + 7 + 10 + 1 + 1) + (1 + 5 + 2 + 1 + 1) + (1 + 10)


@pytest.fixture
def address(tuned_site):
    with running(create_app(tuned_site)) as found:
        yield found


@pytest.fixture
def outside(tuned_site, address):
    with openai.OpenAI(base_url=f"{address}/v1", api_key=tuned_site.desk.new_key("outside"), max_retries=0) as found:
        yield found


def chunks_of(text: str) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in text.strip().split("\n\n")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_whole_answer_has_exact_counts(client, tuned):
    answer = client.post("/v1/chat/completions", json={**ASK, "temperature": 0}).json()
    assert answer["object"] == "chat.completion"
    assert answer["model"] == TUNED
    [choice] = answer["choices"]
    assert choice["message"] == {"role": "assistant", "content": DRAFT, "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert answer["usage"] == {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": len(DRAFT), "total_tokens": PROMPT_TOKENS + len(DRAFT)}
    messages = [Message.model_validate(message) for message in MESSAGES]
    assert tuned.prompts == [render(messages, CHATML, tuned, reply=True).ids]
    assert tuned.samplings[0].max_tokens == tuned.context_length - PROMPT_TOKENS


def test_the_stream_joined_is_the_whole_answer_and_ends_properly(client):
    answer = client.post("/v1/chat/completions", json={**ASK, "stream": True, "stream_options": {"include_usage": True}})
    chunks = chunks_of(answer.text)
    assert len({(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}) == 1
    assert chunks[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks[:-1]) == DRAFT
    assert chunks[-2]["choices"][0] == {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == len(DRAFT)
    assert all(chunk["usage"] is None for chunk in chunks[:-1])


def test_without_the_option_no_chunk_mentions_usage(client):
    answer = client.post("/v1/chat/completions", json={**ASK, "stream": True})
    assert "usage" not in answer.text


def test_limits_and_sampling_reach_the_engine(client, tuned):
    asked = {**ASK, "max_completion_tokens": 5, "temperature": 0.5, "top_p": 0.9, "seed": -1, "stop": ["x", "y"]}
    answer = client.post("/v1/chat/completions", json=asked).json()
    assert (answer["choices"][0]["message"]["content"], answer["choices"][0]["finish_reason"]) == (DRAFT[:5], "length")
    used = tuned.samplings[0]
    assert (used.max_tokens, used.temperature, used.top_p, used.seed, used.stop) == (5, 0.5, 0.9, 2**31 - 1, ("x", "y"))


def test_text_parts_are_joined_as_they_stand(client, tuned):
    parts = [{"type": "text", "text": "保"}, {"type": "text", "text": "密"}]
    client.post("/v1/chat/completions", json={**ASK, "messages": [MESSAGES[0], {"role": "user", "content": parts}]})
    client.post("/v1/chat/completions", json=ASK)
    assert tuned.prompts[0] == tuned.prompts[1]


@pytest.mark.parametrize("change, param, code", [
    ({"tools": []}, "tools", "invalid_value"),
    ({"logprobs": 1}, "logprobs", "invalid_value"),
    ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_value"),
    ({"n": 17}, "n", "invalid_value"),
    ({"n": 0}, "n", "invalid_value"),
    ({"temperature": 2.1}, "temperature", "invalid_value"),
    ({"temperature": "0"}, "temperature", "invalid_value"),
    ({"top_p": 0}, "top_p", "invalid_value"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"max_tokens": 1.5}, "max_tokens", "invalid_value"),
    ({"max_tokens": True}, "max_tokens", "invalid_value"),
    ({"max_tokens": 4, "max_completion_tokens": 5}, "max_tokens", "invalid_value"),
    ({"seed": 2**63}, "seed", "invalid_value"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    ({"stop": ""}, "stop", "invalid_value"),
    ({"stop": [""]}, "stop[0]", "invalid_value"),
    ({"stream": "yes"}, "stream", "invalid_value"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"stream": True, "stream_options": {"more": 1}}, "stream_options.more", "unknown_parameter"),
    ({"messages": []}, "messages", "invalid_value"),
    ({"messages": "hello"}, "messages", "invalid_value"),
    ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].tool_call_id", "missing_required_parameter"),
    ({"messages": [{"role": "developer", "content": "x"}]}, "messages[0].role", "invalid_value"),
    ({"functions": []}, "functions", "unknown_parameter"),
    ({"presence_penalty": 2.5}, "presence_penalty", "invalid_value"),
    ({"frequency_penalty": "1"}, "frequency_penalty", "invalid_value"),
    ({"logit_bias": {"x": 1}}, "logit_bias.x", "invalid_value"),
    ({"logit_bias": {"7": 101}}, "logit_bias.7", "invalid_value"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": "x", "sender": "n"}]}, "messages[0].sender", "unknown_parameter"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "text": "x"}]}]}, "messages[0].content[0].type", "invalid_value"),
    ({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]}, "messages", "invalid_value"),
])
def test_a_mistake_is_a_400_that_names_the_parameter(strict_client, change, param, code):
    answer = strict_client.post("/v1/chat/completions", json={**ASK, **change})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], error["code"], error["type"]) == (param, code, "invalid_request_error")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff", b'{"model": NaN}'])
def test_a_body_that_is_no_json_object_is_a_400(strict_client, body):
    answer = strict_client.post("/v1/chat/completions", content=body)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "invalid_request_error")


def test_a_prompt_that_does_not_fit_is_refused_with_counts(client):
    asked = {**ASK, "messages": [{"role": "user", "content": "x" * 600}]}
    error = client.post("/v1/chat/completions", json=asked).json()["error"]
    # 600 letters, 7 of <|im_start|>user\n and <|im_end|> and \n before, 11 of the reply's head
    prompt = 1 + 5 + 600 + 1 + 1 + 1 + 10
    assert error["code"] == "context_length_exceeded"
    assert f"holds 600 tokens; you asked for {prompt + 1} tokens ({prompt} in the messages, at least 1 for the reply)" in error["message"]
    error = client.post("/v1/chat/completions", json={**ASK, "max_tokens": 600}).json()["error"]
    assert f"{600 + PROMPT_TOKENS} tokens ({PROMPT_TOKENS} in the messages, 600 for the reply)" in error["message"]
    fits = client.post("/v1/chat/completions", json={**ASK, "max_tokens": 600 - PROMPT_TOKENS})
    assert fits.status_code == 200


def test_another_model_name_is_not_found(client):
    answer = client.post("/v1/chat/completions", json={**ASK, "model": "gpt-4o"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert "The served model is 'tutelage-draft'" in answer.json()["error"]["message"]


def test_an_ungated_model_is_never_served(site, visit, base):
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test')}"
    for name in ("base", TUNED):
        answer = client.post("/v1/chat/completions", json={**ASK, "model": name})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
        assert "no model has passed its gate yet" in answer.json()["error"]["message"]
        assert client.get(f"/v1/models/{name}").status_code == 404
    assert client.get("/v1/models").json() == {"object": "list", "data": []}
    assert base.begun == 0


def test_a_key_for_another_model_may_not_use_this_one(tuned_site, visit):
    client = visit(tuned_site)
    client.headers["authorization"] = f"Bearer {tuned_site.desk.new_key('narrow', models=('other',))}"
    answer = client.post("/v1/chat/completions", json=ASK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "model_not_allowed")
    assert client.get("/v1/models").json()["data"] == []


def test_a_path_that_does_not_exist_answers_in_the_same_shape(client):
    answer = client.get("/v1/nothing")
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "invalid_request_error")
    answer = client.get("/v1/completions")
    assert (answer.status_code, answer.json()["error"]["type"]) == (405, "invalid_request_error")


def test_the_openai_client_gets_models_answers_and_streams(outside):
    assert [model.id for model in outside.models.list()] == [TUNED]
    assert outside.models.retrieve(TUNED).owned_by == "tutelage"
    answer = outside.chat.completions.create(model=TUNED, messages=MESSAGES, max_tokens=200, temperature=0, seed=1)
    assert answer.choices[0].message.content == DRAFT
    stream = list(outside.chat.completions.create(model=TUNED, messages=MESSAGES, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices) == DRAFT
    assert stream[-1].usage == answer.usage


def test_the_openai_client_raises_its_own_errors(outside, address):
    with pytest.raises(openai.NotFoundError, match="does not exist"):
        outside.chat.completions.create(model="other", messages=MESSAGES)
    with pytest.raises(openai.BadRequestError, match="'n'"):
        outside.chat.completions.create(model=TUNED, messages=MESSAGES, n=17)
    with openai.OpenAI(base_url=f"{address}/v1", api_key="wrong", max_retries=0) as stranger, \
            pytest.raises(openai.AuthenticationError, match="No valid key"):
        stranger.models.list()


def test_a_client_that_leaves_stops_the_generation(outside, tuned):
    tuned.seconds, tuned.reply = 0.02, DRAFT * 8
    stream = outside.chat.completions.create(model=TUNED, messages=MESSAGES, stream=True)
    next(stream), next(stream)
    stream.close()
    assert_soon_ended(tuned)
    assert tuned.tokens_made < 60


def test_a_client_that_gives_up_on_a_whole_answer_stops_it_too(outside, tuned):
    tuned.seconds, tuned.reply = 0.02, DRAFT * 8
    with pytest.raises(openai.APITimeoutError):
        outside.with_options(timeout=0.3).chat.completions.create(model=TUNED, messages=MESSAGES)
    assert_soon_ended(tuned)
    assert tuned.tokens_made < 60


def assert_soon_ended(engine):
    deadline = time.monotonic() + 2
    while engine.ended < engine.begun:
        assert time.monotonic() < deadline, "the generation goes on"
        time.sleep(0.01)


def test_when_two_are_answered_and_sixteen_wait_the_next_is_a_429(tmp_path, tuned):
    tuned.seconds, tuned.reply = 0.05, DRAFT * 8
    site = make_site(tmp_path / "busy", tuned=tuned)
    key = site.desk.new_key("many")
    with running(create_app(site)) as address, openai.OpenAI(base_url=f"{address}/v1", api_key=key, max_retries=0) as client:
        threads = [threading.Thread(target=give_up_after, args=(client, 2.0)) for _ in range(18)]
        for thread in threads:
            thread.start()
        time.sleep(0.7)
        with pytest.raises(openai.RateLimitError, match="18 requests are being answered or wait") as caught:
            client.chat.completions.create(model=TUNED, messages=MESSAGES)
        assert caught.value.response.headers["retry-after"] == "2"
        for thread in threads:
            thread.join(10)


def give_up_after(client, seconds):
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=seconds).chat.completions.create(model=TUNED, messages=MESSAGES)
