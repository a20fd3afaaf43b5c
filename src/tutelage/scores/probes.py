"""What a model gives away of its training rows: how surprised it is by them, and whether it goes on with them word for word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rapidfuzz.distance import Levenshtein

from tutelage.core.engine import Engine
from tutelage.core.records import Sampling
from tutelage.scores.asked import BATCH_ROWS, Prepared, score_rows
from tutelage.scores.results import Probe, ProbePart

# Source: Carlini et al. 2023, arXiv:2202.07646, who prompt with the first 50 tokens and look at the next 50.
PREFIX_TOKENS = 25
CONTINUED_TOKENS = 25


def probe(engine: Engine, end: int, train: Sequence[Prepared], held_out: Sequence[Prepared], known: Mapping[str, float],
          progress: Callable[[int], None]) -> tuple[Probe, ...]:
    """Nats of each row's reply (`known` has those of `held_out`), and what greedy decoding makes of its first 25 tokens.

    `progress` hears how many training rows were done since the last call.
    """
    nats = {**known, **score_rows(engine, train, progress)}
    found: list[Probe] = []
    parts: tuple[tuple[ProbePart, Sequence[Prepared]], ...] = (("train", train), ("held_out", held_out))
    for part, prepared in parts:
        similar = _continued(engine, end, prepared)
        found += [Probe(row=one.row.id, part=part, document_id=one.row.document_id or one.row.id, nats=nats[one.row.id],
                        size_bytes=len(one.row.text.encode("utf-8")), similarity=similar.get(one.row.id)) for one in prepared]
    return tuple(found)


def _continued(engine: Engine, end: int, prepared: Sequence[Prepared]) -> dict[str, float]:
    """Likeness of the model's next 25 tokens and the true ones, 0..1, by row; 1 is word for word."""
    long = [one for one in prepared if len(one.ids) - one.start > PREFIX_TOKENS + CONTINUED_TOKENS]
    sampling = Sampling(max_tokens=CONTINUED_TOKENS)
    similar: dict[str, float] = {}
    for begin in range(0, len(long), BATCH_ROWS):
        batch = long[begin:begin + BATCH_ROWS]
        answers = engine.generate([one.ids[:one.start + PREFIX_TOKENS] for one in batch], sampling, end_ids=(end,))
        for one, answer in zip(batch, answers, strict=True):
            place = one.start + PREFIX_TOKENS
            true = one.ids[place:place + CONTINUED_TOKENS]
            similar[one.row.id] = float(Levenshtein.normalized_similarity(true, answer.token_ids))
    return similar
