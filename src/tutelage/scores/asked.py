"""Rows as token ids, as training renders them, and how surprised an engine is by their replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tutelage.core.chat import ChatFormat, render
from tutelage.core.engine import Engine
from tutelage.core.errors import TutelageError
from tutelage.core.records import Example

BATCH_ROWS = 16


@dataclass(frozen=True)
class Prepared:
    """A row as token ids: `ids` end with the token that ends the reply, which begins at `start`."""

    row: Example
    ids: tuple[int, ...]
    start: int


def prepare(row: Example, chat_format: ChatFormat, engine: Engine) -> Prepared:
    """The row rendered as in training, up to the last supervised token."""
    prompt = render(row.prompt, chat_format, engine, reply=True)
    whole = render(row.messages, chat_format, engine, reply=False)
    last = max(place for place, is_supervised in enumerate(whole.supervised) if is_supervised)
    return Prepared(row, whole.ids[:last + 1], len(prompt.ids))


def score_rows(engine: Engine, prepared: Sequence[Prepared], progress: Callable[[int], None]) -> dict[str, float]:
    """Nats of each row's reply. Rows of similar length go together, the longest first: if memory fails, it fails at once."""
    nats: dict[str, float] = {}
    by_length = sorted(prepared, key=lambda one: (-len(one.ids), one.row.id))
    for begin in range(0, len(by_length), BATCH_ROWS):
        batch = by_length[begin:begin + BATCH_ROWS]
        results = engine.score([one.ids for one in batch], [one.start for one in batch])
        for one, scores in zip(batch, results, strict=True):
            if [score.token_id for score in scores] != list(one.ids[one.start:]):
                raise TutelageError(f"{engine.name}: row {one.row.id} was scored on {len(scores)} tokens that are not its "
                                    f"{len(one.ids) - one.start} reply tokens. Please report this.")
            nats[one.row.id] = -sum(score.logprob for score in scores)
        progress(len(batch))
    return nats
