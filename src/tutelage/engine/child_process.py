"""The process of an engine: opens it, answers calls until nobody listens any more, and ends.

It is started by child_engine.py with the number of an inherited socket. Signals that end a service do not end it: its owner lets the
answers under way end first, then closes the wire. When the owner dies, the wire closes too.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any

from tutelage.core.engine import Engine
from tutelage.engine.child_wire import Call, Opened, Stop, Told

AT_ONCE = 256  # calls at the same time, more than endpoint.parallel allows; a thread is made only when it is needed


class Worker:
    """Answers the calls of one engine, each in a thread of its own."""

    def __init__(self, wire: Connection, engine: Engine) -> None:
        self._wire = wire
        self._engine = engine
        self._sending = threading.Lock()
        self._stops: dict[int, threading.Event] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="call")

    def work(self) -> None:
        """Take calls until the wire closes."""
        while True:
            try:
                asked: Call | Stop = self._wire.recv()
            except (EOFError, OSError):
                return
            if isinstance(asked, Call):
                self._stops[asked.number] = threading.Event()
                self._pool.submit(self._answer, asked)
            elif stop := self._stops.get(asked.number):
                stop.set()

    def _answer(self, call: Call) -> None:
        try:
            found = getattr(self._engine, call.method)(*call.arguments, **call.named)
            if isinstance(found, Generator):
                self._tell(Told(call.number, "stream"))
                self._pass_on(call.number, found)
            else:
                self._tell(Told(call.number, "result", found))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the caller gets it
            self._tell(Told(call.number, "error", _portable(error)))
        finally:
            del self._stops[call.number]

    def _pass_on(self, number: int, pieces: Generator[Any, None, None]) -> None:
        """Tell each piece as it comes. A stop counts from the next piece on; what was not asked for any more is not made."""
        try:
            for piece in pieces:
                if self._stops[number].is_set():
                    break
                self._tell(Told(number, "piece", piece))
        finally:
            pieces.close()
        self._tell(Told(number, "end"))

    def _tell(self, told: Told) -> None:
        data = pickle.dumps(told)
        with self._sending:
            self._wire.send_bytes(data)


def _portable(error: BaseException) -> BaseException:
    """The error itself if it survives the way, else one with its text."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - it may fail in any way; its text goes on
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def main(handle: int) -> None:
    """Open the engine that the wire asks for, and work."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)
    wire = Connection(handle)
    try:
        sys.path[:] = wire.recv()
        engine: Engine = wire.recv()()
    except (EOFError, OSError):
        os._exit(0)
    except BaseException as error:  # noqa: BLE001 - whoever waits for the engine gets it
        wire.send(Told(0, "error", _portable(error)))
        os._exit(1)
    kind = type(engine)
    wire.send(Opened(engine.name, kind.__name__, engine.context_length,
                     tuple(name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name)))))
    Worker(wire, engine).work()
    os._exit(0)  # threads of the engine may still wait for work that nobody wants


if __name__ == "__main__":
    main(int(sys.argv[1]))
