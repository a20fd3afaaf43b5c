"""Artifacts: whole or not at all, never changed, found again by their content."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.core.errors import ArtifactError, BalanceError
from tutelage.core.events import Events
from tutelage.core.history import Fate
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store, content_id


class Knobs(Settings):
    """Settings of a made-up stage."""

    rank: int = 16


def make_one(store: Store, artifact_id: str, *, text: str = "hello", parents: dict[str, Artifact] | None = None, label: str = "") -> None:
    with store.making("stage", artifact_id, version=1, recipe="test", settings=Knobs(), parents=parents or {}, inputs={},
                      events=Events()) as making:
        (making.folder / "out.txt").write_text(text)
        making.ledger.rows_in(["a", "b"])
        making.ledger.record(Fate(row="a", what="kept", reason="fine"))
        making.ledger.record(Fate(row="b", what="dropped", reason="empty"))
        if label:
            making.permissions = (label,)


def test_an_artifact_is_found_again_with_counts_history_and_hashes(tmp_path):
    store = Store(tmp_path)
    make_one(store, "aaa")
    found = store.look_up("stage", "aaa")
    assert found is not None
    assert found.manifest.counts == {"in": 2, "dropped": 1, "kept": 1}
    assert [fate.what for fate in found.history()] == ["kept", "dropped"]
    assert json.loads((found.folder / "dropped.jsonl").read_text())["reason"] == "empty"
    assert set(found.manifest.files) == {"out.txt", "history.jsonl", "dropped.jsonl"}
    found.check()


def test_a_changed_file_is_noticed(tmp_path):
    store = Store(tmp_path)
    make_one(store, "aaa")
    found = store.look_up("stage", "aaa")
    assert found is not None
    (found.folder / "out.txt").write_text("tampered")
    with pytest.raises(ArtifactError, match=r"out\.txt: is not the file that was made"):
        found.check()


def test_an_error_leaves_nothing_half_made(tmp_path):
    store = Store(tmp_path)
    def half_way() -> None:
        with store.making("stage", "aaa", version=1, recipe="test", settings=Knobs(), parents={}, inputs={}, events=Events()) as making:
            (making.folder / "out.txt").write_text("half")
            (making.scratch / "checkpoint").write_text("step 3")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        half_way()
    assert store.look_up("stage", "aaa") is None
    assert [path.name for path in (tmp_path / "stage").iterdir()] == [".aaa.scratch"]
    assert (tmp_path / "stage" / ".aaa.scratch" / "checkpoint").read_text() == "step 3"


def test_a_lost_row_fails_the_stage(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(BalanceError, match="1 of 1 rows have no fate"), store.making(
            "stage", "aaa", version=1, recipe="test", settings=Knobs(), parents={}, inputs={}, events=Events()) as making:
        making.ledger.rows_in(["a"])
    assert store.look_up("stage", "aaa") is None


def test_a_killed_run_leaves_nothing_and_the_next_one_succeeds(tmp_path):
    script = ("import os, signal, sys\nfrom pathlib import Path\nfrom tutelage.core.events import Events\n"
              "from tutelage.core.settings import Settings\n"
              "from tutelage.core.store import Store\n"
              "with Store(Path(sys.argv[1])).making('stage', 'aaa', version=1, recipe='t', settings=Settings(), parents={}, inputs={}, "
              "events=Events()) as making:\n"
              "    (making.folder / 'out.txt').write_text('half')\n    os.kill(os.getpid(), signal.SIGKILL)\n")
    ended = subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    store = Store(tmp_path)
    assert store.look_up("stage", "aaa") is None
    assert store.all("stage") == []
    make_one(store, "aaa")
    assert [artifact.id for artifact in store.all("stage")] == ["aaa"]
    assert [path.name for path in (tmp_path / "stage").iterdir()] == ["aaa"]


def test_the_id_changes_with_version_settings_parents_and_inputs():
    plain = content_id("stage", version=1, settings=Knobs(), parents={"p": "1"}, inputs={"f": "x"})
    others = [content_id("stage", version=2, settings=Knobs(), parents={"p": "1"}, inputs={"f": "x"}),
              content_id("stage", version=1, settings=Knobs(rank=8), parents={"p": "1"}, inputs={"f": "x"}),
              content_id("stage", version=1, settings=Knobs(), parents={"p": "2"}, inputs={"f": "x"}),
              content_id("stage", version=1, settings=Knobs(), parents={"p": "1"}, inputs={"f": "y"}),
              content_id("other", version=1, settings=Knobs(), parents={"p": "1"}, inputs={"f": "x"})]
    assert len({plain, *others}) == 6
    assert plain == content_id("stage", version=1, settings=Knobs(), parents={"p": "1"}, inputs={"f": "x"})


def test_who_may_use_it_is_inherited_from_all_parents(tmp_path):
    store = Store(tmp_path)
    make_one(store, "aaa", label="matter A")
    make_one(store, "bbb", label="matter B")
    parents = {name: artifact for name in ("aaa", "bbb") if (artifact := store.look_up("stage", name))}
    make_one(store, "ccc", parents=parents)
    child = store.look_up("stage", "ccc")
    assert child is not None
    assert child.manifest.permissions == ("matter A", "matter B")
    assert child.manifest.parents == {"aaa": "aaa", "bbb": "bbb"}


def test_another_format_is_refused_with_the_way_out(tmp_path):
    store = Store(tmp_path)
    make_one(store, "aaa")
    path = tmp_path / "stage" / "aaa" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 99}))
    with pytest.raises(ArtifactError, match="has format 99; this version reads 1"):
        store.look_up("stage", "aaa")


def test_a_file_that_the_manifest_does_not_list_is_refused(tmp_path):
    store = Store(tmp_path)
    make_one(store, "aaa")
    found = store.look_up("stage", "aaa")
    assert found is not None
    with pytest.raises(ArtifactError, match=r"has no file 'weights'; it has dropped\.jsonl, history\.jsonl, out\.txt"):
        found.file("weights")
    assert isinstance(found.file("out.txt"), Path)
