"""Receipts: chained, signed, never half written; and what shows when somebody writes past the desk."""

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from receipt_rows import KEY, receipt

from tutelage.core.errors import ServiceUnavailable
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import ChainBroken, DeskError, NotFound
from tutelage.desk.receipt_writer import ReceiptWriter
from tutelage.desk.receipts import ReceiptKey, open_key, verify


@pytest.fixture
def kept(desk: Desk) -> Desk:
    desk.receipts.add([receipt("a"), receipt("b")], KEY)
    desk.receipts.add([receipt("c")], KEY)
    return desk


def test_a_receipt_comes_back_whole_and_verifies_after_it_was_exported(kept: Desk) -> None:
    exported = json.loads(json.dumps(kept.receipts.exported("b")))
    found = verify(exported, KEY)
    assert found.receipt == receipt("b")
    assert found.previous == kept.receipts.exported("a")["hash"]
    assert kept.receipts.check(KEY) == 3


@pytest.mark.parametrize("change", [{"prompt_tokens": 8}, {"model": "other"}, {"key": ""}, {"gate": {"is_open": True}}, {"extra": 1}])
def test_an_exported_receipt_that_was_changed_does_not_verify(kept: Desk, change: dict[str, object]) -> None:
    exported = kept.receipts.exported("b")
    exported["receipt"] = {**exported["receipt"], **change}
    with pytest.raises(ChainBroken, match="receipt b: was changed after it was signed"):
        verify(exported, KEY)


@pytest.mark.parametrize("field, value", [("number", 3), ("previous", ""), ("hash", "0" * 64), ("signature", "0" * 64)])
def test_its_place_and_its_signature_cannot_be_changed_either(kept: Desk, field: str, value: object) -> None:
    with pytest.raises(ChainBroken, match="was changed after it was signed"):
        verify({**kept.receipts.exported("b"), field: value}, KEY)


def test_another_desk_cannot_verify_it_and_says_so(kept: Desk) -> None:
    other = ReceiptKey(b"o" * 32)
    with pytest.raises(ChainBroken, match=f"was signed by the key {KEY.id}, and this desk has the key {other.id}"):
        verify(kept.receipts.exported("b"), other)


@pytest.mark.parametrize("exported", [{}, {"receipt": 1}, {"id": "x", "object": "chat.completion"}])
def test_what_is_no_receipt_is_told(exported: dict[str, object]) -> None:
    with pytest.raises(DeskError, match="this is not an exported receipt; one is a JSON object with the fields receipt, number"):
        verify(exported, KEY)


def test_an_unknown_receipt_is_told_with_where_the_id_stands(kept: Desk) -> None:
    with pytest.raises(NotFound, match=r"there is no receipt 'x'\. The id stands in the answer"):
        kept.receipts.exported("x")


def test_the_database_itself_keeps_receipts_as_they_are(kept: Desk, raw: sqlite3.Connection) -> None:
    for statement, said in (("UPDATE receipts SET body = '{}'", "never changes"), ("DELETE FROM receipts", "never deleted"),
                            ("UPDATE receipts_head SET number = 1", "only grow"), ("DELETE FROM receipts_head", "keep their head"),
                            ("INSERT INTO receipts VALUES (9, 'z', '{}', '', '', '')", "grow at their end only")):
        with pytest.raises(sqlite3.IntegrityError, match=said):
            raw.execute(statement)
    assert kept.receipts.check(KEY) == 3


@pytest.mark.parametrize("statement, said", [
    ("UPDATE receipts SET body = replace(body, '\"prompt_tokens\":7', '\"prompt_tokens\":8') WHERE number = 2", "receipt b: was changed"),
    ("DELETE FROM receipts WHERE number = 2", "row 2 of the receipts is missing"),
    ("DELETE FROM receipts WHERE number = 3", "the desk has 2 receipts but its head names 3"),
])
def test_what_was_written_past_the_guards_is_found(kept: Desk, raw: sqlite3.Connection, statement: str, said: str) -> None:
    for name in ("receipts_unchanged", "receipts_whole"):
        raw.execute(f"DROP TRIGGER {name}")
    raw.execute(statement)
    with pytest.raises(ChainBroken, match=said):
        kept.receipts.check(KEY)


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "receipts.key"
    with pytest.raises(DeskError, match=r"receipts.key: the key that signs receipts cannot be read \(No such file"):
        open_key(path, make=False)
    made = open_key(path, make=True)
    assert path.stat().st_mode & 0o777 == 0o600
    assert open_key(path, make=True).id == open_key(path, make=False).id == made.id
    assert made.prompt_hash("a") != KEY.prompt_hash("a")
    path.write_bytes(b"short")
    with pytest.raises(DeskError, match=r"cannot be read \(5 bytes instead of 32\)"):
        open_key(path, make=True)


def test_receipts_that_come_together_are_written_together(desk: Desk) -> None:
    batches: list[int] = []

    def write(batch) -> None:
        batches.append(len(batch))
        desk.receipts.add(batch, KEY)

    writer = ReceiptWriter(write)
    began = time.monotonic()
    threads = [threading.Thread(target=lambda number=number: writer.put(receipt(f"r{number}"))) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - began < 1
    assert writer.flush()
    writer.close()
    assert sum(batches) == 40
    assert len(batches) <= 5
    assert desk.receipts.check(KEY) == 40


def test_a_batch_that_fails_is_tried_again_and_answers_stop_before_receipts_are_lost() -> None:
    written: list[str] = []
    is_broken = threading.Event()
    is_broken.set()

    def write(batch) -> None:
        if is_broken.is_set():
            raise DeskError("desk.failed", cause="disk full")
        written.extend(one.id for one in batch)

    writer = ReceiptWriter(write, seconds=0.0, retry=0.01, most_waiting=2)
    writer.put(receipt("a"))
    writer.check()
    writer.put(receipt("b"))
    assert not writer.flush(0.1)
    with pytest.raises(ServiceUnavailable, match=r"2 receipts could not be written to the desk \(.*disk full.*no answer goes out"):
        writer.check()
    is_broken.clear()
    assert writer.flush()
    writer.check()
    assert written == ["a", "b"]
    writer.close()


def test_closing_writes_what_waits() -> None:
    written: list[str] = []
    writer = ReceiptWriter(lambda batch: written.extend(one.id for one in batch), seconds=60.0)
    writer.close()
    later = ReceiptWriter(lambda batch: written.extend(one.id for one in batch), seconds=0.2)
    later.put(receipt("a"))
    later.close()
    assert written == ["a"]


KILLED = """
import itertools, sys
sys.path.insert(0, {support!r})
from receipt_rows import KEY, receipt
from tutelage.desk.desk import open_desk
from tutelage.desk.receipt_writer import ReceiptWriter
desk = open_desk({url!r})
writer = ReceiptWriter(lambda batch: desk.receipts.add(batch, KEY))
for number in itertools.count():
    writer.put(receipt(f"r{{number}}"))
    if number % 50 == 49:
        writer.flush()
        print(number + 1, flush=True)
"""


def test_a_killed_server_loses_no_receipt_that_was_committed_and_leaves_no_half_one(desk_path: Path) -> None:
    code = KILLED.format(support=str(Path(__file__).parents[1] / "support"), url=f"sqlite:///{desk_path}")
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    committed = 0
    while committed < 200:
        committed = int(process.stdout.readline())
    process.send_signal(signal.SIGKILL)
    process.wait()
    desk = open_desk(f"sqlite:///{desk_path}")
    assert committed <= desk.receipts.check(KEY) <= committed + 100
    desk.receipts.add([receipt("after")], KEY)
    desk.close()
