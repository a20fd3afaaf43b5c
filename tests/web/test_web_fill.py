"""Filling in the middle: `suffix` of /v1/completions reaches models that have marks for a gap, and is refused by all others."""

from __future__ import annotations

import json

import openai
import pytest
from starlette.testclient import TestClient
from tiny_model import make_tiny_model
from web_site import TUNED, CharacterEngine, make_site

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.model.export_gguf import export_gguf
from tutelage.web.app import create_app

MARKS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "<|fim_pad|>")
BEFORE, AFTER = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))  # <|fim_middle|> 三"


class FillingEngine(CharacterEngine):
    """One that has the marks."""

    def special(self, token):
        return 0x110010 + MARKS.index(token) if token in MARKS else super().special(token)


@pytest.fixture
def filling(tmp_path):
    engine = FillingEngine(TUNED, reply="a + b")
    site = make_site(tmp_path / "work", tuned=engine)
    return engine, TestClient(create_app(site), base_url="http://localhost", headers={"authorization": f"Bearer {site.desk.new_key('t')}"})


def test_the_gap_stands_between_prompt_and_suffix_and_only_what_fills_it_is_answered(filling):
    engine, client = filling
    ai = openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                       http_client=client, max_retries=0)
    answer = ai.completions.create(model=TUNED, prompt=BEFORE, suffix=AFTER, max_tokens=20)
    first, second, third = (engine.special(mark) for mark in MARKS[:3])
    assert engine.prompts == [(first, *map(ord, BEFORE), second, *map(ord, AFTER), third)]
    assert (answer.choices[0].text, answer.usage.prompt_tokens) == ("a + b", len(BEFORE) + len(AFTER) + 3)
    stream = ai.completions.create(model=TUNED, prompt=BEFORE, suffix=AFTER, stream=True)
    assert "".join(chunk.choices[0].text for chunk in stream) == "a + b"
    ai.completions.create(model=TUNED, prompt=list(map(ord, BEFORE)), suffix=AFTER)
    assert engine.prompts[-1] == engine.prompts[0]


def test_an_empty_suffix_is_none(filling):
    engine, client = filling
    for suffix in ("", None):
        assert client.post("/v1/completions", json={"model": TUNED, "prompt": BEFORE, "suffix": suffix}).status_code == 200
    assert engine.prompts == [tuple(map(ord, BEFORE))] * 2


# What Continue sends for a completion in a Python file: core/autocomplete/templating/getStopTokens.ts and openaiTypeConverters.ts.
EDITOR = {"model": TUNED, "prompt": BEFORE, "suffix": AFTER, "max_tokens": 256, "temperature": 0.01, "stream": True,
          "stop": ["\n\n", "\r\n\r\n", "/src/", "#- coding: utf-8", "```", "\ndef", "\n\"\"\"#"]}


@pytest.mark.parametrize("prompt, suffix", [(BEFORE, AFTER), ("", AFTER), (BEFORE, ""), (BEFORE, None)])
def test_an_editor_gets_what_fills_the_gap_as_the_deltas_that_it_reads(filling, prompt, suffix):
    engine, client = filling
    lines = client.post("/v1/fim/completions", json={**EDITOR, "prompt": prompt, "suffix": suffix}).text.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    deltas = [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in lines[:-1]]
    assert "".join(delta.get("content") or "" for delta in deltas) == "a + b"
    first, second, third = (engine.special(mark) for mark in MARKS[:3])
    assert engine.prompts == [(first, *map(ord, prompt), second, *map(ord, suffix or ""), third)]
    assert engine.samplings[0].stop == tuple(EDITOR["stop"])
    whole = client.post("/v1/fim/completions", json={**EDITOR, "stream": False}).json()
    assert whole["choices"][0]["message"]["content"] == "a + b"


@pytest.mark.parametrize("change, param, said", [
    ({"stop": ["x"] * 65}, "stop", "at most 64 items"), ({"max_tokens": 0}, "max_tokens", "nothing would be answered"),
    ({"prompt": ["a"]}, "prompt", "Input should be a valid string"), ({"echo": True}, "echo", "Unknown or unsupported parameter"),
    ({"prompt": "x" * 600}, "prompt", "you asked for")])
def test_a_mistake_of_an_editor_is_a_400_that_names_it(filling, change, param, said):
    answer = filling[1].post("/v1/fim/completions", json={**EDITOR, **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param), answer.text
    assert said in answer.json()["error"]["message"]


def test_an_editor_is_told_that_a_model_fills_no_gaps(strict_client):
    for suffix in (AFTER, None):
        answer = strict_client.post("/v1/fim/completions", json={**EDITOR, "suffix": suffix})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unsupported_by_model")


@pytest.mark.parametrize("change, param, code, said", [
    ({"suffix": 3}, "suffix", "invalid_value", "Input should be a valid string"),
    ({"suffix": "x", "echo": True}, "echo", "invalid_value", "echo is not allowed with suffix"),
    ({"suffix": "x" * 600}, "prompt", "context_length_exceeded", "you asked for 630 tokens (629 in the prompt, at least 1 for the reply)"),
])
def test_a_mistake_with_a_suffix_is_a_400_that_names_it(filling, change, param, code, said):
    answer = filling[1].post("/v1/completions", json={"model": TUNED, "prompt": BEFORE, **change})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert said in error["message"]


class Picky(FillingEngine):
    """One whose vocabulary cannot spell the suffix."""

    def tokenize(self, text):
        if text == AFTER:
            raise InputError("the text has an unpaired surrogate at character 0")
        return super().tokenize(text)


def test_a_suffix_that_no_vocabulary_can_spell_is_named(tmp_path, visit):
    site = make_site(tmp_path / "work", tuned=Picky(TUNED))
    answer = visit(site).post("/v1/completions", json={"model": TUNED, "prompt": BEFORE, "suffix": AFTER},
                              headers={"authorization": f"Bearer {site.desk.new_key('t')}"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "suffix")


def test_a_model_that_was_never_shown_a_gap_is_no_filler(strict_client):
    answer = strict_client.post("/v1/completions", json={"model": TUNED, "prompt": BEFORE, "suffix": AFTER})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, "suffix", "unsupported_by_model")
    assert f"{TUNED}: this model cannot fill a gap: its vocabulary has no tokens that mark one" in error["message"]


def test_a_real_file_reads_the_gap_by_its_own_marks_and_texts_cannot_forge_one(tmp_path):
    folder = make_tiny_model(tmp_path / "model", marks=MARKS)
    export_gguf(folder, tmp_path / "tiny.gguf", quantisation="f16", name=TUNED, chat_format=CHATML)
    engine = GgufEngine(tmp_path / "tiny.gguf", name=TUNED, threads=1)
    try:
        site = make_site(tmp_path / "work", tuned=engine)
        client = TestClient(create_app(site), base_url="http://localhost", headers={"authorization": f"Bearer {site.desk.new_key('t')}"})
        asked = {"model": TUNED, "prompt": BEFORE, "suffix": AFTER, "max_tokens": 8, "temperature": 0}
        answer = client.post("/v1/completions", json=asked).json()
        first, second, third = (engine.special(mark) for mark in MARKS[:3])
        ids = [first, *engine.tokenize(BEFORE), second, *engine.tokenize(AFTER), third]
        assert answer["usage"]["prompt_tokens"] == len(ids)
        assert sum(token in (first, second, third) for token in ids) == 3
        by_ids = client.post("/v1/completions", json={"model": TUNED, "prompt": ids, "max_tokens": 8, "temperature": 0}).json()
        assert answer["choices"][0]["text"] == by_ids["choices"][0]["text"] != ""
    finally:
        engine.close()
