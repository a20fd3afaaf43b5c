"""On how many rows a candidate is better than the base, on how many equal, on how many worse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tutelage.scores.compare import row_value
from tutelage.scores.metrics import METRICS
from tutelage.scores.plot_results import Wins
from tutelage.scores.results import RowMeasure

EQUAL = 1e-9  # what rounding alone makes


def wins(rows: Mapping[str, Sequence[RowMeasure]], *, base: str) -> list[Wins]:
    """By metric and candidate, over the rows that both have; metrics without a good direction and those of all rows together have none."""
    found = []
    for metric in METRICS:
        if not metric.good or metric.kind in ("corpus", "exp"):
            continue
        sign = -1 if metric.good == "low" else 1
        for candidate in rows:
            if candidate == base:
                continue
            pairs = [(row_value(metric.name, one), row_value(metric.name, other)) for one, other in
                     zip(rows[candidate], rows[base], strict=True)]
            gains = [sign * (one[0] / one[1] - other[0] / other[1]) for one, other in pairs if one and other]
            if gains:
                won, lost = sum(gain > EQUAL for gain in gains), sum(gain < -EQUAL for gain in gains)
                found.append(Wins(metric=metric.name, candidate=candidate, versus=base, n=len(gains), wins=won,
                                  ties=len(gains) - won - lost, losses=lost))
    return found
