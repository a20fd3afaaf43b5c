"""Every method of the openai client's resources that this door has gets a valid answer, or a 4xx that says what is not there."""

from __future__ import annotations

import inspect

import openai
import pytest
from starlette.websockets import WebSocketDisconnect
from web_site import TUNED

RESOURCES = ("chat", "completions", "models", "embeddings", "moderations", "responses")
MESSAGES = [{"role": "user", "content": "Term"}]
# What each method is asked, and the 4xx where there is none to have.
CALLS = {
    "chat.completions.create": ((), {"model": TUNED, "messages": MESSAGES}, None),
    "chat.completions.parse": ((), {"model": TUNED, "messages": MESSAGES}, None),
    "chat.completions.list": ((), {}, None),
    "chat.completions.retrieve": (("x",), {}, "there is no stored completion 'x' of yours"),
    "chat.completions.update": (("x",), {"metadata": {}}, "there is no stored completion 'x' of yours"),
    "chat.completions.delete": (("x",), {}, "there is no stored completion 'x' of yours"),
    "chat.completions.messages.list": (("x",), {}, "there is no stored completion 'x' of yours"),
    "completions.create": ((), {"model": TUNED, "prompt": "Term"}, None),
    "models.list": ((), {}, None),
    "models.retrieve": ((TUNED,), {}, None),
    "models.delete": ((TUNED,), {}, "needs 'admin'"),
    "embeddings.create": ((), {"model": TUNED, "input": "Term"}, None),
    "moderations.create": ((), {"input": "Term"}, None),
    "responses.create": ((), {"model": TUNED, "input": "Term"}, None),
    "responses.parse": ((), {"model": TUNED, "input": "Term"}, None),
    "responses.input_tokens.count": ((), {"model": TUNED, "input": "Term"}, None),
    "responses.retrieve": (("x",), {}, "Responses are not kept here"),
    "responses.delete": (("x",), {}, "Responses are not kept here"),
    "responses.cancel": (("x",), {}, "Responses are not kept here"),
    "responses.input_items.list": (("x",), {}, "Responses are not kept here"),
    "responses.compact": ((), {"model": TUNED, "input": "x"}, "Conversations are not compacted here"),
}
STREAMS = {"chat.completions.stream": {"model": TUNED, "messages": MESSAGES}, "responses.stream": {"model": TUNED, "input": "Term"}}
SOCKETS = ("responses.connect",)


@pytest.fixture
def ai(client):
    return openai.OpenAI(base_url="http://localhost/v1", api_key=client.headers["authorization"].removeprefix("Bearer "),
                         http_client=client, max_retries=0)


def methods_of(resource: object, place: str) -> dict[str, object]:
    """All public methods below a resource, by their dotted name."""
    found: dict[str, object] = {}
    for name in dir(type(resource)):
        if name.startswith("_") or name in ("with_raw_response", "with_streaming_response"):
            continue
        value = getattr(resource, name)
        if hasattr(value, "with_raw_response") and not inspect.isroutine(value):
            found |= methods_of(value, f"{place}.{name}")
        elif callable(value):
            found[f"{place}.{name}"] = value
    return found


def test_every_method_answers_or_says_what_is_not_there(ai, client):
    methods = {name: method for resource in RESOURCES for name, method in methods_of(getattr(ai, resource), resource).items()}
    assert set(methods) == {*CALLS, *STREAMS, *SOCKETS}
    assert len(methods) == 24
    for name, (arguments, named, refused) in CALLS.items():
        if refused is None:
            assert methods[name](*arguments, **named) is not None, name
            continue
        with pytest.raises(openai.APIStatusError, match=refused) as caught:
            methods[name](*arguments, **named)
        assert 400 <= caught.value.status_code < 500, name
        assert caught.value.body["message"], name
    for name, named in STREAMS.items():
        with methods[name](**named) as stream:
            assert len(list(stream)) > 5, name
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/v1/responses"):
        pass
