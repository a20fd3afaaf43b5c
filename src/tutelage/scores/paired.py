"""The difference of two candidates over the same rows: what every comparison of the scores holds."""

from __future__ import annotations

from tutelage.core.records import Record


class PairedDifference(Record):
    """A metric of `candidate` minus that of `versus` over the same rows, with the paired interval and test."""

    candidate: str
    versus: str
    metric: str
    n: int
    documents: int
    difference: float
    low: float
    high: float
    p_value: float
