"""Confirmed labels become artifacts that the next dataset reads: each once, whole, and also after a crash."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tutelage.core.errors import ArtifactError, InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows, write_rows
from tutelage.core.language import text
from tutelage.core.records import ConfirmedLabel, Unlabelled
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.desk.desk import Desk, User
from tutelage.desk.errors import NotFound
from tutelage.desk.records import LabelAnswer
from tutelage.reviews.labels import export_labels, fill_queue, has_queue, label


def dataset(work: Path, name: str = "d1", *, listed: int | None = 4) -> Artifact:
    """A dataset artifact that lists so many doubtful clauses; None: one of a version that listed none."""
    with Store(work).making("dataset", name, version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        if listed is not None:
            write_rows(making.folder / "unlabelled.jsonl", [
                Unlabelled(id=f"c{number}", text=f"Clause {number}.", heading="", language="en", suggested="term", document_id="d",
                           source="lease.txt") for number in range(1, listed + 1)])
    found = Store(work).look_up("dataset", name)
    assert found is not None
    return found


@pytest.fixture
def queue(desk: Desk, work: Path) -> Desk:
    fill_queue(desk, dataset(work))
    return desk


def said(desk: Desk, work: Path, name: str, item: str, answer: str, needed: int = 2) -> LabelAnswer:
    user = desk.user(name)
    assert isinstance(user, User)
    return label(desk, work, item, user=user, answer=answer, needed=needed)


def agreed(desk: Desk, item: str, answer: str = "term") -> None:
    """Two people agree, past the export."""
    for name in ("ann", "rita"):
        desk.labels.put(item, person=name, clause_type=answer, needed=2)


def written(work: Path) -> list[ConfirmedLabel]:
    return [row for artifact in Store(work).all("labels") for row in read_rows(artifact.file("rows.jsonl"), ConfirmedLabel)]


def test_the_queue_is_filled_from_the_dataset_once(desk: Desk, work: Path) -> None:
    made = dataset(work)
    assert has_queue(made)
    assert (fill_queue(desk, made), fill_queue(desk, made)) == (4, 0)
    assert desk.labels.counts(dataset="d1").items == 4


def test_a_dataset_of_an_older_version_lists_no_clauses(desk: Desk, work: Path) -> None:
    older = dataset(work, "d0", listed=None)
    assert not has_queue(older)
    with pytest.raises(ArtifactError, match=r"has no file 'unlabelled.jsonl'"):
        fill_queue(desk, older)


def test_a_type_that_two_people_agree_on_is_written_at_once(queue: Desk, work: Path) -> None:
    said(queue, work, "ann", "c1", "notices")
    assert written(work) == []
    assert said(queue, work, "rita", "c1", "notices").confirmed == "notices"
    (artifact,) = Store(work).all("labels")
    artifact.check()
    (row,) = written(work)
    assert row == ConfirmedLabel(id="c1", clause_type="notices", people=("ann", "rita"), confirmed_at=row.confirmed_at)
    assert artifact.manifest.counts == {"in": 1, "kept": 1, "none": 0}
    (fate,) = artifact.history()
    assert (fate.row, fate.what, fate.name, fate.detail) == ("c1", "kept", "notices", "given by ann, rita")


def test_no_clause_is_a_label_too_and_a_pass_is_none(queue: Desk, work: Path) -> None:
    for name in ("ann", "rita"):
        said(queue, work, name, "c1", "none")
        said(queue, work, name, "c2", "skip")
    assert [(row.id, row.clause_type) for row in written(work)] == [("c1", "none")]
    assert Store(work).all("labels")[0].manifest.counts["none"] == 1


def test_an_answer_that_is_no_type_is_refused(queue: Desk, work: Path) -> None:
    with pytest.raises(InputError, match=r"label is 'secrecy'; it must be a clause type, 'none' or 'skip'"):
        said(queue, work, "ann", "c1", "secrecy")
    with pytest.raises(NotFound, match="there is no clause 'c9' in the labelling queue"):
        said(queue, work, "ann", "c9", "term")


def test_exporting_again_writes_what_is_missing_only_and_all_of_it_together(queue: Desk, work: Path) -> None:
    agreed(queue, "c1")
    agreed(queue, "c2")
    (first,) = export_labels(queue, work, needed=2)
    assert [row.id for row in read_rows(first / "rows.jsonl", ConfirmedLabel)] == ["c1", "c2"]
    assert export_labels(queue, work, needed=2) == []
    agreed(queue, "c3", "none")
    (second,) = export_labels(queue, work, needed=2)
    assert first != second
    assert sorted(row.id for row in written(work)) == ["c1", "c2", "c3"]


def test_another_work_folder_on_the_same_desk_gets_all_labels(queue: Desk, work: Path, tmp_path: Path) -> None:
    agreed(queue, "c1")
    export_labels(queue, work, needed=2)
    export_labels(queue, tmp_path / "other", needed=2)
    assert written(tmp_path / "other") == written(work) != []


def test_an_artifact_that_was_deleted_comes_back_the_same(queue: Desk, work: Path) -> None:
    agreed(queue, "c1")
    (folder,) = export_labels(queue, work, needed=2)
    before = (folder / "rows.jsonl").read_bytes()
    for file in folder.iterdir():
        file.unlink()
    folder.rmdir()
    assert export_labels(queue, work, needed=2) == [folder]
    assert (folder / "rows.jsonl").read_bytes() == before


def test_a_lower_number_of_people_confirms_what_was_answered_before(queue: Desk, work: Path) -> None:
    said(queue, work, "ann", "c1", "term")
    assert export_labels(queue, work, needed=2) == []
    assert len(export_labels(queue, work, needed=1)) == 1
    assert [row.people for row in written(work)] == [("ann",)]
    said(queue, work, "rita", "c2", "term", needed=1)
    assert len(written(work)) == 2


def test_an_export_that_is_killed_is_made_up_for(queue: Desk, work: Path, url: str) -> None:
    agreed(queue, "c1")
    code = f"""
import os
from pathlib import Path
from tutelage.core.events import Events
from tutelage.desk.desk import open_desk
from tutelage.reviews.labels import export_labels
export_labels(open_desk({url!r}), Path({str(work)!r}), needed=2, events=Events(lambda event: os.kill(os.getpid(), 9)))
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -9
    assert written(work) == []
    agreed(queue, "c2")
    assert len(export_labels(queue, work, needed=2)) == 1
    assert [row.id for row in written(work)] == ["c1", "c2"]
    assert [entry.name for entry in (work / "labels").iterdir() if entry.name.startswith(".")] == [".export.lock"]


def test_threads_and_another_process_export_each_label_once(queue: Desk, work: Path, url: str) -> None:
    for number in (1, 2, 3, 4):
        agreed(queue, f"c{number}")
    code = f"""
from pathlib import Path
from tutelage.desk.desk import open_desk
from tutelage.reviews.labels import export_labels
export_labels(open_desk({url!r}), Path({str(work)!r}), needed=2)
"""
    other = subprocess.Popen([sys.executable, "-c", code])
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: export_labels(queue, work, needed=2), range(4)))
    assert other.wait(60) == 0
    assert sorted(row.id for row in written(work)) == ["c1", "c2", "c3", "c4"]


def test_a_folder_that_may_not_be_written_loses_no_label(queue: Desk, work: Path) -> None:
    said(queue, work, "ann", "c1", "term")
    (work / "labels").write_text("a file stands where the folder should be")
    with pytest.raises(ArtifactError, match=r"labels: confirmed labels cannot be written \(File exists\). They are safe in the desk"):
        said(queue, work, "rita", "c1", "term")
    (work / "labels").unlink()
    assert len(export_labels(queue, work, needed=2)) == 1


def test_the_note_says_how_many_in_both_languages(queue: Desk, work: Path) -> None:
    agreed(queue, "c1")
    heard = Recorder()
    export_labels(queue, work, needed=2, events=Events(heard))
    (note,) = heard.events
    assert text(note.key, "en", **note.facts) == "confirmed labels ready for the next dataset: 1."
    assert text(note.key, "zh", **note.facts) == "可用于下一版数据集的已确认标注：1 条。"
