"""From a checked request to the engine and back: prompts, limits, several choices, log-probabilities."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby

from starlette.responses import JSONResponse

from tutelage.core.chat import end_id, render
from tutelage.core.engine import CannotDo, Engine, SharesPrompts, TellsChances
from tutelage.core.errors import InputError
from tutelage.core.gap import Prompt, render_gap
from tutelage.core.records import Answer, Sampling
from tutelage.endpoint.bounds import FREE, Bounds
from tutelage.endpoint.calls import CallReader
from tutelage.endpoint.schema_words import SchemaMistake
from tutelage.endpoint.serving import Served
from tutelage.web.auth import error_response
from tutelage.web.openai_answers import Told, spell
from tutelage.web.openai_shapes import AnswerRequest, ChatRequest, FillRequest, TextRequest
from tutelage.web.openai_turns import TurnMistake, conversation
from tutelage.web.site import Site
from tutelage.web.streaming import Pieces


@dataclass(frozen=True)
class Wanted:
    """One choice, ready for the engine. `echo` is the text of the prompt where it is to stand before the reply."""

    ids: tuple[int, ...]
    sampling: Sampling
    end_ids: tuple[int, ...]
    likeliest: int | None
    is_echoed: bool = False
    echo: str = ""
    bounds: Bounds = FREE


def chat_choices(served: Served, asked: ChatRequest) -> list[Wanted] | JSONResponse:
    """The choices of a chat, or the 400 that says why there can be none."""
    try:
        bounds = asked.bounds(served.chat_format)
        messages, chat_format = conversation(asked.messages, asked.told_tools, served.chat_format)
        ids = render(messages, chat_format, served.engine, reply=True).ids
    except InputError as error:
        return misplaced(error, "messages")
    ends = (end_id(served.chat_format, served.engine),)
    return _too_long(served, asked, len(ids), "messages") or _no_chances(served, asked) or [
        Wanted(ids, _sampling(asked, number, served.engine.context_length - len(ids)), ends, asked.likeliest, bounds=bounds)
        for number in range(asked.n or 1)]


def text_choices(served: Served, asked: TextRequest) -> list[Wanted] | JSONResponse:
    """The choices for all prompts, those of one prompt side by side, or the 400 that says why there can be none."""
    found: list[Wanted] = []
    for text in asked.prompt:
        prompt = _read_prompt(served, text, asked.suffix or None)
        if isinstance(prompt, JSONResponse):
            return prompt
        refused = _too_long(served, asked, len(prompt.ids), "prompt") or _no_chances(served, asked)
        if refused:
            return refused
        echo = (text if isinstance(text, str) else served.engine.detokenize(prompt.ids)) if asked.echo else ""
        room = served.engine.context_length - len(prompt.ids)
        found += [Wanted(prompt.ids, _sampling(asked, len(found) + number, room), prompt.end_ids, asked.likeliest, bool(asked.echo), echo)
                  for number in range(asked.n or 1)]
    return found


def fill_choices(served: Served, asked: FillRequest) -> list[Wanted] | JSONResponse:
    """The choices for a gap, or the 400 that says why there can be none."""
    prompt = _read_prompt(served, asked.prompt, asked.suffix or "")
    if isinstance(prompt, JSONResponse):
        return prompt
    room = served.engine.context_length - len(prompt.ids)
    return _too_long(served, asked, len(prompt.ids), "prompt") or [
        Wanted(prompt.ids, _sampling(asked, number, room), prompt.end_ids, None) for number in range(asked.n or 1)]


def _read_prompt(served: Served, text: str | list[int], suffix: str | None) -> Prompt | JSONResponse:
    """The tokens of a prompt, or of the gap before a suffix, and what ends the reply; or the 400 that says why there are none."""
    engine, chat_format = served.engine, served.chat_format
    param = "prompt"
    try:
        begin = [engine.special(chat_format.begin)] if chat_format.begin and isinstance(text, str) else []
        ids = tuple(engine.tokenize(text) if isinstance(text, str) else text)
        end = end_id(chat_format, engine)
        if suffix is None:
            return Prompt(ids=(*begin, *ids), end_ids=(end,))
        param = "suffix"
        gap = render_gap(ids, suffix, engine)
    except CannotDo as error:
        return error_response(400, f"{served.name}: {error}", param=param, code="unsupported_by_model")
    except InputError as error:
        return misplaced(error, param)
    return Prompt(ids=(*begin, *gap.ids), end_ids=(end, *gap.end_ids))


def pieces_of(site: Site, served: Served, choices: Sequence[Wanted]) -> Pieces:
    """All choices, one after another: the pieces of each, then its Answer (a `Told` where log-probabilities were asked for)."""
    with site.door.use(served) as engine:
        for _, alike in groupby(choices, key=lambda wanted: (wanted.ids, wanted.end_ids, wanted.bounds.constraint)):
            yield from _alike(engine, list(alike))


def _alike(engine: Engine, choices: Sequence[Wanted]) -> Pieces:
    """The pieces of choices that differ in their sampling only; their prompt is read once where the engine can do that."""
    first = choices[0]
    if first.sampling.max_tokens == 0:
        for wanted in choices:
            yield _tell(engine, wanted, Answer(text="", token_ids=(), prompt_tokens=len(wanted.ids), finish_reason="length",
                                               model=engine.name))
    elif len(choices) > 1 and isinstance(engine, SharesPrompts):
        replies = engine.stream_each(first.ids, [wanted.sampling for wanted in choices], end_ids=first.end_ids,
                                     constraint=first.bounds.constraint)
        with closing(replies):
            for wanted in choices:
                yield from _pieces(engine, wanted, _one(replies))
    else:
        for wanted in choices:
            yield from _pieces(engine, wanted, engine.stream(wanted.ids, wanted.sampling, end_ids=wanted.end_ids,
                                                             constraint=wanted.bounds.constraint))


def _one(replies: Iterator[str | Answer]) -> Iterator[str | Answer]:
    """The pieces of the next reply, its Answer last."""
    for piece in replies:
        yield piece
        if isinstance(piece, Answer):
            return


def _pieces(engine: Engine, wanted: Wanted, stream: Iterator[str | Answer]) -> Pieces:
    """The pieces of one choice: words, and those of calls where it is read for calls; then its Answer, checked if it is whole."""
    reader = CallReader(wanted.bounds.dialect) if wanted.bounds.dialect else None
    for piece in stream:
        if not isinstance(piece, Answer):
            yield from reader.feed(piece) if reader else (piece,)
            continue
        if reader:
            yield from reader.end()
        if piece.finish_reason == "stop":
            wanted.bounds.check(piece.text, reader)
        yield _tell(engine, wanted, piece, reader)


def _tell(engine: Engine, wanted: Wanted, answer: Answer, reader: CallReader | None = None) -> Answer:
    """The answer with its calls, and the log-probabilities that were asked for; the copy that answers is scored again, token for token."""
    if reader and reader.calls:
        answer = Told(**{**answer.model_dump(), "text": reader.words}, calls=tuple(reader.calls))
    if wanted.likeliest is None:
        return answer
    assert isinstance(engine, TellsChances)
    row = (*wanted.ids, *answer.token_ids)
    start = 1 if wanted.is_echoed else len(wanted.ids)
    chances = engine.chances(row, start, likeliest=wanted.likeliest) if len(row) > start else []
    tokens = [spell(engine, chance.token_id, chance) for chance in chances]
    if wanted.is_echoed:
        tokens.insert(0, spell(engine, row[0], None))
    return Told(**{**dict(answer), "tokens": tuple(tokens)})


def _sampling(asked: AnswerRequest, number: int, room: int) -> Sampling:
    """How to decode choice `number`: with a seed of the client's each choice has the next one, so that all can be had again."""
    seed = secrets.randbits(31) if asked.seed is None else (asked.seed + number) % 2**31
    return Sampling(max_tokens=room if asked.reply_limit is None else asked.reply_limit,
                    temperature=1.0 if asked.temperature is None else asked.temperature,
                    top_p=1.0 if asked.top_p is None else asked.top_p, seed=seed, stop=asked.stops,
                    presence_penalty=asked.presence_penalty or 0.0, frequency_penalty=asked.frequency_penalty or 0.0,
                    logit_bias=tuple((int(token), bias) for token, bias in (asked.logit_bias or {}).items()))


def misplaced(error: InputError, param: str) -> JSONResponse:
    """The 400 for what a parameter may not hold, with the place in a conversation or schema."""
    param = error.place if isinstance(error, (SchemaMistake, TurnMistake)) else param
    code = error.code if isinstance(error, TurnMistake) else "invalid_json_schema" if isinstance(error, SchemaMistake) else "invalid_value"
    return error_response(400, f"Invalid value for {param!r}: {error}", param=param, code=code)


def _too_long(served: Served, asked: AnswerRequest, prompt: int, param: str) -> JSONResponse | None:
    context, limit = served.engine.context_length, asked.reply_limit
    least = 1 if limit is None else limit
    if prompt + least <= context:
        return None
    wanted = f"{prompt + least} tokens ({prompt} in the {param}, {'at least 1' if limit is None else limit} for the reply)"
    advice = f"Shorten the {param}{' or lower max_tokens' if limit else ''}; nothing is cut unasked."
    return error_response(400, f"The model's context holds {context} tokens; you asked for {wanted}. {advice}", param=param,
                          code="context_length_exceeded")


def _no_chances(served: Served, asked: AnswerRequest) -> JSONResponse | None:
    if asked.likeliest is None or isinstance(served.engine, TellsChances):
        return None
    return error_response(400, f"{served.name} is served by an engine that tells no log-probabilities. Leave out logprobs, or serve a "
                          "GGUF file.", param="logprobs", code="unsupported_by_model")
