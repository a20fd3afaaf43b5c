"""The memory that served models may take together: fixed at the start, and asked before anything is loaded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from tutelage.core.errors import InputError
from tutelage.core.memory import resident_mb, room_mb
from tutelage.endpoint.settings import LEAST_CONTEXT, EndpointSettings
from tutelage.engine.gguf_file import read_head
from tutelage.engine.gguf_memory import MemoryNeed, largest_context, memory_need

GB = 1e9
SHARE_OF_FREE = 0.8  # the rest is for the service itself and what else runs
SCORERS = 1  # rows scored at once for log-probabilities


def free_share() -> int | None:
    """The budget where none is set: a share of what is free now, in bytes. None where the system does not tell it."""
    room = room_mb()
    return None if room is None else int(SHARE_OF_FREE * (room - resident_mb()) * 1e6)


class MemoryBudget:
    """Holds `total` bytes for engines; None for as many as they like. Safe with threads."""

    def __init__(self, settings: EndpointSettings) -> None:
        self._settings = settings
        self.total = free_share() if settings.memory_gb is None else int(settings.memory_gb * GB)
        self._taken: dict[int, int] = {}
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Bytes that engines hold now, as reckoned."""
        with self._lock:
            return sum(self._taken.values())

    def take(self, path: Path, adapters: Sequence[Path] = ()) -> Callable[[], None]:
        """Take what a file needs, with the adapters on it; what is given back gives it back.

        Raises InputError, with what to lower, if it does not fit.
        """
        head, size = read_head(path), sum(adapter.stat().st_size for adapter in adapters)
        need = memory_need(head, context_length=self._settings.context_length, parallel=self._settings.parallel, scorers=SCORERS,
                           adapters=size)
        with self._lock:
            left = None if self.total is None else self.total - sum(self._taken.values())
            if left is not None and need.total > left:
                fits = largest_context(head, left, parallel=self._settings.parallel, scorers=SCORERS, least=LEAST_CONTEXT, adapters=size)
                raise InputError(self._refusal(path, need, left, fits))
            number = max(self._taken, default=0) + 1
            self._taken[number] = need.total

        def give_back() -> None:
            with self._lock:
                self._taken.pop(number, None)

        return give_back

    def _refusal(self, path: Path, need: MemoryNeed, left: int, fits: int) -> str:
        settings, total = self._settings, self.total or 0
        parts = (f"weights {_gb(need.weights)}, keys and values {_gb(need.keys_and_values)} ({settings.parallel} x "
                 f"{settings.context_length} tokens), scoring {_gb(need.scoring)}, work {_gb(need.work)}")
        held = f", of which the model that answers now holds {_gb(total - left)}" if left < total else ""
        if fits:
            advice = f"Lower endpoint.context_length from {settings.context_length} to at most {fits}"
        elif settings.parallel > 1:
            advice = f"Lower endpoint.parallel from {settings.parallel}, and endpoint.context_length"
        else:
            advice = "Take a smaller model or copy"
        later = ", or stop the service and start it again: then one model needs to fit" if left < total else ""
        return (f"{path}: serving it needs {_gb(need.total)} GB of memory ({parts}); the budget is {_gb(total)} GB{held}. "
                f"{advice}, or raise endpoint.memory_gb{later}.")


def _gb(size: float) -> str:
    return f"{size / GB:.2f}"
