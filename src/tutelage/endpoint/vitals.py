"""How the engines of the served models fare, as Prometheus reads it: ready, restarts, memory, and each address of those elsewhere."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tutelage.endpoint.budget import MemoryBudget
from tutelage.endpoint.meter import one_metric
from tutelage.endpoint.serving import Served
from tutelage.endpoint.shared_base import AdapterView
from tutelage.engine.child_engine import ChildEngine, Restarts
from tutelage.engine.pooled_engine import PooledEngine

PROCESSES = Path("/proc")


def vitals(models: Sequence[Served], budget: MemoryBudget | None) -> list[str]:
    """The lines of all served models, and of the memory that they may take together where it is bounded here."""
    labelled = [({"model_name": served.name}, served) for served in models]
    lines = [*one_metric("tutelage:engine_ready", "gauge", [(labels, int(served.is_ready)) for labels, served in labelled]),
             *one_metric("tutelage:engine_restarts_total", "counter",
                         [(labels, served.engine.restarts()) for labels, served in labelled if isinstance(served.engine, Restarts)]),
             *one_metric("tutelage:engine_resident_bytes", "gauge",
                         [(labels, size) for labels, served in labelled if (size := _resident(served)) is not None])]
    if budget is not None:
        lines += one_metric("tutelage:memory_taken_bytes", "gauge", [({}, budget.taken)])
        lines += one_metric("tutelage:memory_budget_bytes", "gauge", [({}, budget.total)] if budget.total is not None else [])
    return lines + _addresses(models)


def _resident(served: Served) -> int | None:
    """Bytes in main memory of the process that holds the model; None where it has none of its own, or the system does not tell it."""
    pid = served.engine.pid if isinstance(served.engine, ChildEngine | AdapterView) else None
    try:
        pages = (PROCESSES / str(pid) / "statm").read_text("ascii").split()[1] if pid else None
    except OSError:
        return None
    return int(pages) * os.sysconf("SC_PAGE_SIZE") if pages else None


def _addresses(models: Sequence[Served]) -> list[str]:
    states = [({"model_name": served.name, "address": state.address}, state)
              for served in models if isinstance(served.engine, PooledEngine) for state in served.engine.addresses()]
    if not states:
        return []
    return [*one_metric("tutelage:address_up", "gauge", [(labels, int(state.is_up)) for labels, state in states]),
            *one_metric("tutelage:address_outstanding", "gauge", [(labels, state.outstanding) for labels, state in states]),
            *one_metric("tutelage:address_requests_total", "counter", [(labels, state.requests) for labels, state in states]),
            *one_metric("tutelage:address_failures_total", "counter", [(labels, state.failures) for labels, state in states])]
