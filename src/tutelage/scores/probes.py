"""What a model gives away of its training rows: how surprised it is by them, and whether it goes on with them word for word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rapidfuzz.distance import Levenshtein

from tutelage.core.engine import Engine
from tutelage.core.records import Sampling
from tutelage.scores.asked import BATCH_ROWS, Prepared, Surprise, score_rows
from tutelage.scores.results import Probe, ProbePart

# Tokens given, and as many compared. Source: Carlini et al. 2023, arXiv:2202.07646, who prompt with 50 tokens and look at the next 50.
SHORT, LONG = 25, 50


@dataclass(frozen=True)
class Probed:
    """Rows to probe with: training rows beside held-out ones, how many of each are to be continued, and after how many tokens."""

    train: Sequence[Prepared]
    held_out: Sequence[Prepared]
    continued: int
    tokens: tuple[int, ...] = (SHORT,)


def probe(engine: Engine, end: int, asked: Probed, known: Mapping[str, Surprise], progress: Callable[[int], None]) -> tuple[Probe, ...]:
    """Nats of each row's reply (`known` has those of the held-out rows), and what greedy decoding makes of its beginning.

    `progress` hears how many training rows were done since the last call.
    """
    surprises = {**known, **score_rows(engine, asked.train, progress)}
    found: list[Probe] = []
    parts: tuple[tuple[ProbePart, Sequence[Prepared]], ...] = (("train", asked.train), ("held_out", asked.held_out))
    for part, prepared in parts:
        similar = {tokens: _continued(engine, end, prepared[:asked.continued], tokens) for tokens in asked.tokens}
        found += [Probe(row=one.row.id, part=part, document_id=one.row.document_id or one.row.id, nats=surprises[one.row.id].nats,
                        size_bytes=len(one.row.text.encode("utf-8")),
                        similarity={tokens: by_row[one.row.id] for tokens, by_row in similar.items() if one.row.id in by_row})
                  for one in prepared]
    return tuple(found)


def _continued(engine: Engine, end: int, prepared: Sequence[Prepared], tokens: int) -> dict[str, float]:
    """Likeness of the model's next `tokens` tokens and the true ones, 0..1, by row; 1 is word for word."""
    long = [one for one in prepared if len(one.ids) - one.start > 2 * tokens]
    sampling = Sampling(max_tokens=tokens)
    similar: dict[str, float] = {}
    for begin in range(0, len(long), BATCH_ROWS):
        batch = long[begin:begin + BATCH_ROWS]
        answers = engine.generate([one.ids[:one.start + tokens] for one in batch], sampling, end_ids=(end,))
        for one, answer in zip(batch, answers, strict=True):
            place = one.start + tokens
            similar[one.row.id] = float(Levenshtein.normalized_similarity(one.ids[place:place + tokens], answer.token_ids))
    return similar
