"""Tools, replies in JSON and gaps in code by a real Qwen 2 behind a real server, and its conversation as its own template writes it."""

from __future__ import annotations

import json
from typing import Literal

import jinja2.sandbox
import pytest
from pydantic import BaseModel
from qwen import MISSING, is_there, qwen_gguf
from web_site import TUNED

from tutelage.core.chat import CHATML, render
from tutelage.core.tool_chat import Call, Turn, plain_messages
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.gguf_file import read_metadata

pytestmark = [pytest.mark.real, pytest.mark.skipif(not is_there(), reason=MISSING)]
TOOL = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a city now.",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}}}


class Term(BaseModel):
    kind: Literal["payment", "confidentiality", "termination"]
    days: int


@pytest.fixture(scope="module")
def engine():
    made = GgufEngine(qwen_gguf(), name=TUNED, context_length=1024, parallel=1)
    yield made
    made.close()


def test_a_conversation_with_tools_has_the_tokens_of_the_models_own_template(engine):
    turns = [Turn(role="system", content="Be brief."), Turn(role="user", content="Oslo und 北京?"),
             Turn(role="assistant", content="I look.", calls=(Call(id="a", name="get_weather", arguments='{"city": "Oslo"}'),
                                                             Call(id="b", name="get_weather", arguments='{"city": "北京"}'))),
             Turn(role="tool", content="rain"), Turn(role="tool", content="sun"), Turn(role="assistant", content="Rain, sun."),
             Turn(role="user", content="Thanks.")]
    messages, chat_format = plain_messages(turns, [json.dumps(TOOL)], CHATML)
    ids = render(messages, chat_format, engine, reply=True).ids
    sandbox = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    sandbox.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    theirs = sandbox.from_string(read_metadata(qwen_gguf())["tokenizer.chat_template"]).render(
        tools=[TOOL], add_generation_prompt=True, messages=[
            {"role": turn.role, "content": turn.content, "tool_calls": [
                {"function": {"name": call.name, "arguments": json.loads(call.arguments)}} for call in turn.calls]} for turn in turns])
    assert list(ids) == engine._vocabulary.tokenize(theirs, parse_special=True)


def test_the_model_calls_a_required_tool_and_goes_on_after_its_result(client):
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    asked = {"model": TUNED, "tools": [TOOL], "temperature": 0, "max_tokens": 80}
    first = client.chat.completions.create(**asked, messages=messages, tool_choice="required", parallel_tool_calls=False).choices[0]
    assert first.finish_reason == "tool_calls"
    assert json.loads(first.message.tool_calls[0].function.arguments) == {"city": "Oslo"}
    messages += [first.message, {"role": "tool", "tool_call_id": first.message.tool_calls[0].id, "content": "11 degrees, heavy rain"}]
    second = client.chat.completions.create(**asked, messages=messages, tool_choice="none").choices[0]
    assert (second.message.content != "", second.message.tool_calls) == (True, None)  # so small a model repeats itself here


def test_a_clause_becomes_a_pydantic_model(client):
    text = "Each invoice shall be paid within thirty (30) days. Answer in JSON with kind and days."
    asked = {"model": TUNED, "messages": [{"role": "user", "content": text}], "temperature": 0}
    parsed = client.chat.completions.parse(**asked, response_format=Term, max_tokens=60).choices[0].message.parsed
    assert parsed == Term(kind="payment", days=30)


def test_a_gap_in_code_is_filled_up_to_where_an_editor_stops(client, engine):
    before, after = "def add(a, b):\n    return ", "\n\nprint(add(1, 2))\n"
    answer = client.completions.create(model=TUNED, prompt=before, suffix=after, max_tokens=24, temperature=0, stop=["\n\n"])
    assert (answer.choices[0].text, answer.choices[0].finish_reason) == ("a + b", "stop")
    assert answer.usage.prompt_tokens == len(engine.tokenize(before)) + len(engine.tokenize(after)) + 3


def test_a_response_calls_a_required_function(client):
    talk = [{"role": "user", "content": "What is the weather in Oslo?"}]
    tool = {"type": "function", **TOOL["function"]}
    [call] = client.responses.create(model=TUNED, input=talk, tools=[tool], tool_choice="required", parallel_tool_calls=False,
                                     temperature=0, max_output_tokens=80).output
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Oslo"})
