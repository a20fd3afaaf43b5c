"""Asking an engine that the pipeline opened: many texts at once, each reply whole or with the reason why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.records import Message, Sampling

# Replies may be twice as long in tokens as the clause: what is longer is refused anyway.
ROOM, AT_LEAST = 2.0, 48


@dataclass(frozen=True)
class Speaker:
    """A model that writes: an engine, and how its turns are framed."""

    engine: Engine
    chat_format: ChatFormat


OpenEngine = Callable[[str], Speaker]


@dataclass(frozen=True)
class Reply:
    """What came back: a text, or why there is none ("too long for the engine", "cut off", "empty reply")."""

    text: str = ""
    failure: str = ""


def ask_all(speaker: Speaker, prompts: Sequence[Sequence[Message]], lengths_of: Sequence[str], *, temperature: float,
            seed: int) -> list[Reply]:
    """A reply to each prompt, in order. `lengths_of` are the clauses that are to be said anew: they say how long a reply may be."""
    engine = speaker.engine
    end = end_id(speaker.chat_format, engine)
    replies: list[Reply | None] = [None] * len(prompts)
    # One call for all prompts of one length limit: engines answer several at once.
    waiting: dict[int, list[tuple[int, tuple[int, ...]]]] = {}
    for place, (messages, source) in enumerate(zip(prompts, lengths_of, strict=True)):
        ids = render(messages, speaker.chat_format, engine, reply=True).ids
        limit = max(AT_LEAST, round(ROOM * len(engine.tokenize(source)) / 32) * 32)
        if len(ids) + limit > engine.context_length:
            replies[place] = Reply(failure="too long for the engine")
        else:
            waiting.setdefault(limit, []).append((place, ids))
    for limit, asked in waiting.items():
        sampling = Sampling(max_tokens=limit, temperature=temperature, top_p=0.9 if temperature else 1.0, seed=seed)
        for (place, _), answer in zip(asked, engine.generate([ids for _, ids in asked], sampling, end_ids=[end]), strict=True):
            text = answer.text.strip()
            failure = "cut off" if answer.finish_reason == "length" else "" if text else "empty reply"
            replies[place] = Reply(failure=failure) if failure else Reply(text=text)
    return [reply for reply in replies if reply is not None]
