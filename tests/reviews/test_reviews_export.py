"""Approved drafts become artifacts: once each, whole, and also after a crash."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tutelage.core.errors import ArtifactError
from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows
from tutelage.core.language import text
from tutelage.core.records import ApprovedRow
from tutelage.core.store import Store
from tutelage.desk.desk import Desk, DraftRow
from tutelage.reviews.make import approved_row, export


def approved(desk: Desk, row: DraftRow) -> DraftRow:
    return desk.decide_draft(row.id, approver="rita", approve=True, comment="", text_sha256=row.text_sha256)


def another(desk: Desk, words: str) -> DraftRow:
    row = desk.new_draft(clause_type="term", keywords=("term",), language="en", model="tuned", is_gated=False, draft=words, sources=(),
                         author="ann")
    return approved(desk, desk.submit_draft(row.id, author="ann"))


def test_an_approval_becomes_an_artifact_with_its_row(desk: Desk, work: Path, submitted: DraftRow) -> None:
    row = approved(desk, submitted)
    (folder,) = export(desk, work)
    (written,) = read_rows(folder / "rows.jsonl", ApprovedRow)
    assert written == ApprovedRow(
        id=written.id, clause_type="fees_payment", keywords=("payment", "期限"), language="en", draft="Payment is due in 30 days.",
        text="Payment is due in 15 days.", author="ann", approver="rita", approved_at=row.updated_at, model="tuned")
    (artifact,) = Store(work).all("reviews")
    artifact.check()
    assert artifact.folder == folder
    assert (artifact.manifest.kind, artifact.manifest.version) == ("reviews", 1)
    assert artifact.manifest.counts == {"in": 1, "kept": 1, "edited": 1}
    assert [(fate.row, fate.what, fate.cause) for fate in artifact.history()] == [(written.id, "kept", "rita")]


def test_only_approved_drafts_are_written(desk: Desk, work: Path, submitted: DraftRow) -> None:
    assert export(desk, work) == []
    desk.decide_draft(submitted.id, approver="rita", approve=False, comment="no", text_sha256=submitted.text_sha256)
    assert export(desk, work) == []
    assert Store(work).all("reviews") == []


def test_exporting_again_writes_what_is_missing_only(desk: Desk, work: Path, submitted: DraftRow) -> None:
    approved(desk, submitted)
    first = export(desk, work)
    assert export(desk, work) == []
    another(desk, "One year.")
    second = export(desk, work)
    assert len(first) == len(second) == 1
    assert {folder.name for folder in first + second} == {artifact.id for artifact in Store(work).all("reviews")}


def test_two_approvals_of_equal_words_are_two_rows(desk: Desk, work: Path) -> None:
    another(desk, "One year.")
    another(desk, "One year.")
    assert len(export(desk, work)) == 2
    ids = [row.id for artifact in Store(work).all("reviews") for row in read_rows(artifact.file("rows.jsonl"), ApprovedRow)]
    assert len(set(ids)) == 2


def test_the_id_follows_from_what_the_row_says(desk: Desk, submitted: DraftRow) -> None:
    row = approved(desk, submitted)
    assert approved_row(row).id == approved_row(row).id
    changed = [row.model_copy(update={name: value}) for name, value in (
        ("text", "other"), ("draft", "other"), ("author", "bo"), ("approver", "ada"), ("model", "other"), ("keywords", ("x",)),
        ("updated_at", "2030-01-01"), ("clause_type", "term"), ("language", "zh"))]
    assert len({approved_row(each).id for each in (row, *changed)}) == 1 + len(changed)


def test_an_approved_row_says_who_may_use_it_and_keeps_its_id(desk: Desk, work: Path) -> None:
    row = desk.new_draft(clause_type="term", keywords=("term",), language="en", model="tuned", is_gated=False, draft="One year.",
                         sources=(), author="ann", permission="client:acme until:2027-12-31")
    done = approved(desk, desk.submit_draft(row.id, author="ann"))
    (folder,) = export(desk, work)
    (written,) = read_rows(folder / "rows.jsonl", ApprovedRow)
    assert written.permission == "client:acme until:2027-12-31"
    assert written.id == approved_row(done.model_copy(update={"permission": "everyone"})).id


def test_an_artifact_that_was_deleted_comes_back_the_same(desk: Desk, work: Path, submitted: DraftRow) -> None:
    approved(desk, submitted)
    (folder,) = export(desk, work)
    before = (folder / "rows.jsonl").read_bytes()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert export(desk, work) == [folder]
    assert (folder / "rows.jsonl").read_bytes() == before


def test_an_export_that_is_killed_is_made_up_for(desk: Desk, work: Path, url: str, submitted: DraftRow) -> None:
    approved(desk, submitted)
    another(desk, "One year.")
    code = f"""
import os
from pathlib import Path
from tutelage.core.events import Events
from tutelage.desk.desk import open_desk
from tutelage.reviews.make import export
heard = []
def killer(event):
    heard.append(event)
    if len(heard) == 2:
        os.kill(os.getpid(), 9)
export(open_desk({url!r}), Path({str(work)!r}), events=Events(killer))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert len(Store(work).all("reviews")) == 1
    assert len(export(desk, work)) == 1
    assert len(Store(work).all("reviews")) == 2
    left = [entry.name for entry in (work / "reviews").iterdir() if entry.name.startswith(".")]
    assert left == [".export.lock"]


def test_threads_and_another_process_export_each_approval_once(desk: Desk, work: Path, url: str) -> None:
    for number in range(6):
        another(desk, f"{number} years.")
    code = f"""
from pathlib import Path
from tutelage.desk.desk import open_desk
from tutelage.reviews.make import export
print(len(export(open_desk({url!r}), Path({str(work)!r}))))
"""
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with ThreadPoolExecutor(4) as pool:
        made = sum(len(folders) for folders in pool.map(lambda _: export(desk, work), range(4)))
    told, _ = other.communicate(timeout=60)
    assert other.returncode == 0
    assert made + int(told) == 6
    for artifact in Store(work).all("reviews"):
        artifact.check()
    assert len(Store(work).all("reviews")) == 6


def test_a_folder_that_may_not_be_written_loses_no_approval(desk: Desk, work: Path, submitted: DraftRow) -> None:
    row = approved(desk, submitted)
    (work / "reviews").write_text("a file stands where the folder should be")
    with pytest.raises(ArtifactError, match=r"reviews: approved rows cannot be written \(File exists\). They are safe in the desk"):
        export(desk, work)
    assert desk.draft(row.id).state == "approved"
    (work / "reviews").unlink()
    assert len(export(desk, work)) == 1


def test_the_note_names_row_author_and_approver_in_both_languages(desk: Desk, work: Path, submitted: DraftRow) -> None:
    approved(desk, submitted)
    heard = Recorder()
    export(desk, work, events=Events(heard))
    (note,) = heard.events
    row = note.facts["row"]
    assert text(note.key, "en", **note.facts) == f"row {row} is ready for the next dataset: written by ann, approved by rita."
    assert text(note.key, "zh", **note.facts) == f"数据行 {row} 已可用于下一版数据集：起草人 ann，审批人 rita。"
