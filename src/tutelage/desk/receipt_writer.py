"""Writes receipts in batches beside the answers: one commit for all that came within 50 ms."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from tutelage.core.errors import ServiceUnavailable, TutelageError
from tutelage.desk.receipts import Receipt

BATCH_SECONDS = 0.05
RETRY_SECONDS = 1.0
MOST_WAITING = 10_000


class ReceiptWriter:
    """Takes receipts at once and hands them to `write` in batches; safe with threads.

    A batch that cannot be written waits and is tried again. `check` refuses further answers while too many wait, so that none goes
    out without a receipt. A killed process loses the batch that was not committed, never a part of one.
    """

    def __init__(self, write: Callable[[Sequence[Receipt]], None], *, seconds: float = BATCH_SECONDS, retry: float = RETRY_SECONDS,
                 most_waiting: int = MOST_WAITING) -> None:
        self._write = write
        self._seconds, self._retry, self._most = seconds, retry, most_waiting
        self._waiting: list[Receipt] = []
        self._failure = ""
        self._is_closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="receipts", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raise ServiceUnavailable if so many receipts wait that no further answer may be given."""
        if len(self._waiting) >= self._most:
            raise ServiceUnavailable(f"{len(self._waiting)} receipts could not be written to the desk ({self._failure or 'it is busy'}), "
                                     "and no answer goes out without one. Free the database, or serve with `endpoint.receipts: off`.")

    def put(self, receipt: Receipt) -> None:
        """Take a receipt; it is written within the batch time."""
        with self._changed:
            self._waiting.append(receipt)
            self._changed.notify_all()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was put is written; False if that takes longer than `seconds`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._waiting, timeout=seconds)

    def close(self) -> None:
        """Write what waits, once more if need be, and stop."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._is_closing)
                if not self._waiting:
                    return
                is_last = self._is_closing
            if not is_last:
                time.sleep(self._seconds)
            if not self._write_batch() and is_last:
                return

    def _write_batch(self) -> bool:
        batch = tuple(self._waiting)
        try:
            self._write(batch)
        except TutelageError as error:
            self._failure = str(error)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closing, timeout=self._retry)
            return False
        with self._changed:
            del self._waiting[:len(batch)]
            self._failure = ""
            self._changed.notify_all()
        return True
