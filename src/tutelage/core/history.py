"""What happened to each row of a stage, with reason and cause; and the check that none was lost."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from tempfile import SpooledTemporaryFile
from typing import Literal

from pydantic import Field

from tutelage.core.errors import BalanceError
from tutelage.core.files import row_line
from tutelage.core.records import Record

What = Literal["kept", "edited", "dropped", "merged", "split", "masked"]
FINAL: tuple[What, ...] = ("kept", "dropped", "merged", "split")
SPOOLED_BYTES = 16 * 2**20
READ_BYTES = 2**20


class Fate(Record):
    """One thing that happened to one row.

    `cause` is the row that caused it (the twin that was kept, the held-out row that was resembled), `became` the rows
    that it turned into (split, merged). "edited" and "masked" come in addition to a final fate, `detail` says what, and what to do.
    `field` is the field of the row that was wrong and `expected` what should stand there; both are left out where that is not so.
    """

    row: str
    what: What
    reason: str
    cause: str = ""
    became: tuple[str, ...] = ()
    name: str = ""
    detail: str = ""
    field: str = Field(default="", exclude_if=lambda value: value == "")
    expected: str = Field(default="", exclude_if=lambda value: value == "")


class Ledger:
    """The fates of all rows of one stage. Each row that came in gets exactly one of kept, dropped, merged or split.

    Fates go to a temporary file once they are many, so that a stage of a million rows stays small in memory.
    """

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(max_size=SPOOLED_BYTES, mode="w+b")  # noqa: SIM115 (lives as long as the ledger)
        self._final: dict[str, What | None] = {}
        self._open = 0
        self._tally: Counter[What] = Counter()
        self._reasons: Counter[tuple[What, str]] = Counter()

    @property
    def fates(self) -> Iterator[Fate]:
        """All fates, in the order in which they were recorded."""
        at = 0
        while True:
            self._file.seek(at)
            lines = self._file.readlines(READ_BYTES)
            at = self._file.tell()
            if not lines:
                self._file.seek(0, os.SEEK_END)
                return
            yield from map(Fate.model_validate_json, lines)

    def rows_in(self, rows: Iterable[str]) -> None:
        """Announce the ids of rows that entered the stage."""
        for row in rows:
            if row in self._final:
                raise BalanceError(f"row {row} entered the stage twice; ids of rows must differ. Please report this.")
            self._final[row] = None
            self._open += 1

    def record(self, fate: Fate) -> None:
        """Add a fate. Raises BalanceError for a row that never came in or already has its final fate."""
        if fate.row not in self._final:
            raise BalanceError(f"row {fate.row} was {fate.what} but never entered the stage. Please report this.")
        if fate.what in FINAL:
            if self._final[fate.row] is not None:
                raise BalanceError(f"row {fate.row} was {fate.what} after it was {self._final[fate.row]}. Please report this.")
            self._final[fate.row] = fate.what
            self._open -= 1
        self._tally[fate.what] += 1
        self._reasons[fate.what, fate.reason] += 1
        self._file.seek(0, os.SEEK_END)
        self._file.write(row_line(fate))

    def counts(self) -> dict[str, int]:
        """Rows by fate, and `in`."""
        return {"in": len(self._final), **{what: self._tally[what] for what in sorted(self._tally)}}

    def reasons(self, what: What) -> dict[str, int]:
        """How many rows met `what`, by reason, most frequent first."""
        return {reason: count for (met, reason), count in self._reasons.most_common() if met == what}

    def check_balance(self) -> None:
        """Raise BalanceError unless rows in = kept + dropped + merged + split."""
        if self._open:
            lost = sorted(row for row, what in self._final.items() if what is None)
            raise BalanceError(f"{len(lost)} of {len(self._final)} rows have no fate, first: {', '.join(lost[:5])}. "
                               "Rows in must equal kept + dropped + merged + split. Please report this.")
