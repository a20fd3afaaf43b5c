"""A chat's answer as a response: whole, and as the events of a stream in the order that OpenAI's clients expect."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from tutelage.web.openai_responses_shapes import ResponsesRequest

Json = dict[str, Any]
CUT = {"length": "max_output_tokens", "content_filter": "content_filter"}  # why an answer is incomplete, by a chat's finish_reason


def finished(asked: ResponsesRequest, chat: Json, message_id: str) -> Json:
    """The whole response for a whole chat completion."""
    choice = chat["choices"][0]
    logprobs = (choice["logprobs"] or {}).get("content") or []
    item = _message(message_id, choice["message"]["content"] or "", logprobs, cut=choice["finish_reason"] in CUT)
    return _response(asked, chat, choice["finish_reason"], [item], chat["usage"])


class Events:
    """Turns the chunks of a chat's stream into events, one after another."""

    def __init__(self, asked: ResponsesRequest, message_id: str) -> None:
        self._asked = asked
        self._message_id = message_id
        self._head: Json = {}
        self._text = ""
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
                yield from self._begin()
            self._usage = chunk.get("usage") or self._usage
            for choice in chunk["choices"]:
                yield from self._piece(choice)

    def _begin(self) -> Iterator[str]:
        started = _response(self._asked, self._head, "", [], None)
        yield self._event("response.created", response=started)
        yield self._event("response.in_progress", response=started)
        yield self._event("response.output_item.added", output_index=0,
                          item={**_message(self._message_id, "", [], cut=False), "content": [], "status": "in_progress"})
        yield self._event("response.content_part.added", **self._place(), part=_part("", []))

    def _piece(self, choice: Json) -> Iterator[str]:
        self._reason = choice["finish_reason"] or self._reason
        self._logprobs += (choice["logprobs"] or {}).get("content") or []
        piece = choice["delta"].get("content") or ""
        if piece:
            self._text += piece
            yield self._event("response.output_text.delta", **self._place(), delta=piece, logprobs=[])

    def _end(self) -> Iterator[str]:
        item = _message(self._message_id, self._text, self._logprobs, cut=self._reason in CUT)
        yield self._event("response.output_text.done", **self._place(), text=self._text, logprobs=self._logprobs)
        yield self._event("response.content_part.done", **self._place(), part=_part(self._text, self._logprobs))
        yield self._event("response.output_item.done", output_index=0, item=item)
        whole = _response(self._asked, self._head, self._reason, [item], self._usage)
        yield self._event(f"response.{whole['status']}", response=whole)

    def _place(self) -> Json:
        return {"item_id": self._message_id, "output_index": 0, "content_index": 0}

    def _event(self, kind: str, **facts: object) -> str:
        data = json.dumps({"type": kind, "sequence_number": self._number, **facts}, ensure_ascii=False)
        self._number += 1
        return f"event: {kind}\ndata: {data}\n\n"


def _part(text: str, logprobs: list[Json]) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": logprobs}


def _message(message_id: str, text: str, logprobs: list[Json], *, cut: bool) -> Json:
    return {"id": message_id, "type": "message", "role": "assistant", "status": "incomplete" if cut else "completed",
            "content": [_part(text, logprobs)]}


def _response(asked: ResponsesRequest, chat: Json, reason: str, output: list[Json], usage: Json | None) -> Json:
    """The response as it stands; without a reason it is still in progress. `chat` gives its id, time and model."""
    status = "incomplete" if reason in CUT else "completed" if reason else "in_progress"
    wanted = asked.text.format.model_dump(exclude_none=True, by_alias=True) if asked.text and asked.text.format else {"type": "text"}
    counts = usage and {"input_tokens": usage["prompt_tokens"], "output_tokens": usage["completion_tokens"],
                        "total_tokens": usage["total_tokens"], "output_tokens_details": {"reasoning_tokens": 0},
                        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0}}
    return {"id": chat["id"], "object": "response", "created_at": chat["created"], "model": chat["model"], "status": status,
            "completed_at": int(time.time()) if status == "completed" else None, "error": None,
            "incomplete_details": {"reason": CUT[reason]} if reason in CUT else None, "output": output, "usage": counts,
            "instructions": asked.instructions, "max_output_tokens": asked.max_output_tokens, "metadata": asked.metadata or {},
            "temperature": 1.0 if asked.temperature is None else asked.temperature, "top_p": 1.0 if asked.top_p is None else asked.top_p,
            "top_logprobs": asked.top_logprobs or 0, "text": {"format": wanted}, "tools": [], "tool_choice": "none",
            "parallel_tool_calls": False, "previous_response_id": None, "store": False, "background": False, "truncation": "disabled"}
