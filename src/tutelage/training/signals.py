"""Stopping on request: SIGTERM and SIGINT are noted while a training runs, and act as before afterwards."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class StopRequests:
    """Context in which the first SIGTERM or SIGINT is noted in `asked`; a second one acts as it did before.

    Outside the main thread Python cannot take signals, and nothing changes.
    """

    def __init__(self) -> None:
        self.asked = ""
        self._before: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.asked = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
