"""Row history and its balance."""

import pytest

from tutelage.core.errors import BalanceError
from tutelage.core.history import Fate, Ledger


def test_counts_add_up_when_every_row_has_its_fate():
    ledger = Ledger()
    ledger.rows_in(["a", "b", "c"])
    ledger.record(Fate(row="a", what="masked", reason="e-mail"))
    ledger.record(Fate(row="a", what="kept", reason="train"))
    ledger.record(Fate(row="b", what="dropped", reason="near duplicate", cause="a"))
    ledger.record(Fate(row="c", what="split", reason="clauses", became=("d", "e")))
    ledger.check_balance()
    assert ledger.counts() == {"in": 3, "dropped": 1, "kept": 1, "masked": 1, "split": 1}
    assert ledger.reasons("dropped") == {"near duplicate": 1}


def test_a_row_without_a_fate_fails_the_stage():
    ledger = Ledger()
    ledger.rows_in(["a", "b"])
    ledger.record(Fate(row="a", what="kept", reason="train"))
    with pytest.raises(BalanceError, match="1 of 2 rows have no fate, first: b"):
        ledger.check_balance()


def test_an_edit_is_no_final_fate():
    ledger = Ledger()
    ledger.rows_in(["a"])
    ledger.record(Fate(row="a", what="edited", reason="tidy"))
    with pytest.raises(BalanceError, match="first: a"):
        ledger.check_balance()


def test_a_row_cannot_have_two_final_fates():
    ledger = Ledger()
    ledger.rows_in(["a"])
    ledger.record(Fate(row="a", what="kept", reason="train"))
    with pytest.raises(BalanceError, match="row a was dropped after it was kept"):
        ledger.record(Fate(row="a", what="dropped", reason="leak"))


def test_a_row_that_never_came_in_is_refused():
    with pytest.raises(BalanceError, match="row x was kept but never entered"):
        Ledger().record(Fate(row="x", what="kept", reason="train"))


def test_a_row_that_comes_in_twice_is_refused():
    ledger = Ledger()
    ledger.rows_in(["a"])
    with pytest.raises(BalanceError, match="row a entered the stage twice"):
        ledger.rows_in(["a"])


def test_fates_of_many_rows_are_kept_on_the_disk_and_read_again_while_more_are_recorded():
    ledger = Ledger()
    rows = [f"{number:012x}" for number in range(120_000)]
    ledger.rows_in(rows)
    for row in rows[:-1]:
        ledger.record(Fate(row=row, what="kept", reason="fit", detail="x" * 120))
    first = next(ledger.fates)
    ledger.record(Fate(row=rows[-1], what="dropped", reason="too short"))
    ledger.check_balance()
    assert first.row == rows[0]
    assert sum(1 for _ in ledger.fates) == 120_000
    assert [fate.row for fate in ledger.fates if fate.what == "dropped"] == [rows[-1]]
    assert ledger.reasons("dropped") == {"too short": 1}
