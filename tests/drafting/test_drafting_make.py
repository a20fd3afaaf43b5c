"""The stage: clauses into the desk and into library.jsonl, each with its fate."""

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tutelage.core.errors import InputError
from tutelage.core.events import Events, Recorder
from tutelage.core.files import read_rows, write_rows
from tutelage.core.language import text
from tutelage.core.records import Example, LibraryClause, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.desk.desk import open_desk
from tutelage.drafting.library import allowed, load_shipped
from tutelage.drafting.make import make
from tutelage.drafting.settings import DraftingSettings, Opening

SHIPPED = len(load_shipped())


def example(number: int, part: str, words: str, permission: str = "everyone") -> Example:
    return Example.model_validate({
        "id": f"row{number}", "messages": (Message(role="user", content="?"), Message(role="assistant", content=words)),
        "clause_type": "term", "keywords": ("term",), "language": "en", "heading": "Term", "document_id": "d",
        "source": "mit.LICENSE", "start": 0, "end": 9, "family": f"f{number}", "part": part, "permission": permission})


def written(work: Path, rows: list[Example], name: str = "d1") -> Artifact:
    """A dataset with these rows."""
    store = Store(work)
    with store.making("dataset", name, version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", rows)
    found = store.look_up("dataset", name)
    assert found is not None
    return found


@pytest.fixture
def dataset(tmp_path: Path) -> Artifact:
    return written(tmp_path / "work", [
        example(1, "train", "One year."), example(2, "train", "One\nyear."), example(3, "held_out", "Secret."),
        example(4, "validation", "Hidden."), example(5, "train", load_shipped("en")[0].text)])


@pytest.fixture
def of_clients(tmp_path: Path) -> Artifact:
    """A dataset of which only some rows are for everyone."""
    labels = ("everyone", "client:acme", "client:acme matter:2024-17", "only:training", "client:acme until:2026-06-30")
    return written(tmp_path / "work", [example(number, "train", f"{number} years.", label) for number, label in enumerate(labels, 1)])


def made(dataset: Artifact, url: str, *, name: str = "a1", settings: Settings | None = None, events: Events | None = None,
         audience: str = "everyone", today: date = date(2026, 1, 1)) -> Artifact:
    store = Store(dataset.folder.parent.parent)
    with store.making("drafting", name, version=1, recipe="", settings=settings or DraftingSettings(), parents={"dataset": dataset},
                      inputs={}, events=events or Events()) as making:
        make(making, desk_url=url, audience=audience, today=today)
    found = store.look_up("drafting", name)
    assert found is not None
    return found


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/desk.sqlite"


def test_shipped_clauses_and_training_rows_reach_desk_and_file(dataset: Artifact, url: str) -> None:
    artifact = made(dataset, url)
    rows = list(read_rows(artifact.file("library.jsonl"), LibraryClause))
    desk = open_desk(url)
    assert sorted(rows, key=lambda row: row.id) == sorted(desk.clauses(), key=lambda row: row.id)
    desk.close()
    assert len(rows) == SHIPPED + 1
    assert [(row.id, row.source, row.licence) for row in rows if row.source != "Tutelage starting library"] == [
        ("en-row1", "mit.LICENSE", "as its source")]


def test_held_out_and_validation_rows_stay_out(dataset: Artifact, url: str) -> None:
    written = made(dataset, url).file("library.jsonl").read_text("utf-8")
    assert "One year." in written
    assert "Secret." not in written
    assert "Hidden." not in written


def test_equal_texts_are_merged_and_the_ledger_says_into_which(dataset: Artifact, url: str) -> None:
    artifact = made(dataset, url)
    merged = {fate.row: fate.cause for fate in artifact.history() if fate.what == "merged"}
    assert merged == {"en-row2": "en-row1", "en-row5": load_shipped("en")[0].id}
    counts = artifact.manifest.counts
    assert (counts["in"], counts["kept"], counts["merged"]) == (SHIPPED + 3, SHIPPED + 1, 2)
    assert counts["en"] + counts["zh"] == SHIPPED + 1


def test_making_again_changes_neither_desk_nor_rows_nor_history(dataset: Artifact, url: str) -> None:
    first, second = made(dataset, url), made(dataset, url, name="a2")
    for name in ("library.jsonl", "history.jsonl"):
        assert first.file(name).read_bytes() == second.file(name).read_bytes()
    assert (first.manifest.facts["new_in_desk"], second.manifest.facts["new_in_desk"]) == (SHIPPED + 1, 0)


def test_the_dataset_can_be_left_out(dataset: Artifact, url: str) -> None:
    artifact = made(dataset, url, settings=DraftingSettings(library_from_dataset=False))
    assert artifact.manifest.counts["kept"] == SHIPPED


def test_a_mistaken_opening_is_told_before_anything_is_written(dataset: Artifact, url: str) -> None:
    with pytest.raises(InputError, match=r"keywords: there are 13; at most 12 are used"):
        made(dataset, url, settings=DraftingSettings(opening=Opening(keywords=",".join(map(str, range(13))))))
    assert not Path(url.removeprefix("sqlite:///")).exists()
    with pytest.raises(InputError, match="drafting got settings of Settings; it takes DraftingSettings"):
        made(dataset, url, settings=Settings())


@pytest.mark.parametrize("audience, today, expected", [
    ("everyone", date(2026, 1, 1), ["en-row1"]),
    ("client:acme", date(2026, 6, 30), ["en-row1", "en-row2", "en-row5"]),
    ("client:acme", date(2026, 7, 1), ["en-row1", "en-row2"]),
    ("client:acme matter:2024-17", date(2026, 1, 1), ["en-row1", "en-row2", "en-row3", "en-row5"]),
    ("client:globex", date(2026, 1, 1), ["en-row1"]),
])
def test_only_rows_that_the_audience_may_use_enter_the_library(of_clients: Artifact, url: str, audience: str, today: date,
                                                               expected: list[str]) -> None:
    artifact = made(of_clients, url, audience=audience, today=today)
    rows = [row for row in read_rows(artifact.file("library.jsonl"), LibraryClause) if row.id.startswith("en-row")]
    assert [row.id for row in rows] == expected
    desk = open_desk(url)
    assert [row.id for row in desk.clauses() if row.id.startswith("en-row")] == expected
    desk.close()


def test_a_row_that_stays_out_has_its_reason_and_one_that_enters_its_permission(of_clients: Artifact, url: str) -> None:
    heard = Recorder()
    artifact = made(of_clients, url, audience="client:acme", events=Events(heard))
    fates = {fate.row: (fate.reason, fate.detail) for fate in artifact.history() if fate.what == "dropped"}
    assert fates == {
        "en-row3": ("permission", "it is for matter 2024-17 only, and the audience is client:acme"),
        "en-row4": ("permission", "it may be used for training only, not for library")}
    rows = {row.id: row.permission for row in read_rows(artifact.file("library.jsonl"), LibraryClause)}
    assert (rows["en-row1"], rows["en-row2"], rows["en-row5"]) == ("everyone", "client:acme", "client:acme until:2026-06-30")
    assert rows[load_shipped()[0].id] == "everyone"
    (note,) = [event for event in heard.events if event.key == "drafting.kept_back"]
    assert text(note.key, "en", **note.facts).startswith("2 clauses stay out of the library: their permission does not fit")
    assert text(note.key, "zh", **note.facts).startswith("2 条条款未进入条款库")


def test_a_clause_whose_permission_became_stricter_is_found_no_longer(tmp_path: Path, url: str) -> None:
    made(written(tmp_path / "work", [example(1, "train", "One year.")]), url)
    stricter = written(tmp_path / "work", [example(1, "train", "One year.", "only:training")], "d2")
    made(stricter, url, name="a2")
    desk = open_desk(url)
    (clause,) = [clause for clause in desk.clauses() if clause.id == "en-row1"]
    assert clause.permission == "only:training"
    assert clause not in allowed(desk.clauses(), audience="everyone", today=date(2026, 1, 1))
    assert len(allowed(desk.clauses(), audience="everyone", today=date(2026, 1, 1))) == SHIPPED
    desk.check_audit()
    desk.close()


def test_the_note_says_how_many_in_both_languages(dataset: Artifact, url: str) -> None:
    heard = Recorder()
    made(dataset, url, events=Events(heard))
    note = next(event for event in heard.events if event.key == "drafting.library")
    assert text(note.key, "en", **note.facts) == (f"{SHIPPED + 1} clauses in the library, {SHIPPED + 1} of them new in the desk; "
                                                  "2 with equal text merged.")
    assert text(note.key, "zh", **note.facts) == f"条款库共 {SHIPPED + 1} 条，其中新入库 {SHIPPED + 1} 条；文本相同而合并 2 条。"


def test_a_run_that_is_killed_after_the_desk_was_filled_makes_the_same_artifact(dataset: Artifact, url: str) -> None:
    work = dataset.folder.parent.parent
    code = f"""
import os
from pathlib import Path
from tutelage.core.events import Events, Event
from tutelage.core.store import Store
from tutelage.drafting.make import make
from tutelage.drafting.settings import DraftingSettings
store = Store(Path({str(work)!r}))
def killer(event: Event) -> None:
    os.kill(os.getpid(), 9)
with store.making("drafting", "a1", version=1, recipe="", settings=DraftingSettings(),
                  parents={{"dataset": store.look_up("dataset", "d1")}}, inputs={{}}, events=Events(killer)) as making:
    make(making, desk_url={url!r})
"""
    ran = subprocess.run([sys.executable, "-c", code], check=False, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})
    assert ran.returncode == -9
    assert Store(work).look_up("drafting", "a1") is None
    desk = open_desk(url)
    assert len(desk.clauses()) == SHIPPED + 1
    desk.close()
    after, undisturbed = made(dataset, url), made(dataset, url.replace("desk.sqlite", "other.sqlite"), name="a2")
    for name in ("library.jsonl", "history.jsonl"):
        assert after.file(name).read_bytes() == undisturbed.file(name).read_bytes()
