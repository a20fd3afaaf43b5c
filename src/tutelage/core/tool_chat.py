"""Conversations with tools as plain messages that `core.chat` renders: what tells the model of its tools, calls, and their results.

Two dialects: `hermes`, as in the templates of Qwen2.5 and Qwen3, for every format that has no dialect of its own, and `llama3`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from tutelage.core.chat import ChatFormat
from tutelage.core.errors import InputError
from tutelage.core.records import Message, Record, Role

HERMES_SYSTEM = """# Tools

You may call one or more functions to assist with the user query.

You are provided with function signatures within <tools></tools> XML tags:
<tools>
{tools}
</tools>

For each function call, return a json object with function name and arguments within <tool_call></tool_call> XML tags:
<tool_call>
{{"name": <function-name>, "arguments": <args-json-object>}}
</tool_call>"""
LLAMA3_USER = """Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers \
the given prompt.

Respond in the format {{"name": function name, "parameters": dictionary of argument name and its value}}.Do not use variables.

{tools}

{words}"""


class Call(Record):
    """A tool that the model calls: `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str


class Turn(Record):
    """A message of a conversation with tools: the assistant's may hold calls; one of the role "tool" is a call's result."""

    role: Role
    content: str
    calls: tuple[Call, ...] = ()


class Dialect(Record):
    """How a call is written: `begin`, the tool's name, `middle`, the arguments, `end`; `between` stands between two.

    A reply calls where it holds `trigger`, anywhere or (`leads`) only at its beginning. `begin` begins with `trigger`.
    """

    name: str
    trigger: str
    begin: str
    middle: str
    end: str
    between: str = ""
    leads: bool = False

    @property
    def takes_several(self) -> bool:
        """Whether one message may hold several calls."""
        return bool(self.between)


HERMES = Dialect(name="hermes", trigger="<tool_call>", begin='<tool_call>\n{"name": "', middle='", "arguments": ', end="}\n</tool_call>",
                 between="\n")
LLAMA3 = Dialect(name="llama3", trigger='{"name": "', begin='{"name": "', middle='", "parameters": ', end="}", leads=True)


def dialect_of(chat_format: ChatFormat) -> Dialect:
    """How models of a chat format write calls."""
    return LLAMA3 if chat_format.name == "llama3" else HERMES


def plain_messages(turns: Sequence[Turn], tools: Sequence[str], chat_format: ChatFormat) -> tuple[list[Message], ChatFormat]:
    """The conversation as messages, and the format to render them in; `tools` are the JSON texts of those that are offered.

    Raises InputError for what the model's format cannot express.
    """
    if not tools and all(turn.role != "tool" and not turn.calls for turn in turns):
        return [Message(role=turn.role, content=turn.content) for turn in turns], chat_format
    dialect = dialect_of(chat_format)
    return _llama3(turns, tools, chat_format) if dialect is LLAMA3 else (_hermes(turns, tools), chat_format)


def _hermes(turns: Sequence[Turn], tools: Sequence[str]) -> list[Message]:
    messages: list[Message] = []
    if tools:
        told = HERMES_SYSTEM.format(tools="\n".join(tools))
        has_system = bool(turns) and turns[0].role == "system"
        messages.append(Message(role="system", content=f"{turns[0].content}\n\n{told}" if has_system else told))
        turns = turns[1:] if has_system else turns
    was_result = False
    for turn in turns:
        if turn.role == "tool":
            result = f"<tool_response>\n{turn.content}\n</tool_response>"
            if was_result:
                result = f"{messages.pop().content}\n{result}"
            messages.append(Message(role="user", content=result))
        else:
            messages.append(Message(role=turn.role, content="\n".join([*([turn.content] if turn.content else []),
                                                                       *(_written(call, HERMES) for call in turn.calls)])))
        was_result = turn.role == "tool"
    return messages


def _llama3(turns: Sequence[Turn], tools: Sequence[str], chat_format: ChatFormat) -> tuple[list[Message], ChatFormat]:
    messages, is_told = [], not tools
    for turn in turns:
        content = turn.content
        if len(turn.calls) > 1 or (turn.calls and content):
            raise InputError("a message holds several calls, or words and a call; this model's template knows one call alone. Send them "
                             "as messages of their own, each followed by its result.")
        if turn.calls:
            content = _written(turn.calls[0], LLAMA3)
        elif turn.role == "tool":
            content = json.dumps(content, ensure_ascii=False)
        elif turn.role == "user" and not is_told:
            shown = "\n\n".join(json.dumps(json.loads(tool), ensure_ascii=False, indent=4) for tool in tools)
            content, is_told = LLAMA3_USER.format(tools=shown, words=content), True
        messages.append(Message(role=turn.role, content=content))
    if not is_told:
        raise InputError("this model is told of its tools in the first message of the user, and there is none. Send one.")
    return messages, chat_format.model_copy(update={"roles": {**chat_format.roles, "tool": "ipython"}})


def _written(call: Call, dialect: Dialect) -> str:
    return f"{dialect.begin}{call.name}{dialect.middle}{json.dumps(json.loads(call.arguments), ensure_ascii=False)}{dialect.end}"
