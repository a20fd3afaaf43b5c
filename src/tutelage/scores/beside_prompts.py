"""The best instruction for the base, chosen on validation rows: held-out rows choose nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from tutelage.core.records import Example
from tutelage.prompts.instructed import INSTRUCTIONS, Instruction, instructed
from tutelage.scores import statistics
from tutelage.scores.asked import prepare, score_rows
from tutelage.scores.beside_results import PromptTried
from tutelage.scores.measure import Candidate, choose_rows
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.tables import RatioTable

PLAIN = "plain"
ROWS = 32  # four prompts cost 128 rows: less than the held-out rows themselves


def with_instruction(row: Example, instruction: Instruction) -> Example:
    """The row with the instruction before it."""
    return row.model_copy(update={"messages": (*instructed(row.prompt, instruction, row.language), row.messages[-1])})


def choose_prompt(base: Candidate, validation: Sequence[Example], settings: ScoresSettings) -> list[PromptTried]:
    """The prompt of training and every instruction, each by its bits per byte on the validation rows that fit all of them; the best
    instruction is chosen. Empty where there is no such row, or the engine gives no log-probabilities.
    """
    rows = choose_rows([row for row in validation if row.text], ROWS, settings.seed)
    asked: dict[str, Sequence[Example]] = {PLAIN: rows}
    asked |= {name: [with_instruction(row, name) for row in rows] for name in INSTRUCTIONS}
    engine = base.open()
    try:
        prepared = {name: [prepare(row, base.chat_format, engine) for row in variants] for name, variants in asked.items()}
        fits = [place for place in range(len(rows)) if all(len(one[place].ids) <= engine.context_length for one in prepared.values())]
        nats = {name: {row: found.nats for row, found in score_rows(engine, [one[place] for place in fits], lambda count: None).items()}
                for name, one in prepared.items()}
    finally:
        engine.close()
    return _compared([rows[place] for place in fits], nats, settings)


def _compared(rows: Sequence[Example], nats: Mapping[str, Mapping[str, float]], settings: ScoresSettings) -> list[PromptTried]:
    scored = [row for row in rows if all(row.id in found for found in nats.values())]
    if not scored:
        return []
    columns = {name: [(found[row.id] / math.log(2), float(len(row.text.encode("utf-8")))) for row in scored]
               for name, found in nats.items()}
    table = RatioTable([row.document_id or row.id for row in scored], columns, settings, is_exp=False)
    best = min(INSTRUCTIONS, key=lambda name: (table.value(name), name))
    tried = []
    for name in nats:
        interval = statistics.percentile_interval(table.resampled(name), settings.alpha)
        tried.append(PromptTried(prompt=name, n=len(scored), value=table.value(name), low=interval.low, high=interval.high,
                                 is_chosen=name == best))
    return tried
