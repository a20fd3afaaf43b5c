"""Where a copy is better and where it is not: the paired difference in bits per byte by clause type, language and length."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from tutelage.core.records import Example
from tutelage.scores import statistics
from tutelage.scores.plot_results import HeatRow
from tutelage.scores.results import RowMeasure, Slice, SliceKind
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import documents_to_decide
from tutelage.scores.tables import RatioTable

KINDS: tuple[SliceKind, ...] = ("relative", "base", "language", "length", "clause_type")
# Bounds of short, middle and long clauses, in bytes.
LENGTHS = {"short": (0, 300), "middle": (300, 600), "long": (600, math.inf)}


def slices(candidate: Sequence[RowMeasure], base: Sequence[RowMeasure], examples: Mapping[str, Example], familiar: set[str],
           settings: ScoresSettings, *, known: set[str] | None = None) -> list[Slice]:
    """All slices, by kind and then by number of rows. `familiar` are rows that resemble what was trained on, `known` those that the base
    may have read before; None where that is not told.
    """
    before = {row.row: row for row in base if row.nats is not None}
    groups = _grouped([row for row in candidate if row.nats is not None and row.row in before], examples, familiar, known)
    found = [_slice(kind, name, rows, before, settings) for (kind, name), rows in groups.items()]
    able = [one for one in found if one.documents >= documents_to_decide(settings.alpha)]
    held = statistics.benjamini_hochberg({f"{one.kind} {one.name}": one.p_value for one in able}, settings.alpha)
    marked = [one.model_copy(update={"holds": held.get(f"{one.kind} {one.name}")}) for one in found]
    return sorted(marked, key=lambda one: (KINDS.index(one.kind), -one.n, one.name))


def heat(rows: Mapping[str, Sequence[RowMeasure]], examples: Mapping[str, Example], familiar: set[str], *,
         known: set[str] | None = None) -> list[HeatRow]:
    """Bits per byte of every candidate by slice, over the rows that any of them scored, in the order of `slices`."""
    scored = {name: {row.row: row for row in measures if row.nats is not None} for name, measures in rows.items()}
    widest = max(scored.values(), key=len, default={})
    found = []
    for (kind, name), group in _grouped(list(widest.values()), examples, familiar, known).items():
        ids = [row.row for row in group]
        values = {candidate: _ratio([by_row[row] for row in ids]) for candidate, by_row in scored.items() if by_row.keys() >= set(ids)}
        found.append(HeatRow(kind=kind, name=name, n=len(ids), documents=len({row.document_id for row in group}), bits_per_byte=values))
    return sorted(found, key=lambda one: ([str(kind) for kind in KINDS].index(one.kind), -one.n, one.name))


def _grouped(rows: Sequence[RowMeasure], examples: Mapping[str, Example], familiar: set[str],
             known: set[str] | None) -> dict[tuple[SliceKind, str], list[RowMeasure]]:
    groups: dict[tuple[SliceKind, str], list[RowMeasure]] = defaultdict(list)
    for row in rows:
        for key in _keys(row, examples[row.row], familiar, known):
            groups[key].append(row)
    return groups


def _ratio(rows: Sequence[RowMeasure]) -> float:
    pairs = [_bits(row) for row in rows]
    return sum(bits for bits, _ in pairs) / sum(size for _, size in pairs)


def _keys(row: RowMeasure, example: Example, familiar: set[str], known: set[str] | None) -> Iterator[tuple[SliceKind, str]]:
    yield "relative", "familiar" if row.row in familiar else "novel"
    if known is not None:
        yield "base", "seems_known" if row.row in known else "seems_new"
    yield "language", example.language
    yield "length", next(name for name, (low, high) in LENGTHS.items() if low <= row.size_bytes < high)
    yield "clause_type", row.clause_type


def _slice(kind: SliceKind, name: str, rows: Sequence[RowMeasure], before: Mapping[str, RowMeasure], settings: ScoresSettings) -> Slice:
    documents = [row.document_id for row in rows]
    columns = {"candidate": [_bits(row) for row in rows], "base": [_bits(before[row.row]) for row in rows]}
    table = RatioTable(documents, columns, settings, is_exp=False)
    interval = statistics.percentile_interval(table.resampled("candidate") - table.resampled("base"), settings.alpha)
    return Slice(kind=kind, name=name, n=table.n, documents=table.documents, difference=table.value("candidate") - table.value("base"),
                 low=interval.low, high=interval.high, p_value=table.p_value("candidate", "base"), holds=None)


def _bits(row: RowMeasure) -> tuple[float, float]:
    return (row.nats or 0.0) / math.log(2), float(row.size_bytes)
