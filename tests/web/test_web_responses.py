"""/v1/responses for the openai client: whole and streamed answers with exact counts, and clear refusals of what needs a store."""

from __future__ import annotations

import json

import openai
import pytest
from pydantic import BaseModel
from web_site import DRAFT, SPECIALS, TUNED

from tutelage.core.errors import ServiceUnavailable
from tutelage.web.openai_responses_shapes import PLACES
from tutelage.web.openai_tools import ToolChatRequest


@pytest.fixture
def ai(client):
    return openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                         http_client=client, max_retries=0)


def prompt_of(engine) -> str:
    names = {number: name for name, number in SPECIALS.items()}
    return "".join(names.get(token, chr(min(token, 0x10FFFF))) for token in engine.prompts[-1])


def test_a_text_and_instructions_are_answered_as_a_chat_would_be(ai, tuned):
    answer = ai.responses.create(model=TUNED, input="Term", instructions="Draft.", temperature=0, max_output_tokens=100,
                                 metadata={"a": "b"})
    asked = prompt_of(tuned)
    assert (answer.output_text, answer.status, answer.incomplete_details, answer.error) == (DRAFT, "completed", None, None)
    assert (answer.instructions, answer.metadata, answer.model, answer.max_output_tokens) == ("Draft.", {"a": "b"}, TUNED, 100)
    assert answer.id.startswith("resp-")
    chat = ai.chat.completions.create(model=TUNED, temperature=0, max_tokens=100,
                                      messages=[{"role": "system", "content": "Draft."}, {"role": "user", "content": "Term"}])
    assert prompt_of(tuned) == asked
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (
        chat.usage.prompt_tokens, chat.usage.completion_tokens, chat.usage.total_tokens)


def test_the_whole_conversation_is_sent_with_the_answer_as_it_came(ai, tuned):
    first = ai.responses.create(model=TUNED, input=[{"role": "developer", "content": "Draft."}, {"role": "user", "content": "Term"}])
    talk = [{"role": "user", "content": [{"type": "input_text", "text": "Te"}, {"type": "input_text", "text": "rm"}]},
            *(item.model_dump() for item in first.output), {"role": "user", "content": "Shorter."}]
    ai.responses.create(model=TUNED, input=talk)
    asked = prompt_of(tuned)
    assert f"<|im_start|>user\nTerm<|im_end|>\n<|im_start|>assistant\n{DRAFT}<|im_end|>\n<|im_start|>user\nShorter.<|im_end|>" in asked


def test_an_answer_cut_by_its_limit_is_incomplete(ai):
    answer = ai.responses.create(model=TUNED, input="Term", max_output_tokens=5)
    assert (answer.status, answer.incomplete_details.reason, answer.output_text) == ("incomplete", "max_output_tokens", DRAFT[:5])
    assert (answer.output[0].status, answer.usage.output_tokens) == ("incomplete", 5)


def test_a_stream_has_the_events_of_the_client_in_order_and_ends_with_the_whole_response(ai):
    events = list(ai.responses.create(model=TUNED, input="Term", stream=True))
    kinds = [event.type for event in events]
    assert kinds == ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added",
                     *["response.output_text.delta"] * len(DRAFT), "response.output_text.done", "response.content_part.done",
                     "response.output_item.done", "response.completed"]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == DRAFT
    whole = events[-1].response
    assert (whole.output_text, whole.status, whole.usage.output_tokens) == (DRAFT, "completed", len(DRAFT))
    assert events[0].response.status == "in_progress"
    assert {event.item_id for event in events if hasattr(event, "item_id")} == {whole.output[0].id}
    cut = list(ai.responses.create(model=TUNED, input="Term", stream=True, max_output_tokens=3))[-1]
    assert (cut.type, cut.response.output_text) == ("response.incomplete", DRAFT[:3])


def test_the_clients_own_stream_helper_gives_the_final_response(ai):
    with ai.responses.stream(model=TUNED, input="Term") as stream:
        for _ in stream:
            pass
        assert stream.get_final_response().output_text == DRAFT


def test_an_answer_is_held_to_the_form_that_text_format_asks_for(ai, tuned):
    tuned.reply = '{"days": 30}'
    found = ai.responses.parse(model=TUNED, input="Term", text_format=Days)
    assert found.output_parsed == Days(days=30)
    assert tuned.constraints[-1].schema_text
    tuned.reply = '{"days": "x"}'
    with pytest.raises(openai.InternalServerError, match="not of the form that was asked for"):
        ai.responses.parse(model=TUNED, input="Term", text_format=Days)


class Days(BaseModel):
    days: int


def test_log_probabilities_come_where_they_are_included(ai):
    asked = {"model": TUNED, "input": "Term", "max_output_tokens": 3, "include": ["message.output_text.logprobs"], "top_logprobs": 2}
    told = ai.responses.create(**asked).output[0].content[0].logprobs
    assert [(one.token, one.logprob, len(one.top_logprobs)) for one in told] == [(letter, -0.5, 2) for letter in DRAFT[:3]]
    streamed = list(ai.responses.create(**asked, stream=True))[-1].response.output[0].content[0].logprobs
    assert streamed == told


def test_input_tokens_are_counted_without_an_answer(ai, tuned):
    counted = ai.responses.input_tokens.count(model=TUNED, input="Term", instructions="Draft.")
    assert tuned.begun == 0
    assert counted.input_tokens == ai.responses.create(model=TUNED, input="Term", instructions="Draft.").usage.input_tokens


@pytest.mark.parametrize("more, param, said", [
    ({"store": True}, "store", "Responses are not kept here: send the whole conversation as `input` each time. Leave store out"),
    ({"previous_response_id": "resp_1"}, "previous_response_id", "previous_response_id is given. Responses are not kept here"),
    ({"conversation": {"id": "conv_1"}}, "conversation", "conversation is given. Responses are not kept here"),
    ({"background": True}, "background", "Ask for a stream instead"),
    ({"truncation": "auto"}, "truncation", "nothing is ever cut here"),
    ({"top_logprobs": 2}, "top_logprobs", "only allowed with `include: ['message.output_text.logprobs']`"),
    ({"include": ["file_search_call.results"]}, "include[0]", "message.output_text.logprobs"),
    ({"reasoning": {"effort": "low"}}, "reasoning", "Unknown or unsupported parameter: 'reasoning'"),
    ({"max_output_tokens": 0}, "max_output_tokens", "greater than or equal to 1"),
    ({"max_output_tokens": 601}, "input", "or lower max_output_tokens"),
    ({"temperature": 3}, "temperature", "less than or equal to 2"),
    ({"input": []}, "input", "List should have at least 1 item"),
    ({"input": [{"role": "tool", "content": "x"}]}, "input[0].role", "'user' or 'assistant'"),
    ({"input": [{"type": "reasoning", "summary": []}]}, "input[0]", "the type must be one of message, function_call, function_call_output"),
    ({"input": [{"role": "user", "content": [{"type": "input_image", "text": "x"}]}]}, "input[0].content[0].type",
     "'input_text' or 'output_text'"),
    ({"input": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}, "input", "Invalid value for 'input'"),
    ({"text": {"verbosity": "low"}}, "text.verbosity", "Unknown or unsupported parameter"),
    ({"text": {"format": {"type": "xml"}}}, "text.format.type", "'json_schema'"),
    ({"text": {"format": {"type": "json_schema", "schema": {}}}}, "text.format.name", "Missing required parameter: 'text.format.name'"),
    ({"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "number", "multipleOf": 3}}}},
     "text.format.schema.multipleOf", "the keyword multipleOf cannot be enforced"),
])
def test_what_is_not_offered_is_a_400_that_names_it(strict_client, more, param, said):
    answer = strict_client.post("/v1/responses", json={"model": TUNED, "input": "Term", **more})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"], said in error["message"]) == (400, param, True), error


def test_places_of_a_chats_errors_are_fields_of_a_chat():
    assert {place.partition(".")[0] for place in PLACES} <= set(ToolChatRequest.model_fields)


def test_what_needs_a_store_of_responses_says_that_there_is_none(ai):
    for call in (lambda: ai.responses.retrieve("resp_1"), lambda: ai.responses.delete("resp_1"), lambda: ai.responses.cancel("resp_1"),
                 lambda: ai.responses.input_items.list("resp_1")):
        with pytest.raises(openai.NotFoundError, match=r"There is no response 'resp_1'\. Responses are not kept here"):
            call()
    with pytest.raises(openai.BadRequestError, match="Conversations are not compacted here"):
        ai.responses.compact(model=TUNED, input="x")


def test_a_stream_that_breaks_off_ends_with_a_failed_response(client, tuned):
    def broken(prompt_ids, sampling, *, end_ids, constraint=None):
        yield "甲"
        raise ServiceUnavailable("the engine fell over.")

    tuned.stream = broken
    text = client.post("/v1/responses", json={"model": TUNED, "input": "Term", "stream": True}).text
    last = json.loads(text.strip().split("\n\n")[-1].partition("\ndata: ")[2])
    assert (last["type"], last["response"]["status"], last["response"]["error"]["code"]) == ("response.failed", "failed", "server_error")
    assert "the engine fell over." in last["response"]["error"]["message"]
    assert last["response"]["id"] in last["response"]["error"]["message"]
