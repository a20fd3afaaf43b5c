"""Turns of a conversation as the common data sets write them (ShareGPT, OpenAI) to messages, with the pictures that they show."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tutelage.core.records import Image, Message, Role
from tutelage.documents.readers.pictures import Album
from tutelage.documents.readers.wrong import wrong

ROLES: dict[str, Role] = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
    "chatgpt": "assistant", "model": "assistant", "bot": "assistant", "function_call": "assistant", "tool_call": "assistant",
    "observation": "tool", "tool": "tool", "function": "tool"}
PICTURE = "<image>"
_ROLE_FIELDS = ("role", "from")
_CONTENT_FIELDS = ("content", "value")
# Field of a part that holds its content, by type.
_TEXT_PARTS = ("text", "input_text", "output_text", "refusal")
_PICTURE_PARTS = ("image", "image_url", "input_image")
_REASON_PARTS = ("reasoning", "thinking")


def turns(value: object, field: str) -> tuple[list[Message], list[object]]:
    """The messages of a list of turns (or of one turn), and the paths of the pictures in them. Raises WrongField."""
    listed = listed_of(value)
    if isinstance(listed, Mapping):
        listed = [listed]
    if not isinstance(listed, list) or not listed:
        raise wrong(field, value, "a list of turns, each with role and content, or from and value")
    messages: list[Message] = []
    pictures: list[object] = []
    for number, turn in enumerate(listed):
        place = f"{field}[{number}]"
        if not isinstance(turn, Mapping):
            raise wrong(place, turn, "a turn with role and content, or from and value")
        message = Message(role=_role(turn, place), content=_content(turn, place, pictures))
        if message.content or message.role != "system":
            messages.append(message)
    return messages, pictures


def listed_of(value: object) -> object:
    """The value; of a string that is a JSON list, as cells of a table are, the list."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def pictures_of(named: object, inside: list[object], messages: list[Message], album: Album, field: str = "images") -> tuple[Image, ...]:
    """The pictures of a row, checked: those of its field and those inside its turns. There must be as many marks `<image>` in the text."""
    listed = listed_of(named)
    paths = [listed] if isinstance(listed, str) and listed else list(listed) if isinstance(listed, (list, tuple)) else []
    paths += inside
    if not paths:
        return ()
    marks = sum(message.content.count(PICTURE) for message in messages)
    if marks != len(paths):
        raise wrong(field, f"{len(paths)} pictures, {marks} marks", f"as many marks {PICTURE} in the text as pictures",
                    f"Write {PICTURE} where each picture belongs.")
    return tuple(album.image(path, f"{field}[{number}]") for number, path in enumerate(paths))


def _role(turn: Mapping[str, object], place: str) -> Role:
    field = next((name for name in _ROLE_FIELDS if name in turn), "")
    if not field:
        raise wrong(f"{place}.role", None, ", ".join(ROLES), "The turn does not say who speaks.")
    role = turn[field]
    if not isinstance(role, str) or role.lower() not in ROLES:
        raise wrong(f"{place}.{field}", role, ", ".join(ROLES))
    return ROLES[role.lower()]


def _content(turn: Mapping[str, object], place: str, pictures: list[object]) -> str:
    field = next((name for name in _CONTENT_FIELDS if name in turn), "content")
    content = turn.get(field)
    calls = turn.get("tool_calls") or turn.get("function_call")
    if isinstance(content, str):
        text = content
    elif isinstance(content, list):
        text = _parts(content, f"{place}.{field}", pictures)
    elif content is None and calls:
        text = ""
    else:
        raise wrong(f"{place}.{field}", content, "a text, or a list of parts with type")
    return _joined(text, _calls(calls, place)) if calls else text


def _parts(parts: list[object], place: str, pictures: list[object]) -> str:
    text = ""
    for number, part in enumerate(parts):
        if isinstance(part, str):
            text += part
            continue
        here = f"{place}[{number}]"
        if not isinstance(part, Mapping) or not isinstance(part.get("type"), str):
            raise wrong(here, part, "a part with type and text or value")
        kind = str(part["type"])
        value = part[kind] if kind in part else part.get("value", part.get("text"))
        if kind in _PICTURE_PARTS:
            pictures.append(value.get("url") if isinstance(value, Mapping) else part.get("image_url", value))
            text += PICTURE
            continue
        if not isinstance(value, str):
            raise wrong(f"{here}.value", value, "a text")
        if kind in _TEXT_PARTS:
            text += value
        elif kind in _REASON_PARTS:
            text += f"<think>\n{value}\n</think>\n\n"
        elif kind == "tool_call":
            text = _joined(text, value)
        else:
            raise wrong(f"{here}.type", kind, ", ".join((*_TEXT_PARTS, *_PICTURE_PARTS, *_REASON_PARTS, "tool_call")),
                        "Sounds and films are not read; remove the part or the row.")
    return text


def _calls(calls: object, place: str) -> str:
    """The JSON of one call, or of a list of several: name and arguments."""
    listed = [calls] if isinstance(calls, Mapping) else calls
    if not isinstance(listed, list) or not all(isinstance(call, Mapping) for call in listed):
        raise wrong(f"{place}.tool_calls", calls, "a list of calls with name and arguments")
    functions = [_function(call, f"{place}.tool_calls[{number}]") for number, call in enumerate(listed)]
    return json.dumps(functions[0] if len(functions) == 1 else functions, ensure_ascii=False)


def _function(call: Mapping[str, object], place: str) -> dict[str, object]:
    inner = call.get("function", call)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("name"), str):
        raise wrong(f"{place}.function.name", inner, "the name of the function")
    arguments = inner.get("arguments", {})
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments)
        except (ValueError, RecursionError):
            raise wrong(f"{place}.function.arguments", arguments, "JSON") from None
    return {"name": inner["name"], "arguments": arguments}


def _joined(text: str, call: str) -> str:
    return f"{text}\n{call}" if text and not text.endswith("\n") else text + call
