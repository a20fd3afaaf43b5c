"""A chat's answer as a response: whole, and as the events of a stream in the order that OpenAI's clients expect."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from typing import Any

from tutelage.web.openai_responses_shapes import ResponsesRequest

Json = dict[str, Any]
CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}  # why an answer is incomplete, by a chat's finish_reason


def finished(asked: ResponsesRequest, chat: Json) -> Json:
    """The whole response for a whole chat completion: its words if there are any, then its calls."""
    choice = chat["choices"][0]
    said, calls = choice["message"]["content"] or "", choice["message"].get("tool_calls") or []
    output = [_message(said, (choice["logprobs"] or {}).get("content") or [])] if said or not calls else []
    output += [_call(call, call["function"]["arguments"]) for call in calls]
    if choice["finish_reason"] in CUT:
        output[-1]["status"] = "incomplete"
    return _response(asked, chat, choice["finish_reason"], output, chat["usage"])


class Events:
    """Turns the chunks of a chat's stream into events, one after another."""

    def __init__(self, asked: ResponsesRequest) -> None:
        self._asked = asked
        self._head: Json = {}
        self._output: list[Json] = []  # the last item is open until another one begins
        self._logprobs: list[Json] = []
        self._reason = ""
        self._usage: Json | None = None
        self._number = 0

    def of(self, chunk: Json | None) -> Iterator[str]:
        """The events that a chunk stands for; None is the end of the stream."""
        if chunk is None:
            yield from self._end()
        elif "error" in chunk:
            failure = {"code": "server_error", "message": chunk["error"]["message"]}
            yield self._event("response.failed", response={**_response(self._asked, self._head, "", [], None), "status": "failed",
                                                           "error": failure, "incomplete_details": None})
        else:
            if not self._head:
                self._head = chunk
                started = _response(self._asked, self._head, "", [], None)
                yield self._event("response.created", response=started)
                yield self._event("response.in_progress", response=started)
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                yield from self._piece(choice)

    def _piece(self, choice: Json) -> Iterator[str]:
        self._reason = choice["finish_reason"] or self._reason
        self._logprobs += (choice["logprobs"] or {}).get("content") or []
        if piece := choice["delta"].get("content"):
            if not self._output:
                yield from self._open(_message("", []))
            self._output[-1]["content"][0]["text"] += piece
            yield self._event("response.output_text.delta", **self._place(), content_index=0, delta=piece, logprobs=[])
        for call in choice["delta"].get("tool_calls") or ():
            if "id" in call:
                yield from self._close("completed")
                yield from self._open(_call(call, ""))
            if piece := call["function"]["arguments"]:
                self._output[-1]["arguments"] += piece
                yield self._event("response.function_call_arguments.delta", **self._place(), delta=piece)

    def _open(self, item: Json) -> Iterator[str]:
        """Begin an item: a message has no part yet when it is told."""
        self._output.append(item)
        empty: Json = {"content": []} if item["type"] == "message" else {}
        yield self._event("response.output_item.added", output_index=len(self._output) - 1, item={**item, **empty, "status": "in_progress"})
        if item["type"] == "message":
            yield self._event("response.content_part.added", **self._place(), content_index=0, part=item["content"][0])

    def _close(self, status: str) -> Iterator[str]:
        """End the open item, if there is one."""
        if not self._output:
            return
        item = self._output[-1]
        item["status"] = status
        if item["type"] == "message":
            [part] = item["content"]
            part["logprobs"] = self._logprobs
            yield self._event("response.output_text.done", **self._place(), content_index=0, text=part["text"], logprobs=self._logprobs)
            yield self._event("response.content_part.done", **self._place(), content_index=0, part=part)
        else:
            yield self._event("response.function_call_arguments.done", **self._place(), name=item["name"], arguments=item["arguments"])
        yield self._event("response.output_item.done", output_index=len(self._output) - 1, item=item)

    def _end(self) -> Iterator[str]:
        if not self._output:
            yield from self._open(_message("", []))
        yield from self._close("incomplete" if self._reason in CUT else "completed")
        whole = _response(self._asked, self._head, self._reason, self._output, self._usage)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _place(self) -> Json:
        return {"item_id": self._output[-1]["id"], "output_index": len(self._output) - 1}

    def _event(self, kind: str, **facts: object) -> str:
        data = json.dumps({"type": kind, "sequence_number": self._number, **facts}, ensure_ascii=False)
        self._number += 1
        return f"event: {kind}\ndata: {data}\n\n"


def _message(text: str, logprobs: list[Json]) -> Json:
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}
    return {"id": f"msg_{secrets.token_hex(12)}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def _call(call: Json, arguments: str) -> Json:
    return {"id": f"fc_{secrets.token_hex(12)}", "type": "function_call", "status": "completed", "call_id": call["id"],
            "name": call["function"]["name"], "arguments": arguments}


def _response(asked: ResponsesRequest, chat: Json, reason: str, output: list[Json], usage: Json | None) -> Json:
    """The response as it stands; without a reason it is still in progress. `chat` gives its id, time and model."""
    status = "incomplete" if reason in CUT else "completed" if reason else "in_progress"
    wanted = asked.text.format.model_dump(exclude_none=True, by_alias=True) if asked.text and asked.text.format else {"type": "text"}
    tools = [tool.model_dump(exclude_none=True) for tool in asked.tools or ()]
    choice = asked.tool_choice or "auto"
    counts = usage and {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"],
                        "total_tokens": usage["total_tokens"], "output_tokens_details": {"reasoning_tokens": 0},
                        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    return {"id": chat["id"], "object": "response", "created_at": chat["created"], "model": chat["model"], "status": status,
            "completed_at": int(time.time()) if status == "completed" else None, "error": None,
            "incomplete_details": {"reason": CUT[reason]} if reason in CUT else None, "output": output, "usage": counts,
            "instructions": asked.instructions, "max_output_tokens": asked.max_output_tokens, "metadata": asked.metadata or {},
            "temperature": 1.0 if asked.temperature is None else asked.temperature, "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "top_logprobs": asked.top_logprobs or 0, "text": {"format": wanted}, "tools": tools,
            "tool_choice": (choice if isinstance(choice, str) else choice.model_dump()) if tools else "none",
            "parallel_tool_calls": bool(tools) and asked.parallel_tool_calls is not False, "previous_response_id": None, "store": False,
            "background": False, "truncation": "disabled"}
