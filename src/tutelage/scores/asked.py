"""Rows as token ids, as training renders them, and how surprised an engine is by their replies."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import Engine
from tutelage.core.errors import ContextTooLong, TutelageError
from tutelage.core.records import Example, TokenScore

BATCH_ROWS = 16
SCORED_TOKENS = 4096  # more rows than that go together as long as they have few tokens: large products are faster
EQUAL_NATS = 1e-4  # one number computed in two ways
HARDEST = 0.2  # Shi et al. 2023, arXiv:2310.16789, who found 20 % of the tokens to tell most


@dataclass(frozen=True)
class Prepared:
    """A row as token ids: `ids` end with the token that ends the reply, which begins at `start`."""

    row: Example
    ids: tuple[int, ...]
    start: int


@dataclass(frozen=True)
class Surprise:
    """How surprised a model is by a reply: nats in all, and nats a token over the least likely fifth of its tokens.

    `guesses` are, token by token, the probability of the model's likeliest token and whether that is the true one; empty where the
    engine does not tell.
    """

    nats: float
    hardest: float
    guesses: tuple[tuple[float, bool], ...] = ()


def prepare(row: Example, chat_format: ChatFormat, engine: Engine) -> Prepared:
    """The row rendered as in training, up to the last supervised token."""
    prompt = render(row.prompt, chat_format, engine, reply=True)
    whole = render(row.messages, chat_format, engine, reply=False)
    last = max(place for place, is_supervised in enumerate(whole.supervised) if is_supervised)
    return Prepared(row, whole.ids[:last + 1], len(prompt.ids))


def score_rows(engine: Engine, prepared: Sequence[Prepared], progress: Callable[[int], None]) -> dict[str, Surprise]:
    """The surprise at each row's reply. Rows of similar length go together, the longest first: if memory fails, it fails at once.

    A row that is too long for a service, which counts tokens itself, is left out.
    """
    found: dict[str, Surprise] = {}
    by_length = sorted(prepared, key=lambda one: (-len(one.ids), one.row.id))
    for batch in _together(by_length):
        found.update(_scored(engine, batch))
        progress(len(batch))
    return found


def _together(rows: Sequence[Prepared]) -> list[list[Prepared]]:
    """The rows in their order: at most 16 at once, or more as long as they have few tokens in all."""
    batches: list[list[Prepared]] = []
    tokens = 0
    for one in rows:
        tokens += len(one.ids)
        if not batches or (len(batches[-1]) >= BATCH_ROWS and tokens > SCORED_TOKENS):
            batches.append([])
            tokens = len(one.ids)
        batches[-1].append(one)
    return batches


def _scored(engine: Engine, batch: Sequence[Prepared]) -> dict[str, Surprise]:
    try:
        results = engine.score([one.ids for one in batch], [one.start for one in batch])
    except ContextTooLong:
        return {} if len(batch) == 1 else {row: surprise for one in batch for row, surprise in _scored(engine, [one]).items()}
    found = {}
    for one, scores in zip(batch, results, strict=True):
        if [score.token_id for score in scores] != list(one.ids[one.start:]):
            raise TutelageError(f"{engine.name}: row {one.row.id} was scored on {len(scores)} tokens that are not its "
                                f"{len(one.ids) - one.start} reply tokens. Please report this.")
        found[one.row.id] = surprise_of(scores)
    return found


def surprise_of(scores: Sequence[TokenScore]) -> Surprise:
    """From the scores of at least one token."""
    logprobs = [score.logprob for score in scores]
    count = max(1, int(HARDEST * len(logprobs)))
    guesses = tuple((min(1.0, math.exp(score.highest)), score.logprob >= score.highest - EQUAL_NATS) for score in scores
                    if score.highest is not None)
    return Surprise(nats=-sum(logprobs), hardest=-sum(sorted(logprobs)[:count]) / count, guesses=guesses)
