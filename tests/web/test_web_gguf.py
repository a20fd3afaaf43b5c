"""The API over a real GGUF file (a tiny random model): seeds, streams and log-probabilities are those of the engine."""

from __future__ import annotations

import json

import pytest
from starlette.testclient import TestClient
from web_site import TUNED, make_site

from tutelage.web.app import create_app


@pytest.fixture(scope="module")
def client(engine, tmp_path_factory):
    site = make_site(tmp_path_factory.mktemp("site"), tuned=engine)
    return TestClient(create_app(site), base_url="http://localhost", headers={"authorization": f"Bearer {site.desk.new_key('test')}"})


def streamed(client, path, asked) -> str:
    text = client.post(path, json={**asked, "stream": True}).text
    lines = [line.removeprefix("data: ") for line in text.strip().split("\n\n")]
    assert lines[-1] == "[DONE]"
    parts = [json.loads(line)["choices"][0] for line in lines[:-1]]
    return "".join(part["delta"].get("content", "") if "delta" in part else part["text"] for part in parts)


def test_the_stream_of_a_seeded_request_is_the_whole_answer_byte_for_byte(client):
    seen = set()
    for seed in range(20):
        chat = {"model": TUNED, "messages": [{"role": "user", "content": f"保密 {seed}"}], "seed": seed, "max_tokens": 12}
        text = {"model": TUNED, "prompt": "Term", "seed": seed, "max_tokens": 12, "stop": ["e", "密"]}
        whole = client.post("/v1/chat/completions", json=chat).json()["choices"][0]["message"]["content"]
        assert streamed(client, "/v1/chat/completions", chat) == whole
        seen.add(whole)
        assert streamed(client, "/v1/completions", text) == client.post("/v1/completions", json=text).json()["choices"][0]["text"]
    assert len(seen) > 15


def test_echoed_log_probabilities_are_those_of_the_file_scored_in_process(client, engine):
    ids = engine.tokenize("The Supplier pays within thirty days. 保密期限为三年。")
    asked = {"model": TUNED, "prompt": ids, "echo": True, "logprobs": 1, "max_tokens": 1, "temperature": 0}
    answer = client.post("/v1/completions", json=asked).json()
    told = answer["choices"][0]["logprobs"]
    scored = engine.score([ids], [1])[0]
    assert told["token_logprobs"][1:len(ids)] == pytest.approx([score.logprob for score in scored], abs=1e-3)
    assert len(told["tokens"]) == len(ids) + 1 == answer["usage"]["total_tokens"]
    # The token chosen greedily is the likeliest one: by this sign lm-evaluation-harness tells that.
    assert told["token_logprobs"][-1] == max(told["top_logprobs"][-1].values())


def test_a_token_outside_the_vocabulary_is_a_400(client):
    answer = client.post("/v1/completions", json={"model": TUNED, "prompt": [999_999], "max_tokens": 1})
    assert (answer.status_code, "token id 999999 is outside the vocabulary" in answer.json()["error"]["message"]) == (400, True)
    asked = {"model": TUNED, "prompt": [5, 999_999], "max_tokens": 0, "echo": True, "logprobs": 1}
    assert client.post("/v1/completions", json=asked).status_code == 400
