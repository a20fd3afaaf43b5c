"""Contamination: scored rows that training has seen, or a relative of; and a hint whether the base had read them before."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tutelage.core.records import Example, Score
from tutelage.scores.results import CandidateMeasured, Hint, Relation, RelationScores, RowMeasure
from tutelage.text.leaks import LEAK_SIMILARITY, compared_text, find_leaks
from tutelage.text.similarity import Shingles, resembling, shingle_all

SHOWN = 5
Compared = Callable[[Mapping[str, Sequence[RowMeasure]]], list[Score]]


def leaked(seen: Sequence[Example], scored: Sequence[Example], common: Shingles | None) -> set[str]:
    """Ids of scored rows that a seen row gives away, by the three rules of `text.leaks`.

    `common` are runs that stand in many documents and give nothing away; where they are not known (None), shared runs prove nothing.
    """
    none = np.array([], dtype=np.uint64)
    found = find_leaks(_texts(scored), [row.language for row in scored], _texts(seen), [row.language for row in seen],
                       none if common is None else common)
    return {scored[leak.row].id for leak in found if common is not None or leak.rule != "shares a run"}


def relatives(trained: Sequence[Example], scored: Sequence[Example]) -> set[str]:
    """Ids of scored rows that a training row resembles at J >= 0.5."""
    pairs = resembling(shingle_all(_texts(trained), [row.language for row in trained]),
                       shingle_all(_texts(scored), [row.language for row in scored]), LEAK_SIMILARITY)
    return {scored[pair.right].id for pair in pairs}


def by_relation(rows: Mapping[str, Sequence[RowMeasure]], familiar: set[str], compared: Compared) -> list[RelationScores]:
    """Every figure for familiar and for novel rows apart; empty where all are of one kind, for then the page has these figures anyway."""
    sides: tuple[tuple[Relation, bool], ...] = (("familiar", True), ("novel", False))
    parts = {relation: {name: [row for row in measures if (row.row in familiar) is wanted] for name, measures in rows.items()}
             for relation, wanted in sides}
    counts = {relation: len(next(iter(part.values()))) for relation, part in parts.items()}
    if not all(counts.values()):
        return []
    return [RelationScores(relation=relation, n=counts[relation], scores=tuple(compared(part))) for relation, part in parts.items()]


def hint(base: CandidateMeasured, examples: Mapping[str, Example]) -> Hint | None:
    """Which scored rows surprise the base least, in their least likely fifth of tokens: perhaps it has read them before.

    Source: Shi et al. 2023, arXiv:2310.16789 (Min-K% Prob). Its weakness: set phrases are likely without having been read, and on large
    models it hardly beat a coin (Duan et al. 2024, arXiv:2402.07841).
    """
    found = [(row.row, row.hardest) for row in base.rows if row.hardest is not None and row.row in examples]
    if not found:
        return None
    ordered = sorted(found, key=lambda pair: (pair[1], pair[0]))
    return Hint(n=len(found), median=statistics.median(value for _, value in found), rows=tuple(ordered[:SHOWN]))


def seems_known(base: CandidateMeasured, examples: Mapping[str, Example]) -> set[str]:
    """The half of the rows that surprise the base least in their least likely fifth of tokens; empty where the engine does not tell."""
    found = sorted((row.hardest, row.row) for row in base.rows if row.hardest is not None and row.row in examples)
    return {row for _, row in found[:len(found) // 2]}


def _texts(rows: Sequence[Example]) -> list[str]:
    return [compared_text(row.task, row.messages, row.rejected) for row in rows]
