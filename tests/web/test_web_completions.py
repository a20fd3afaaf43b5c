"""Texts instead of chats, several choices, log-probabilities and echo; and streams that are what the whole answer is."""

from __future__ import annotations

import json

import openai
import pytest
from web_site import DRAFT, TUNED, CharacterEngine, make_site, running

from tutelage.core.errors import ServiceUnavailable
from tutelage.web.app import create_app

CHAT = {"model": TUNED, "messages": [{"role": "user", "content": "保密"}]}
TEXT = {"model": TUNED, "prompt": "保密"}


def events_of(text: str) -> list[dict]:
    lines = [line.removeprefix("data: ") for line in text.strip().split("\n\n")]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def test_a_text_is_continued_with_exact_counts_and_nothing_framed(client, tuned):
    answer = client.post("/v1/completions", json={**TEXT, "max_tokens": 5}).json()
    assert (answer["object"], answer["id"].split("-")[0], answer["model"]) == ("text_completion", "cmpl", TUNED)
    assert answer["choices"] == [{"index": 0, "text": DRAFT[:5], "logprobs": None, "finish_reason": "length"}]
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 5, "total_tokens": 7}
    assert tuned.prompts == [tuple(map(ord, "保密"))]


@pytest.mark.parametrize("prompt, ids", [([97, 98], [(97, 98)]), (["ab", "c"], [(97, 98), (99,)]), ([[97], [98, 99]], [(97,), (98, 99)])])
def test_a_prompt_may_be_token_ids_and_there_may_be_several(client, tuned, prompt, ids):
    answer = client.post("/v1/completions", json={**TEXT, "prompt": prompt, "max_tokens": 1}).json()
    assert tuned.prompts == ids
    assert [choice["index"] for choice in answer["choices"]] == list(range(len(ids)))
    assert answer["usage"]["prompt_tokens"] == sum(map(len, ids))
    assert answer["usage"]["completion_tokens"] == len(ids)


def test_an_echoed_prompt_has_log_probabilities_and_its_first_token_none(client):
    asked = {**TEXT, "prompt": "ab", "echo": True, "logprobs": 2, "max_tokens": 1}
    choice = client.post("/v1/completions", json=asked).json()["choices"][0]
    assert choice["text"] == "ab" + DRAFT[0]
    told = choice["logprobs"]
    assert told["tokens"] == ["a", "b", DRAFT[0]]
    assert told["token_logprobs"] == [None, -0.5, -0.5]
    assert told["text_offset"] == [0, 1, 2]
    assert told["top_logprobs"][:2] == [None, {"b": -0.5, "c": -1.5}]


def test_nothing_is_generated_where_only_the_prompt_is_asked_for(client, tuned):
    answer = client.post("/v1/completions", json={**TEXT, "echo": True, "logprobs": 0, "max_tokens": 0}).json()
    assert answer["choices"][0]["text"] == "保密"
    assert answer["choices"][0]["logprobs"]["token_logprobs"] == [None, -0.5]
    assert answer["choices"][0]["logprobs"]["top_logprobs"] == [None, {"密": -0.5}]
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 0, "total_tokens": 2}
    assert tuned.begun == 0


def test_a_chat_tells_each_token_with_the_likeliest_ones(client):
    asked = {**CHAT, "max_tokens": 2, "logprobs": True, "top_logprobs": 2}
    content = client.post("/v1/chat/completions", json=asked).json()["choices"][0]["logprobs"]["content"]
    assert len(content) == 2
    first, after = DRAFT[0], chr(ord(DRAFT[0]) + 1)
    assert content[0] == {"token": first, "logprob": -0.5, "bytes": list(first.encode()),
                          "top_logprobs": [{"token": first, "logprob": -0.5, "bytes": list(first.encode())},
                                           {"token": after, "logprob": -1.5, "bytes": list(after.encode())}]}


@pytest.mark.parametrize("path, asked", [("/v1/chat/completions", CHAT), ("/v1/completions", {**TEXT, "echo": True})])
@pytest.mark.parametrize("more", [{}, {"n": 3}, {"stop": "密"}, {"max_tokens": 7}], ids=["plain", "three", "stop", "limit"])
def test_a_stream_joined_is_the_whole_answer_with_its_counts_and_log_probabilities(client, path, asked, more):
    asked = {**asked, **more, "seed": 5, "logprobs": 1 if "prompt" in asked else True}
    whole = client.post(path, json=asked).json()
    chunks = events_of(client.post(path, json={**asked, "stream": True, "stream_options": {"include_usage": True}}).text)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"] == whole["usage"]
    assert len(whole["choices"]) == more.get("n", 1)
    for choice in whole["choices"]:
        mine = [part for chunk in chunks for part in chunk["choices"] if part["index"] == choice["index"]]
        text = "".join(part["delta"].get("content", "") if "delta" in part else part["text"] for part in mine)
        assert text == (choice["message"]["content"] if "message" in choice else choice["text"])
        assert [part["finish_reason"] for part in mine if part["finish_reason"]] == [mine[-1]["finish_reason"]]
        assert (mine[-1]["finish_reason"], mine[-1]["logprobs"]) == (choice["finish_reason"], choice["logprobs"])


def test_each_choice_has_the_next_seed(client, tuned):
    client.post("/v1/chat/completions", json={**CHAT, "n": 3, "seed": 2**31 - 2})
    assert [sampling.seed for sampling in tuned.samplings] == [2**31 - 2, 2**31 - 1, 0]


def test_several_choices_of_one_prompt_count_it_once(client):
    usage = client.post("/v1/completions", json={**TEXT, "prompt": ["ab", "cde"], "n": 2, "max_tokens": 1}).json()["usage"]
    assert usage == {"prompt_tokens": 5, "completion_tokens": 4, "total_tokens": 9}


@pytest.mark.parametrize("change, param, code", [
    ({"prompt": ""}, "prompt", "invalid_value"),
    ({"prompt": []}, "prompt", "invalid_value"),
    ({"prompt": [[]]}, "prompt", "invalid_value"),
    ({"prompt": [-1]}, "prompt", "invalid_value"),
    ({"prompt": [True]}, "prompt", "invalid_value"),
    ({"prompt": ["a", 1]}, "prompt", "invalid_value"),
    ({"prompt": {"a": 1}}, "prompt", "invalid_value"),
    ({"prompt": ["a"] * 17}, "prompt", "invalid_value"),
    ({"prompt": ["a"] * 4, "n": 5}, "n", "invalid_value"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"logprobs": 21}, "logprobs", "invalid_value"),
    ({"logprobs": True}, "logprobs", "invalid_value"),
    ({"best_of": 2}, "best_of", "unknown_parameter"),
    ({"prompt": "x" * 600}, "prompt", "context_length_exceeded"),
])
def test_a_mistake_is_a_400_that_names_the_parameter(strict_client, change, param, code):
    answer = strict_client.post("/v1/completions", json={**TEXT, **change})
    assert answer.status_code == 400, answer.text
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, code)


def test_an_engine_without_log_probabilities_says_so(tmp_path, visit):
    site = make_site(tmp_path / "plain", tuned=Plain(TUNED))
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test')}"
    answer = client.post("/v1/completions", json={**TEXT, "logprobs": 1})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_model")
    assert "tells no log-probabilities" in answer.json()["error"]["message"]


class Plain(CharacterEngine):
    """One that lacks the ability."""

    chances = None  # type: ignore[assignment]


def test_what_breaks_a_stream_is_told_in_the_stream_with_its_id(tmp_path, visit):
    site = make_site(tmp_path / "breaking", tuned=Breaking(TUNED))
    client = visit(site)
    client.headers["authorization"] = f"Bearer {site.desk.new_key('test')}"
    lines = client.post("/v1/chat/completions", json={**CHAT, "stream": True}).text.strip().split("\n\n")
    assert "[DONE]" not in lines[-1]
    first, last = (json.loads(line.removeprefix("data: ")) for line in (lines[0], lines[-1]))
    assert last["error"]["code"] == "broken_off"
    assert last["error"]["message"] == f"{first['id']}: the answer broke off: the engine fell over"


class Breaking(CharacterEngine):
    """Falls over after the first piece."""

    def stream(self, prompt_ids, sampling, *, end_ids, constraint=None):
        yield "甲"
        raise ServiceUnavailable("the engine fell over")


def test_the_openai_client_gets_texts_and_log_probabilities(tuned_site):
    with running(create_app(tuned_site)) as address, \
            openai.OpenAI(base_url=f"{address}/v1", api_key=tuned_site.desk.new_key("outside"), max_retries=0) as outside:
        answer = outside.completions.create(model=TUNED, prompt=[97, 98], echo=True, logprobs=1, max_tokens=1)
        assert answer.choices[0].logprobs.token_logprobs == [None, -0.5, -0.5]
        stream = list(outside.completions.create(model=TUNED, prompt="保密", n=2, stream=True))
        assert "".join(chunk.choices[0].text for chunk in stream if chunk.choices[0].index == 1) == DRAFT
        chat = outside.chat.completions.create(model=TUNED, messages=CHAT["messages"], logprobs=True, top_logprobs=20, n=2)
        assert len(chat.choices[1].logprobs.content) == len(DRAFT)
