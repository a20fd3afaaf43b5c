"""What happened to each row of a stage, with reason and cause; and the check that none was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from tutelage.core.errors import BalanceError
from tutelage.core.records import Record

What = Literal["kept", "edited", "dropped", "merged", "split", "masked"]
FINAL: tuple[What, ...] = ("kept", "dropped", "merged", "split")


class Fate(Record):
    """One thing that happened to one row.

    `cause` is the row that caused it (the twin that was kept, the held-out row that was resembled), `became` the rows
    that it turned into (split, merged). "edited" and "masked" come in addition to a final fate, `detail` says what.
    """

    row: str
    what: What
    reason: str
    cause: str = ""
    became: tuple[str, ...] = ()
    name: str = ""
    detail: str = ""


class Ledger:
    """The fates of all rows of one stage. Each row that came in gets exactly one of kept, dropped, merged or split."""

    def __init__(self) -> None:
        self.fates: list[Fate] = []
        self._final: dict[str, str] = {}
        self._rows_in: set[str] = set()

    def rows_in(self, rows: Iterable[str]) -> None:
        """Announce the ids of rows that entered the stage."""
        for row in rows:
            if row in self._rows_in:
                raise BalanceError(f"row {row} entered the stage twice; ids of rows must differ. Please report this.")
            self._rows_in.add(row)

    def record(self, fate: Fate) -> None:
        """Add a fate. Raises BalanceError for a row that never came in or already has its final fate."""
        if fate.row not in self._rows_in:
            raise BalanceError(f"row {fate.row} was {fate.what} but never entered the stage. Please report this.")
        if fate.what in FINAL:
            if fate.row in self._final:
                raise BalanceError(f"row {fate.row} was {fate.what} after it was {self._final[fate.row]}. Please report this.")
            self._final[fate.row] = fate.what
        self.fates.append(fate)

    def counts(self) -> dict[str, int]:
        """Rows by fate, and `in`."""
        tally = Counter(fate.what for fate in self.fates)
        return {"in": len(self._rows_in), **{what: tally[what] for what in sorted(tally)}}

    def reasons(self, what: What) -> dict[str, int]:
        """How many rows met `what`, by reason, most frequent first."""
        return dict(Counter(fate.reason for fate in self.fates if fate.what == what).most_common())

    def check_balance(self) -> None:
        """Raise BalanceError unless rows in = kept + dropped + merged + split."""
        lost = sorted(self._rows_in - set(self._final))
        if lost:
            raise BalanceError(f"{len(lost)} of {len(self._rows_in)} rows have no fate, first: {', '.join(lost[:5])}. "
                               "Rows in must equal kept + dropped + merged + split. Please report this.")
