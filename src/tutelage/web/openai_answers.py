"""What answers of the OpenAI-compatible API look like: whole ones, chunks of a stream, log-probabilities and counts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from tutelage.core.engine import Tokenizer
from tutelage.core.records import Answer, TokenChance, TokenScore
from tutelage.core.tool_chat import Call
from tutelage.endpoint.calls import CallPiece

Json = dict[str, object]
DONE = "data: [DONE]\n\n"


@dataclass(frozen=True)
class Spelled:
    """A token with its text and its chances; `chance` is None for the first token of a prompt, which has none before it."""

    text: str
    chance: TokenChance | None
    likeliest: tuple[tuple[str, TokenScore], ...] = ()


class Told(Answer):
    """An answer with its calls of tools, or its tokens' log-probabilities; with the prompt's before them where it is echoed."""

    calls: tuple[Call, ...] = ()
    tokens: tuple[Spelled, ...] | None = None


def spell(tokenizer: Tokenizer, token_id: int, chance: TokenChance | None) -> Spelled:
    """A token and the likeliest ones in its place, with their texts."""
    others = chance.likeliest if chance else ()
    return Spelled(token_text(tokenizer, token_id), chance, tuple((token_text(tokenizer, other.token_id), other) for other in others))


def token_text(tokenizer: Tokenizer, token_id: int) -> str:
    """The token's text; "token_id:7" for one that has none of its own: a special token, or a part of a character."""
    text = tokenizer.detokenize([token_id])
    return text if text and "�" not in text else f"token_id:{token_id}"


def usage(answers: Sequence[Answer], choices_a_prompt: int) -> Json:
    """Exact counts of tokens; a prompt with several choices counts once."""
    prompt = sum(answer.prompt_tokens for answer in answers[::choices_a_prompt])
    made = sum(len(answer.token_ids) for answer in answers)
    return {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": prompt + made}


def event(data: Json) -> str:
    """One server-sent event."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


class ChatShape:
    """Answers of /v1/chat/completions."""

    id_mark = "chatcmpl"
    kind, chunk_kind = "chat.completion", "chat.completion.chunk"

    def choice(self, index: int, answer: Answer, prompt: str) -> Json:
        """One whole choice."""
        calls = answer.calls if isinstance(answer, Told) else ()
        message: Json = {"role": "assistant", "content": answer.text if answer.text or not calls else None, "refusal": None}
        if calls:
            message["tool_calls"] = [{"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                                     for call in calls]
        return {"index": index, "message": message, "logprobs": self.logprobs(answer), "finish_reason": _why_ended(answer)}

    def first(self, index: int, prompt: str) -> Json:
        """What opens a choice in a stream."""
        return {"index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": None, "finish_reason": None}

    def piece(self, index: int, piece: str) -> Json:
        """A piece of a choice in a stream: words, or a part of a call, whose first part has its id and name."""
        delta: Json = {"content": piece}
        if isinstance(piece, CallPiece):
            opening: Json = {"id": piece.opens.id, "type": "function"} if piece.opens else {}
            function: Json = {"name": piece.opens.name, "arguments": ""} if piece.opens else {"arguments": str(piece)}
            delta = {"tool_calls": [{"index": piece.number, **opening, "function": function}]}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def last(self, index: int, answer: Answer) -> Json:
        """What closes a choice in a stream."""
        return {"index": index, "delta": {}, "logprobs": self.logprobs(answer), "finish_reason": _why_ended(answer)}

    def logprobs(self, answer: Answer) -> Json | None:
        """A list of the tokens, each with the likeliest ones in its place; null where none were asked for."""
        if not isinstance(answer, Told) or answer.tokens is None:
            return None
        content = []
        for token in answer.tokens:
            assert token.chance is not None
            content.append({**_one(token.text, token.chance.logprob), "top_logprobs": [_one(text, other.logprob)
                                                                                     for text, other in token.likeliest]})
        return {"content": content, "refusal": None}


class TextShape:
    """Answers of /v1/completions."""

    id_mark = "cmpl"
    kind = chunk_kind = "text_completion"

    def choice(self, index: int, answer: Answer, prompt: str) -> Json:
        """One whole choice; `prompt` is what is echoed."""
        return {"index": index, "text": prompt + answer.text, "logprobs": self.logprobs(answer), "finish_reason": answer.finish_reason}

    def first(self, index: int, prompt: str) -> Json | None:
        """The echoed prompt, or nothing."""
        return self.piece(index, prompt) if prompt else None

    def piece(self, index: int, piece: str) -> Json:
        """A piece of a choice in a stream."""
        return {"index": index, "text": piece, "logprobs": None, "finish_reason": None}

    def last(self, index: int, answer: Answer) -> Json:
        """What closes a choice in a stream."""
        return {"index": index, "text": "", "logprobs": self.logprobs(answer), "finish_reason": answer.finish_reason}

    def logprobs(self, answer: Answer) -> Json | None:
        """Four lists side by side; null where none were asked for."""
        if not isinstance(answer, Told) or answer.tokens is None:
            return None
        offsets, end = [], 0
        for token in answer.tokens:
            offsets.append(end)
            end += len(token.text)
        return {"tokens": [token.text for token in answer.tokens], "text_offset": offsets,
                "token_logprobs": [token.chance.logprob if token.chance else None for token in answer.tokens],
                "top_logprobs": [_top(token) for token in answer.tokens]}


def _why_ended(answer: Answer) -> str:
    """Calls end a reply for a reason of their own, unless the limit cut them."""
    return "tool_calls" if answer.finish_reason == "stop" and isinstance(answer, Told) and answer.calls else answer.finish_reason


def _one(text: str, logprob: float) -> Json:
    return {"token": text, "logprob": logprob, "bytes": None if text.startswith("token_id:") else list(text.encode())}


def _top(token: Spelled) -> dict[str, float] | None:
    """The likeliest tokens by text, the one that stands there always among them; of two with one text the likelier counts."""
    if token.chance is None:
        return None
    found = {token.text: token.chance.logprob}
    for text, other in token.likeliest:
        found[text] = max(other.logprob, found.get(text, other.logprob))
    return found
