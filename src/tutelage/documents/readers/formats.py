"""The formats of rows: what a row of alpaca, ShareGPT, OpenAI and others means, and by which fields it is recognised."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from tutelage.core.records import Image, Kind, Message
from tutelage.documents.readers.conversations import listed_of, pictures_of, turns
from tutelage.documents.readers.pictures import Album
from tutelage.documents.readers.wrong import WrongField, missing, wrong
from tutelage.documents.rows import Unreadable
from tutelage.documents.settings import RowFormat

Fields = dict[str, object]
PROMPTS = ("prompt", "question")
REPLIES = ("completion", "response", "answer")
TURNS = ("messages", "conversations")
VERDICTS = ("label", "kto_tag")
CLAUSES = ("clause", "text")
CLAUSE_LABELS = ("category", "clause_type", "label", "type")
_UNREAD = ("videos", "audios", "video", "audio")
_TRUE, _FALSE = ("true", "1", "yes"), ("false", "0", "no")

EXPECTED: dict[RowFormat, str] = {
    "text": "text",
    "lines": "text",
    "alpaca": "instruction and output (also input, system, history)",
    "sharegpt": "conversations with from and value",
    "openai": "messages with role and content",
    "prompt_completion": "prompt and completion (or question and answer)",
    "preference": "prompt, chosen and rejected (or conversations, chosen and rejected; or chosen_messages and rejected_messages)",
    "kto": "messages and label, or prompt, completion and label (label is true or false)",
    "clauses": "clause (or text) and category (or clause_type, label, type)"}


@dataclass(frozen=True)
class Shaped:
    """What a row means; `used` are the fields that went into it."""

    kind: Kind
    used: frozenset[str]
    text: str = ""
    messages: tuple[Message, ...] = ()
    rejected: str = ""
    label: str = ""
    tools: str = ""
    images: tuple[Image, ...] = ()


def format_of(fields: Fields) -> RowFormat:
    """The format that the fields of a row suggest, "auto" for none."""
    def has(*names: str) -> bool:
        return any(fields.get(name) is not None for name in names)

    if (has("chosen_messages") and has("rejected_messages")) or (has("chosen") and has("rejected")):
        return "preference"
    if has(*TURNS):
        if has("kto_tag") or (has("label") and _verdict(fields["label"]) is not None):
            return "kto"
        return "sharegpt" if has("conversations") else "openai"
    if has("instruction") and has("output"):
        return "alpaca"
    if has(*PROMPTS) and has(*REPLIES):
        return "kto" if has("kto_tag") or (has("label") and _verdict(fields["label"]) is not None) else "prompt_completion"
    # `type` beside `text` may say anything; beside `clause` it is the type of the clause.
    if (has("clause") and has(*CLAUSE_LABELS)) or (has("text") and has("category", "clause_type", "label")):
        return "clauses"
    return "text" if has("text") else "auto"


def _text(fields: Fields, album: Album) -> Shaped:
    return Shaped("text", frozenset({"text"}), text=_string(fields, "text"))


def _clauses(fields: Fields, album: Album) -> Shaped:
    name = _first(fields, CLAUSES)
    label = _first(fields, CLAUSE_LABELS)
    value = fields[label]
    if not isinstance(value, (str, int)) or not str(value).strip():
        raise wrong(label, value, "the type of the clause, in a word")
    return Shaped("clause", frozenset({name, label}), text=_string(fields, name), label=str(value).strip())


def _alpaca(fields: Fields, album: Album) -> Shaped:
    prompt, used = _alpaca_prompt(fields)
    return _conversation(fields, [*prompt, Message(role="assistant", content=_string(fields, "output"))], [], album, used | {"output"})


def _alpaca_prompt(fields: Fields) -> tuple[list[Message], set[str]]:
    messages = _system(fields, [])
    history = listed_of(fields.get("history")) or []
    if not isinstance(history, list):
        raise wrong("history", history, "a list of pairs: question, answer")
    for number, pair in enumerate(history):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2 or not all(isinstance(said, str) for said in pair):
            raise wrong(f"history[{number}]", pair, "a pair: question, answer")
        messages += [Message(role="user", content=pair[0]), Message(role="assistant", content=pair[1])]
    instruction, given = _string(fields, "instruction"), fields.get("input") or ""
    if not isinstance(given, str):
        raise wrong("input", given, "a text")
    messages.append(Message(role="user", content=f"{instruction}\n\n{given}" if instruction and given else instruction or given))
    return messages, {"instruction", "input", "history", "system"}


def _turns(fields: Fields, album: Album) -> Shaped:
    name = _first(fields, TURNS)
    messages, pictures = turns(fields[name], name)
    return _conversation(fields, _system(fields, messages), pictures, album, {name, "system"})


def _prompt_completion(fields: Fields, album: Album) -> Shaped:
    prompt, reply = _first(fields, PROMPTS), _first(fields, REPLIES)
    messages, pictures = _said(fields[prompt], prompt, "user")
    replies, more = _said(fields[reply], reply, "assistant")
    return _conversation(fields, _system(fields, [*messages, *replies]), [*pictures, *more], album, {prompt, reply, "system"})


def _kto(fields: Fields, album: Album) -> Shaped:
    name = _first(fields, VERDICTS)
    verdict = _verdict(fields[name])
    if verdict is None:
        raise wrong(name, fields[name], "true or false")
    make = _turns if any(fields.get(turn) is not None for turn in TURNS) else _alpaca if "instruction" in fields else _prompt_completion
    shaped = make(fields, album)
    return Shaped("feedback", shaped.used | {name}, messages=shaped.messages, label="true" if verdict else "false", tools=shaped.tools,
                  images=shaped.images)


def _preference(fields: Fields, album: Album) -> Shaped:
    used = {"chosen", "rejected", "system"}
    if fields.get("chosen_messages") is not None:
        used = {"chosen_messages", "rejected_messages", "system"}
        chosen, pictures = turns(fields["chosen_messages"], "chosen_messages")
        rejected, _ = turns(_needed(fields, "rejected_messages"), "rejected_messages")
        prompt = chosen[:-1]
    else:
        chosen, pictures = _said(_needed(fields, "chosen"), "chosen", "assistant")
        rejected, _ = _said(_needed(fields, "rejected"), "rejected", "assistant")
        prompt = chosen[:-1]
        if "instruction" in fields:
            prompt, more = _alpaca_prompt(fields)
            used |= more
        elif name := next((name for name in (*TURNS, *PROMPTS) if fields.get(name) is not None), ""):
            prompt, asked = _said(fields[name], name, "user")
            used.add(name)
            pictures = [*asked, *([] if chosen[:len(prompt)] == prompt else pictures)]
    if not prompt:
        raise missing("prompt")
    better, worse = _reply(prompt, chosen, "chosen"), _reply(prompt, rejected, "rejected")
    shaped = _conversation(fields, [*_system(fields, prompt), better], pictures, album, used)
    return Shaped("preference", shaped.used, messages=shaped.messages, rejected=worse.content, tools=shaped.tools, images=shaped.images)


def _reply(prompt: list[Message], messages: list[Message], field: str) -> Message:
    """The one message after the prompt, whether the prompt is repeated before it or not."""
    rest = messages[len(prompt):] if messages[:len(prompt)] == prompt else messages
    if len(rest) != 1 or rest[0].role != "assistant" or not rest[0].content:
        raise wrong(field, f"{len(rest)} turns", "one reply of the assistant to the same prompt as the other")
    return rest[0]


def _conversation(fields: Fields, messages: list[Message], pictures: list[object], album: Album, used: set[str]) -> Shaped:
    if not any(message.role == "assistant" for message in messages):
        raise WrongField(Unreadable("no reply", "Nobody answers in this conversation. Add the assistant's turn, or remove the row.",
                                    expected="a turn of the assistant"))
    if messages[-1].role == "assistant" and not messages[-1].content.strip():
        raise WrongField(Unreadable("no reply", "The last reply is empty. Complete the row, or remove it.", expected="a text"))
    for name in _UNREAD:
        if fields.get(name):
            raise wrong(name, fields[name], "nothing", "Sounds and films are not read; remove them or the row.")
    images = pictures_of(fields.get("images") or fields.get("image"), pictures, messages, album)
    tools = fields.get("tools") or ""
    if not isinstance(tools, str):
        tools = json.dumps(tools, ensure_ascii=False)
    return Shaped("messages", frozenset(used | {"images", "image", "tools"}), messages=tuple(messages), tools=tools, images=images)


def _system(fields: Fields, messages: list[Message]) -> list[Message]:
    system = fields.get("system")
    if system in (None, "") or (messages and messages[0].role == "system"):
        return messages
    if not isinstance(system, str):
        raise wrong("system", system, "a text")
    return [Message(role="system", content=system), *messages]


def _said(value: object, field: str, role: str) -> tuple[list[Message], list[object]]:
    """Turns, or a text that one of them says."""
    if isinstance(value, str) and not isinstance(listed_of(value), list):
        return [Message(role="user" if role == "user" else "assistant", content=value)], []
    return turns(value, field)


def _verdict(value: object) -> bool | None:
    said = str(value).lower() if isinstance(value, (bool, int, str)) else ""
    return True if said in _TRUE else False if said in _FALSE else None


def _string(fields: Fields, name: str) -> str:
    value = _needed(fields, name)
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def _first(fields: Fields, names: tuple[str, ...]) -> str:
    for name in names:
        if fields.get(name) is not None:
            return name
    raise missing(next((name for name in names if name in fields), names[0]))


def _needed(fields: Fields, name: str) -> object:
    if fields.get(name) is None:
        raise missing(name)
    return fields[name]


FORMATS: dict[RowFormat, Callable[[Fields, Album], Shaped]] = {
    "text": _text, "lines": _text, "alpaca": _alpaca, "sharegpt": _turns, "openai": _turns, "prompt_completion": _prompt_completion,
    "preference": _preference, "kto": _kto, "clauses": _clauses}
