"""The stage: clauses into the desk and into library.jsonl, each with its fate."""

import os
import subprocess
import sys
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
from tutelage.drafting.library import load_shipped
from tutelage.drafting.make import make
from tutelage.drafting.settings import DraftingSettings, Opening

SHIPPED = len(load_shipped())


def example(number: int, part: str, words: str) -> Example:
    return Example.model_validate({
        "id": f"row{number}", "messages": (Message(role="user", content="?"), Message(role="assistant", content=words)),
        "clause_type": "term", "keywords": ("term",), "language": "en", "heading": "Term", "document_id": "d",
        "source": "mit.LICENSE", "start": 0, "end": 9, "family": f"f{number}", "part": part})


@pytest.fixture
def dataset(tmp_path: Path) -> Artifact:
    store = Store(tmp_path / "work")
    rows = [example(1, "train", "One year."), example(2, "train", "One\nyear."), example(3, "held_out", "Secret."),
            example(4, "validation", "Hidden."), example(5, "train", load_shipped("en")[0].text)]
    with store.making("dataset", "d1", version=1, recipe="", settings=Settings(), parents={}, inputs={}, events=Events()) as making:
        write_rows(making.folder / "examples.jsonl", rows)
    found = store.look_up("dataset", "d1")
    assert found is not None
    return found


def made(dataset: Artifact, url: str, *, name: str = "a1", settings: Settings | None = None, events: Events | None = None) -> Artifact:
    store = Store(dataset.folder.parent.parent)
    with store.making("drafting", name, version=1, recipe="", settings=settings or DraftingSettings(), parents={"dataset": dataset},
                      inputs={}, events=events or Events()) as making:
        make(making, desk_url=url)
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
    with pytest.raises(InputError, match=r"type is 'secrecy'; there is no such clause type"):
        made(dataset, url, settings=DraftingSettings(opening=Opening(clause_type="secrecy")))
    assert not Path(url.removeprefix("sqlite:///")).exists()
    with pytest.raises(InputError, match="drafting got settings of Settings; it takes DraftingSettings"):
        made(dataset, url, settings=Settings())


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
