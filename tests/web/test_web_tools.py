"""Tools and replies in JSON through the door: what is refused, and what a real GGUF file (a tiny random model) is held to."""

from __future__ import annotations

import json
from enum import Enum

import openai
import pytest
from pydantic import BaseModel, Field
from starlette.testclient import TestClient
from web_site import TUNED, make_site, running

from tutelage.web.app import create_app

ASK = {"model": TUNED, "messages": [{"role": "user", "content": "Weather in Oslo?"}]}
PARAMETERS = {"type": "object", "properties": {"city": {"type": "string", "maxLength": 12},
                                               "days": {"type": "integer", "minimum": 1, "maximum": 9}},
              "required": ["city", "days"], "additionalProperties": False}
WEATHER = {"type": "function", "function": {"name": "weather", "description": "Forecast.", "parameters": PARAMETERS, "strict": True}}
NOW = {"type": "function", "function": {"name": "now"}}
CALLED = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Oslo","days":2}'}}


class Risk(Enum):
    LOW = "low"
    HIGH = "high"


class Clause(BaseModel):
    title: str = Field(max_length=20)
    risk: Risk
    days: int | None = Field(ge=0, le=365)
    parties: list[str] = Field(max_length=2)


@pytest.fixture(scope="module")
def plain(engine) -> dict[str, int]:
    """Keeps a random model to ASCII: it would spell bytes that are no character, which counts as several where one was meant."""
    return {str(token): -100 for token in range(engine._vocabulary.size) if max(engine._vocabulary.bytes_of(token), default=0) > 127}


@pytest.fixture(scope="module")
def site(engine, tmp_path_factory):
    return make_site(tmp_path_factory.mktemp("site"), tuned=engine)


@pytest.fixture(scope="module")
def outside(site):
    with running(create_app(site)) as address, \
            openai.OpenAI(base_url=f"{address}/v1", api_key=site.desk.new_key("outside"), max_retries=0) as found:
        yield found


@pytest.fixture(scope="module")
def program(site):
    return TestClient(create_app(site), base_url="http://localhost", headers={"authorization": f"Bearer {site.desk.new_key('program')}"})


def test_the_openai_client_parses_a_reply_into_a_pydantic_model(outside, plain):
    for seed in range(3):
        found = outside.chat.completions.parse(**ASK, response_format=Clause, seed=seed, max_tokens=400, logit_bias=plain).choices[0]
        assert isinstance(found.message.parsed, Clause)
        assert found.finish_reason == "stop"


def test_a_reply_that_the_limit_cut_says_so_and_the_openai_client_raises(outside):
    with pytest.raises(openai.LengthFinishReasonError):
        outside.chat.completions.parse(**ASK, response_format=Clause, max_tokens=5)


def test_a_reply_in_json_is_an_object_and_its_stream_is_the_same(program):
    for seed in range(2):
        asked = {**ASK, "response_format": {"type": "json_object"}, "seed": seed, "max_tokens": 120}
        choice = program.post("/v1/chat/completions", json=asked).json()["choices"][0]
        assert choice["message"]["content"].startswith("{")
        if choice["finish_reason"] == "stop":
            assert isinstance(json.loads(choice["message"]["content"]), dict)
        assert "".join(delta.get("content", "") for delta in deltas(program, asked)) == choice["message"]["content"]


def deltas(program, asked) -> list[dict]:
    lines = program.post("/v1/chat/completions", json={**asked, "stream": True}).text.strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    return [json.loads(line.removeprefix("data: "))["choices"][0]["delta"] for line in lines[:-1]]


def test_a_call_that_is_required_comes_whole_and_streamed_alike(program, plain):
    for seed in range(3):
        asked = {**ASK, "tools": [WEATHER, NOW], "tool_choice": "required", "seed": seed, "max_tokens": 400, "logit_bias": plain}
        choice = program.post("/v1/chat/completions", json=asked).json()["choices"][0]
        assert (choice["finish_reason"], choice["message"]["content"]) == ("tool_calls", None)
        streamed: list[dict] = []
        for delta in deltas(program, asked):
            assert not delta.get("content")
            for part in delta.get("tool_calls", []):
                if "id" in part:
                    assert part["index"] == len(streamed)
                    streamed.append(part)
                else:
                    streamed[part["index"]]["function"]["arguments"] += part["function"]["arguments"]
        whole = [call["function"] for call in choice["message"]["tool_calls"]]
        assert [part["function"] for part in streamed] == whole
        for call in whole:
            arguments = json.loads(call["arguments"])
            assert arguments == {} or (call["name"] == "weather" and 1 <= arguments["days"] <= 9 and len(arguments["city"]) <= 12)
        ids = [call["id"] for call in choice["message"]["tool_calls"]]
        assert len(set(ids)) == len(ids)


def test_the_named_tool_is_called_once_where_parallel_calls_are_off(outside, plain):
    for seed in range(2):
        named = {"type": "function", "function": {"name": "weather"}}
        choice = outside.chat.completions.create(**ASK, tools=[NOW, WEATHER], tool_choice=named, parallel_tool_calls=False, seed=seed,
                                                 max_tokens=200, logit_bias=plain).choices[0]
        assert [call.function.name for call in choice.message.tool_calls] == ["weather"]
        assert choice.finish_reason == "tool_calls"


def test_the_openai_client_goes_round_with_a_result_and_the_model_reads_it(outside, plain):
    tools = [openai.pydantic_function_tool(Clause, name="file_clause")]
    messages = [{"role": "system", "content": "You file."}, *ASK["messages"]]
    first = outside.chat.completions.parse(model=TUNED, messages=messages, tools=tools, tool_choice="required", parallel_tool_calls=False,
                                           seed=3, max_tokens=300, logit_bias=plain).choices[0].message
    assert isinstance(first.tool_calls[0].function.parsed_arguments, Clause)
    messages += [first, {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "filed as 7"}]
    with outside.chat.completions.stream(model=TUNED, messages=messages, tools=tools, tool_choice="required", parallel_tool_calls=False,
                                          seed=4, max_tokens=300, logit_bias=plain) as stream:
        kinds = {event.type for event in stream}
        [call] = stream.get_final_completion().choices[0].message.tool_calls
    assert {"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"} <= kinds
    assert isinstance(call.function.parsed_arguments, Clause)
    free = outside.chat.completions.create(model=TUNED, messages=messages, tools=tools, tool_choice="none", max_tokens=12).choices[0]
    assert free.finish_reason in ("length", "stop")
    assert free.message.tool_calls is None


def test_the_rendered_conversation_tells_tools_calls_and_results_as_qwen_is_told(program, engine):
    asked = {"model": TUNED, "messages": [
        *ASK["messages"], {"role": "assistant", "content": None, "tool_calls": [CALLED], "refusal": None},
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"}]}
    tokens = program.post("/tokenize", json=asked).json()["tokens"]
    user, assistant = ((engine.special("<|im_start|>"), *engine.tokenize(f"{role}\n")) for role in ("user", "assistant"))
    close = (engine.special("<|im_end|>"), *engine.tokenize("\n"))
    call = '<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo", "days": 2}}\n</tool_call>'
    expected = [*user, *engine.tokenize("Weather in Oslo?"), *close, *assistant, *engine.tokenize(call), *close,
                *user, *engine.tokenize("<tool_response>\nrain\n</tool_response>"), *close, *assistant]
    assert tokens == expected


def test_a_name_stands_before_the_words_of_who_says_them_and_that_of_a_result_is_its_functions(program, engine):
    messages = [{"role": "user", "name": "ann", "content": "Rain?"}, {"role": "assistant", "content": None, "tool_calls": [CALLED]}]
    named = [*messages, {**RESULT, "name": "weather"}]
    plain = [{"role": "user", "content": "ann: Rain?"}, messages[1], RESULT]
    tokens = [program.post("/tokenize", json={"model": TUNED, "messages": asked}).json()["tokens"] for asked in (named, plain)]
    assert tokens[0] == tokens[1]


def test_presence_bias_and_seed_are_applied_and_a_token_outside_is_named(program, engine):
    [wanted] = engine.tokenize("x")
    asked = {**ASK, "logit_bias": {str(wanted): 100}, "max_tokens": 4, "temperature": 0}
    assert program.post("/v1/chat/completions", json=asked).json()["choices"][0]["message"]["content"] == "xxxx"
    answer = program.post("/v1/chat/completions", json={**asked, "logit_bias": {"999999": 1}})
    assert (answer.status_code, "token id 999999 is outside the vocabulary" in answer.json()["error"]["message"]) == (400, True)


def schema_format(schema: dict) -> dict:
    return {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}}


def tools_with(parameters: dict) -> dict:
    return {"tools": [{"type": "function", "function": {"name": "f", "parameters": parameters}}]}


def with_messages(*messages: dict) -> dict:
    return {"messages": [*ASK["messages"], *messages]}


CALLING = {"role": "assistant", "tool_calls": [CALLED]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "rain"}
PLACE = "response_format.json_schema.schema"


@pytest.mark.parametrize("change, param, said", [
    (schema_format({"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}), f"{PLACE}.properties.a.pattern",
     "the keyword pattern cannot be enforced while the reply is written, and nothing is ignored"),
    (schema_format({"type": "text"}), f"{PLACE}.type", "type is 'text'; it must be one or several of object, array"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "json_schema goes with the type 'json_schema'"),
    ({"response_format": {"type": "xml"}}, "response_format.type", "Input should be 'text', 'json_object' or 'json_schema'"),
    ({"response_format": {"type": "json_object"}, "stop": "x"}, "stop", "stop could cut the JSON of a reply in the middle"),
    (tools_with({"type": "object", "properties": {"a": {"$ref": "https://example.org/x"}}}),
     "tools[0].function.parameters.properties.a.$ref", "may refer to '#', '#/$defs/NAME' and '#/definitions/NAME' of itself only"),
    (tools_with({"type": "string"}), "tools[0].function.parameters.type", "must be of the type object"),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name", "String should match pattern"),
    ({"tools": [NOW, NOW]}, "tools[1].function.name", "'now' is the name of two functions"),
    ({"tool_choice": "auto"}, "tool_choice", "tool_choice is only allowed with tools"),
    ({"parallel_tool_calls": True}, "parallel_tool_calls", "parallel_tool_calls is only allowed with tools"),
    ({"tools": [NOW], "tool_choice": {"type": "function", "function": {"name": "then"}}}, "tool_choice.function.name",
     "'then' is not among the tools: now"),
    ({"tools": [NOW], "tool_choice": "always"}, "tool_choice", "Input should be 'none', 'auto' or 'required'"),
    (with_messages(CALLING, {**RESULT, "name": "now"}), "messages[2].name", "'now' is not the function that was called; that is 'weather'"),
    (with_messages({"role": "user", "content": "x", "name": "a b"}), "messages[1].name", "String should match pattern"),
    (with_messages(RESULT), "messages[1].tool_call_id", "'call_1' is no call of the assistant's message before that waits for a result"),
    (with_messages(CALLING), "messages", "the call 'call_1' has no result: send a message with the role 'tool' for it"),
    (with_messages(CALLING, {"role": "user", "content": "?"}), "messages[2]", "the call 'call_1' has no result yet"),
    (with_messages(CALLING, RESULT, RESULT), "messages[3].tool_call_id", "'call_1' is no call"),
    (with_messages({**CALLING, "role": "user"}), "messages[1].tool_calls", "the role is 'user'; only the assistant calls tools"),
    (with_messages({"role": "user", "content": "x", "tool_call_id": "a"}), "messages[1].tool_call_id", "only the role 'tool' has it"),
    (with_messages({"role": "assistant", "tool_calls": [CALLED, CALLED]}), "messages[1].tool_calls[1].id", "is the id of two calls"),
    (with_messages({"role": "assistant", "tool_calls": [{**CALLED, "function": {"name": "f", "arguments": "[]"}}]}),
     "messages[1].tool_calls[0].function.arguments", "they must be a JSON object, written as a text"),
])
def test_a_mistake_in_tools_schemas_or_calls_is_a_400_with_its_place(strict_client, change, param, said):
    answer = strict_client.post("/v1/chat/completions", json={**ASK, **change})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert error["param"] == param
    assert said in error["message"]


def test_an_engine_that_keeps_to_no_grammar_says_so(tmp_path, visit, tuned):
    from tutelage.engine.sampling import refuse_constraint

    class Loose(type(tuned)):
        def stream(self, prompt_ids, sampling, *, end_ids, constraint=None):
            refuse_constraint(self.name, constraint)
            yield from super().stream(prompt_ids, sampling, end_ids=end_ids)

    site = make_site(tmp_path / "loose", tuned=Loose(TUNED))
    answer = visit(site).post("/v1/chat/completions", json={**ASK, "response_format": {"type": "json_object"}},
                              headers={"authorization": f"Bearer {site.desk.new_key('a')}"})
    assert (answer.status_code, "cannot hold a reply to a grammar" in answer.json()["error"]["message"]) == (400, True)


def test_a_reply_that_is_not_what_was_asked_is_an_error_and_no_answer(client, tuned):
    tuned.reply = '{"title": 3}'
    answer = client.post("/v1/chat/completions", json={**ASK, **schema_format(Clause.model_json_schema())})
    assert answer.status_code == 503
    assert "the engine's reply is not of the form that was asked for: risk is missing. Try again." in answer.json()["error"]["message"]
    assert tuned.constraints[0].schema_text.startswith('{"$defs"')
