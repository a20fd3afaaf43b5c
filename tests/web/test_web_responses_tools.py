"""Functions in /v1/responses: calls whole and streamed, their results sent back, and mistakes named as the request has them."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel
from web_site import SPECIALS, TUNED, CharacterEngine

from tutelage.core.errors import ServiceUnavailable

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
WEATHER = {"type": "function", "name": "weather", "description": "Forecast.", "parameters": PARAMETERS, "strict": True}
NOW = {"type": "function", "name": "now"}
OSLO, BERGEN = '{"city": "Oslo"}', '{"city": "卑尔根 \\"}"}'
ASK = {"model": TUNED, "input": "Weather?", "tools": [WEATHER, NOW]}


def written(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


BOTH = f"I look.\n{written('weather', OSLO)}\n{written('weather', BERGEN)}"


class Weather(BaseModel):
    city: str


@pytest.fixture
def tuned():
    """One with room for what tells of tools."""
    return CharacterEngine(TUNED, context_length=4000)


@pytest.fixture
def ai(client):
    return openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                         http_client=client, max_retries=0)


def prompt_of(engine) -> str:
    names = {number: name for name, number in SPECIALS.items()}
    return "".join(names.get(token, chr(min(token, 0x10FFFF))) for token in engine.prompts[-1])


def test_words_and_calls_are_items_of_their_own(ai, tuned):
    tuned.reply = BOTH
    answer = ai.responses.create(**ASK)
    assert [item.type for item in answer.output] == ["message", "function_call", "function_call"]
    assert answer.output_text == "I look."
    calls = answer.output[1:]
    assert [(call.name, call.arguments) for call in calls] == [("weather", OSLO), ("weather", BERGEN)]
    assert {call.status for call in calls} == {"completed"}
    assert len({call.call_id for call in calls} | {call.id for call in calls}) == 4
    assert [tool.name for tool in answer.tools] == ["weather", "now"]
    assert (answer.tool_choice, answer.parallel_tool_calls, answer.status) == ("auto", True, "completed")
    tuned.reply = written("now", "{}")
    only = ai.responses.create(**ASK, tool_choice={"type": "function", "name": "now"}, parallel_tool_calls=False)
    assert [(item.type, item.name) for item in only.output] == [("function_call", "now")]
    assert (only.tool_choice.name, only.parallel_tool_calls) == ("now", False)


def test_a_stream_of_calls_has_the_events_of_the_client_and_ends_with_the_whole_response(ai, tuned):
    tuned.reply = BOTH
    events = list(ai.responses.create(**ASK, stream=True))
    kinds = list(dict.fromkeys(event.type for event in events))
    assert kinds == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                     "response.output_text.delta", "response.output_text.done", "response.content_part.done", "response.output_item.done",
                     "response.function_call_arguments.delta", "response.function_call_arguments.done", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    whole = events[-1].response
    assert [event.item.type for event in events if event.type == "response.output_item.added"] == [item.type for item in whole.output]
    assert [event.item for event in events if event.type == "response.output_item.done"] == whole.output
    for index, item in enumerate(whole.output[1:], 1):
        parts = [event for event in events if event.type.startswith("response.function_call_arguments") and event.output_index == index]
        assert "".join(event.delta for event in parts[:-1]) == parts[-1].arguments == item.arguments
        assert {event.item_id for event in parts} == {item.id}
    alike = ai.responses.create(**ASK)
    assert [(item.type, getattr(item, "arguments", "")) for item in alike.output] == [
        (item.type, getattr(item, "arguments", "")) for item in whole.output]
    assert alike.usage == whole.usage


def test_the_clients_helper_reads_the_arguments_into_a_pydantic_model(ai, tuned):
    tuned.reply = written("Weather", OSLO)
    tools = [openai.pydantic_function_tool(Weather)["function"] | {"type": "function"}]
    with ai.responses.stream(model=TUNED, input="Weather?", tools=tools, tool_choice="required") as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_response()
    assert "response.function_call_arguments.delta" in kinds
    assert [json.loads(item.arguments) for item in final.output] == [{"city": "Oslo"}]
    parsed = ai.responses.parse(model=TUNED, input="Weather?", tools=tools, tool_choice="required").output[0]
    assert json.loads(parsed.arguments) == {"city": "Oslo"}


@pytest.mark.parametrize("as_dicts", [False, True], ids=["objects", "dicts"])
def test_results_are_sent_back_and_rendered_as_a_chat_renders_them(ai, tuned, as_dicts):
    tuned.reply = BOTH
    first = ai.responses.create(**ASK)
    talk = [{"role": "user", "content": "Weather?"}, *([item.model_dump() for item in first.output] if as_dicts else first.output)]
    parts = [{"type": "input_text", "text": "su"}, {"type": "input_text", "text": "n"}]
    for call, found in zip(first.output[1:], ("rain", parts), strict=True):
        talk.append({"type": "function_call_output", "call_id": call.call_id, "output": found})
    ai.responses.create(**{**ASK, "input": talk}, instructions="Be brief.")
    asked = prompt_of(tuned)
    calls = [{"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
             for call in first.output[1:]]
    ai.chat.completions.create(
        model=TUNED, tools=[{"type": "function", "function": {name: value for name, value in tool.items() if name != "type"}}
                            for tool in (WEATHER, NOW)],
        messages=[{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Weather?"},
                  {"role": "assistant", "content": "I look.", "tool_calls": calls},
                  {"role": "tool", "tool_call_id": calls[0]["id"], "content": "rain"},
                  {"role": "tool", "tool_call_id": calls[1]["id"], "content": "sun"}])
    assert prompt_of(tuned) == asked
    assert "<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n</tool_response>" in asked


def test_tools_count_among_the_input_tokens(ai, tuned):
    counted = ai.responses.input_tokens.count(**ASK).input_tokens
    assert counted == ai.responses.create(**ASK).usage.input_tokens
    assert counted > ai.responses.input_tokens.count(model=TUNED, input="Weather?").input_tokens + 200


def test_a_call_that_the_limit_cut_is_incomplete(ai, tuned):
    tuned.reply = written("weather", OSLO)
    cut = ai.responses.create(**ASK, max_output_tokens=len(tuned.reply) - 18)
    assert (cut.status, cut.incomplete_details.reason, cut.output[0].status) == ("incomplete", "max_output_tokens", "incomplete")
    assert OSLO.startswith(cut.output[0].arguments)
    last = list(ai.responses.create(**ASK, max_output_tokens=len(tuned.reply) - 18, stream=True))[-1]
    assert (last.type, last.response.output[0].arguments) == ("response.incomplete", cut.output[0].arguments)


def test_a_stream_of_calls_that_breaks_off_fails(client, tuned):
    def broken(prompt_ids, sampling, *, end_ids, constraint=None):
        yield written("weather", OSLO)[:45]
        raise ServiceUnavailable("the engine fell over.")

    tuned.stream = broken
    text = client.post("/v1/responses", json={**ASK, "stream": True}).text
    last = json.loads(text.strip().split("\n\n")[-1].partition("\ndata: ")[2])
    assert (last["type"], last["response"]["status"]) == ("response.failed", "failed")


CALL = {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": OSLO}
RESULT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
USER = {"role": "user", "content": "?"}


@pytest.mark.parametrize("more, param, said", [
    ({"tools": [{"type": "web_search"}]}, "tools[0].type", "'function'"),
    ({"tools": [{**WEATHER, "defer_loading": True}]}, "tools[0].defer_loading", "Unknown or unsupported parameter"),
    ({"tools": [{"type": "function", "name": "a b"}]}, "tools[0].name", "Invalid value for 'tools[0].name': String should match pattern"),
    ({"tools": [NOW, NOW]}, "tools[1].name", "'now' is the name of two functions"),
    ({"tools": [{**NOW, "parameters": {"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}}]},
     "tools[0].parameters.properties.a.pattern", "the keyword pattern cannot be enforced"),
    ({"tools": []}, "tools", "at least 1 item"),
    ({"tools": None, "tool_choice": "required"}, "tool_choice", "tool_choice is only allowed with tools"),
    ({"tool_choice": {"type": "function", "name": "then"}}, "tool_choice.name", "'then' is not among the tools: weather, now"),
    ({"tool_choice": "always"}, "tool_choice", "Input should be 'none', 'auto' or 'required'"),
    ({"include": ["message.output_text.logprobs"]}, "include", "log-probabilities are not told beside tools here"),
    ({"input": [USER, RESULT]}, "input[1].call_id", "'c1' is no call of the assistant's that came before and waits for a result"),
    ({"input": [USER, CALL]}, "input", "the call 'c1' has no result: send a function_call_output for it"),
    ({"input": [USER, CALL, USER]}, "input[2]", "the call 'c1' has no result yet: a function_call_output must come first"),
    ({"input": [USER, CALL, CALL, RESULT]}, "input[2].call_id", "'c1' is the id of two calls"),
    ({"input": [USER, {**CALL, "arguments": "[]"}, RESULT], "instructions": "Be brief."}, "input[1].arguments",
     "they must be a JSON object, written as a text"),
    ({"input": [USER, {**CALL, "namespace": "x"}, RESULT]}, "input[1].namespace", "Input should be null"),
    ({"input": [USER, CALL, {**RESULT, "output": [{"type": "input_file", "text": "x"}]}]}, "input[2].output[0].type", "'input_text'"),
    ({"input": [USER, {**CALL, "call_id": ""}]}, "input[1].call_id", "at least 1 character"),
])
def test_a_mistake_in_functions_calls_or_results_is_named_as_the_request_has_it(strict_client, more, param, said):
    answer = strict_client.post("/v1/responses", json={**ASK, **more})
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["param"], said in error["message"]) == (param, True), error
