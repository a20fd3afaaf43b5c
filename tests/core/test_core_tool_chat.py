"""Conversations with tools as the templates of the models write them."""

from __future__ import annotations

import json

import pytest

from tutelage.core.chat import CHATML, GEMMA, LLAMA3
from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.core.tool_chat import Call, Turn, plain_messages

TOOL = json.dumps({"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}})
ONE, TWO = Call(id="1", name="weather", arguments='{"city":"Oslo"}'), Call(id="2", name="weather", arguments='{"city":"奥斯陆"}')
ASKED = Turn(role="user", content="Weather?")


def test_without_tools_nothing_changes():
    assert plain_messages([ASKED], (), LLAMA3) == ([Message(role="user", content="Weather?")], LLAMA3)


def test_tools_stand_in_the_system_message_and_results_in_one_message_of_the_user():
    turns = [Turn(role="system", content="Be brief."), ASKED, Turn(role="assistant", content="I look.", calls=(ONE, TWO)),
             Turn(role="tool", content="rain"), Turn(role="tool", content="sun")]
    messages, chat_format = plain_messages(turns, [TOOL], CHATML)
    assert chat_format == CHATML
    assert messages[0].content.startswith("Be brief.\n\n# Tools\n\nYou may call one or more functions to assist with the user query.\n\n")
    assert f"<tools>\n{TOOL}\n</tools>" in messages[0].content
    assert messages[0].content.endswith('<tool_call>\n{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>')
    assert messages[2].content == ('I look.\n<tool_call>\n{"name": "weather", "arguments": {"city": "Oslo"}}\n</tool_call>\n'
                                   '<tool_call>\n{"name": "weather", "arguments": {"city": "奥斯陆"}}\n</tool_call>')
    assert messages[3:] == [Message(role="user", content="<tool_response>\nrain\n</tool_response>\n<tool_response>\nsun\n</tool_response>")]


def test_a_format_without_a_dialect_of_its_own_is_told_in_the_same_words():
    messages, _ = plain_messages([ASKED], [TOOL], GEMMA)
    assert [message.role for message in messages] == ["system", "user"]


def test_llama3_is_told_in_the_first_message_of_the_user_and_results_have_a_role_of_their_own():
    turns = [ASKED, Turn(role="assistant", content="", calls=(ONE,)), Turn(role="tool", content='rain "now"')]
    messages, chat_format = plain_messages(turns, [TOOL], LLAMA3)
    assert messages[0].content.startswith("Given the following functions, please respond with a JSON for a function call with its proper "
                                          "arguments that best answers the given prompt.\n\nRespond in the format {\"name\": function")
    assert messages[0].content.endswith(f"{json.dumps(json.loads(TOOL), indent=4)}\n\nWeather?")
    assert messages[1].content == '{"name": "weather", "parameters": {"city": "Oslo"}}'
    assert (messages[2].role, messages[2].content) == ("tool", '"rain \\"now\\""')
    assert chat_format.roles["tool"] == "ipython"
    assert "tool" not in LLAMA3.roles


@pytest.mark.parametrize("turns, said", [
    ([ASKED, Turn(role="assistant", content="", calls=(ONE, TWO))], "this model's template knows one call alone"),
    ([ASKED, Turn(role="assistant", content="I look.", calls=(ONE,))], "words and a call"),
    ([Turn(role="system", content="Be brief.")], "told of its tools in the first message of the user, and there is none"),
])
def test_what_llama3_cannot_express_is_refused(turns, said):
    with pytest.raises(InputError, match=said):
        plain_messages(turns, [TOOL], LLAMA3)
