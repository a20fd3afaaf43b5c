"""Several threads and processes at one desk."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tutelage.desk.desk import Desk, DraftRow, open_desk
from tutelage.desk.errors import DeskError, StaleDraft, WrongState

Begin = Callable[..., DraftRow]


def test_of_many_edits_of_one_version_exactly_one_is_kept(desk: Desk, begin: Begin) -> None:
    row = begin()

    def edit(number: int) -> str:
        try:
            return desk.edit_draft(row.id, author="ann", text=f"text {number}", version=1).text
        except StaleDraft:
            return "stale"

    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(edit, range(16)))
    kept = [result for result in results if result != "stale"]
    assert len(kept) == 1
    assert desk.draft(row.id).text == kept[0]
    desk.check_audit()


def test_two_reviewers_at_once_decide_once(desk: Desk, begin: Begin) -> None:
    row = desk.submit_draft(begin().id, author="ann")

    def decide(approver: str) -> str:
        try:
            return desk.decide_draft(row.id, approver=approver, approve=approver == "rita", comment="so",
                                     text_sha256=row.text_sha256).approver
        except WrongState:
            return "too late"

    with ThreadPoolExecutor(8) as pool:
        results = Counter(pool.map(decide, ["rita", "ralf"] * 4))
    assert results["too late"] == 7
    assert desk.draft(row.id).approver in results


def test_two_processes_write_one_chain(desk: Desk, desk_path: Path) -> None:
    code = f"""
from tutelage.desk.desk import open_desk
desk = open_desk('sqlite:///{desk_path}')
for number in range(15):
    desk.new_draft(clause_type='term', keywords=(), language='en', model='m', is_gated=False, draft='x', sources=(), author='ann')
desk.close()
"""
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    assert [process.wait(60) for process in running] == [0, 0]
    assert len(desk.drafts()) == 30
    assert [link.number for link in desk.audit()] == list(range(1, 35))
    desk.check_audit()


def test_many_openers_of_a_new_desk_make_it_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/desk.sqlite"

    def opened(number: int) -> None:
        desk = open_desk(url)
        desk.new_key(f"key {number}")
        desk.close()

    other = subprocess.Popen([sys.executable, "-c", f"from tutelage.desk.desk import open_desk; open_desk('{url}').new_key('other')"])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(opened, range(4)))
    assert other.wait(60) == 0
    desk = open_desk(url)
    desk.check_audit()
    assert len(desk.audit()) == 5
    desk.close()


def test_a_process_that_is_killed_within_an_action_leaves_no_half(desk: Desk, begin: Begin, desk_path: Path) -> None:
    row = desk.submit_draft(begin().id, author="ann")
    code = f"""
import os
from tutelage.desk import audit, drafts
from tutelage.desk.desk import open_desk
desk = open_desk('sqlite:///{desk_path}')
def killed(*args, **facts):
    os.kill(os.getpid(), 9)
drafts.audit.append = killed
desk.decide_draft({row.id}, approver='rita', approve=True, comment='', text_sha256='{row.text_sha256}')
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert desk.draft(row.id) == row
    desk.check_audit()
    desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)


def test_two_threads_that_add_one_name_add_one_person(desk: Desk) -> None:
    def added(spelling: str) -> bool:
        try:
            desk.add_user(spelling, "a good password", role="reviewer")
        except DeskError:
            return False
        return True

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(added, ["zoe", "Zoe", "ZOE"])) == 1
