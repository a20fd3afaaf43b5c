"""What all engines must agree on when they decode and score."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.engine import CannotDo
from tutelage.core.errors import ContextTooLong, InputError
from tutelage.core.records import Constraint, Sampling

REPETITION_WINDOW = 64  # tokens, of the prompt too, that the repetition penalty looks back; llama.cpp's own default


def check_fits(prompt_tokens: int, reply_tokens: int, context_length: int) -> None:
    """Raise ContextTooLong unless a prompt and its longest reply fit. Nothing is ever cut."""
    if prompt_tokens + reply_tokens > context_length:
        raise ContextTooLong(f"the prompt has {prompt_tokens} tokens and its reply may have {reply_tokens}: {prompt_tokens + reply_tokens} "
                             f"in all; this model takes {context_length}. Shorten the prompt, or ask for fewer tokens.")


def check_prompt(prompt_ids: Sequence[int], sampling: Sampling, context_length: int) -> None:
    """Raise InputError for an empty prompt or no room for a reply, ContextTooLong if both do not fit."""
    if not prompt_ids:
        raise InputError("the prompt is empty; it needs at least one token.")
    if sampling.max_tokens < 1:
        raise InputError(f"max_tokens is {sampling.max_tokens}; it must be at least 1.")
    check_fits(len(prompt_ids), sampling.max_tokens, context_length)


def refuse_constraint(name: str, constraint: Constraint | None) -> None:
    """Raise CannotDo for any constraint: for engines that choose tokens without a grammar."""
    if constraint is not None:
        raise CannotDo(f"{name}: this engine cannot hold a reply to a grammar or JSON schema. Serve a GGUF file, whose engine can.")


def penalty_window(sampling: Sampling, context_length: int) -> int:
    """How many of the last tokens penalties look at: all where presence or frequency count, as llama.cpp has one window for all three."""
    return context_length if sampling.presence_penalty or sampling.frequency_penalty else REPETITION_WINDOW


def check_tokens(ids: Sequence[int], size: int) -> None:
    """Raise InputError for a token id that a vocabulary of that size lacks."""
    outside = [token for token in ids if not 0 <= token < size]
    if outside:
        raise InputError(f"token id {outside[0]} is outside the vocabulary of {size}; tokenize with this engine.")


def check_rows(rows: Sequence[Sequence[int]], starts: Sequence[int]) -> None:
    """Raise InputError unless each start lies within its row and has a token before it."""
    if len(rows) != len(starts):
        raise InputError(f"scoring got {len(rows)} rows and {len(starts)} starts; each row needs one.")
    for number, (row, start) in enumerate(zip(rows, starts, strict=True)):
        if not 1 <= start <= len(row):
            raise InputError(f"row {number}: its start is {start}; it must be between 1 and {len(row)}, "
                             "as the first token has none before it.")


def check_embedded(row: Sequence[int], context_length: int) -> None:
    """Raise InputError for a text to embed without tokens, ContextTooLong for one that does not fit."""
    if not row:
        raise InputError("a text to embed is empty; it needs at least one token.")
    check_fits(len(row), 0, context_length)


def check_text(text: str) -> None:
    """Raise InputError for a text that has no UTF-8 form (half of a surrogate pair)."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(f"the text has an unpaired surrogate at character {error.start}, which no vocabulary can spell. "
                         "Read the source with its right encoding.") from None
