"""What saw a document: judgements and blind samples, which stand outside the chain of stages, are found too."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tutelage.core.events import Events
from tutelage.core.history import Fate
from tutelage.core.records import Example, Message
from tutelage.core.settings import Settings
from tutelage.core.store import Artifact, Store
from tutelage.pipeline.uses import row_uses, uses
from tutelage.scores.sample import SAMPLES

ROW = Example(
    id="row", clause_type="payment", keywords=(), language="en", heading="", document_id="lease", source="lease.txt", start=0, end=4,
    messages=(Message(role="user", content="Draft it."), Message(role="assistant", content="Rent is due.")), family="f", part="held_out")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "work")


def made(store: Store, stage: str, artifact_id: str, files: Mapping[str, str], *parents: Artifact) -> Artifact:
    """An artifact with these files and parents; documents have a history of one kept document."""
    with store.making(stage, artifact_id, version=1, recipe="", settings=Settings(), inputs={}, events=Events(),
                      parents={one.manifest.kind: one for one in parents}) as making:
        if stage == "documents":
            making.ledger.rows_in(["lease"])
            making.ledger.record(Fate(row="lease", what="kept", reason="clean", name="lease.txt"))
        for name, data in files.items():
            (making.folder / name).write_text(data, "utf-8")
    found = store.look_up(stage, artifact_id)
    assert found
    return found


def judged(store: Store, artifact_id: str, artifacts: Mapping[str, str], files: Mapping[str, str]) -> None:
    """A judgement that names what it judged."""
    made(store, "judged", artifact_id, {"report.json": json.dumps({"artifacts": artifacts, "files": files})})


@pytest.fixture
def chain(store: Store) -> dict[str, Artifact]:
    """From one document to its scores."""
    documents = made(store, "documents", "d1", {"documents.jsonl": ""})
    dataset = made(store, "dataset", "s1", {"examples.jsonl": ROW.model_dump_json() + "\n"}, documents)
    model = made(store, "model", "m1", {"model-q8_0.gguf": "weights"}, dataset)
    return {"dataset": dataset, "model": model, "scores": made(store, "scores", "c1", {}, dataset, model)}


def found(store: Store) -> dict[str, list[str]]:
    by_stage: dict[str, list[str]] = {}
    for use in uses(store.work, "lease.txt"):
        by_stage.setdefault(use.stage, []).append(use.artifact)
    return by_stage


def test_a_dataset_that_read_it_and_has_no_row_of_it_is_listed_and_what_was_made_from_it_is_not(store: Store, chain: dict[str, Artifact]):
    """The clauses that the rules could not name lie in such a dataset, for people to name."""
    documents = store.look_up("documents", "d1")
    assert documents
    with store.making("dataset", "s2", version=1, recipe="", settings=Settings(), inputs={}, events=Events(),
                      parents={"documents": documents}) as making:
        making.ledger.rows_in(["lease", "clause"])
        making.ledger.record(Fate(row="lease", what="split", reason="clauses", name="lease.txt", became=("clause",)))
        making.ledger.record(Fate(row="clause", what="dropped", reason="untyped"))
        (making.folder / "examples.jsonl").write_text("", "utf-8")
    second = store.look_up("dataset", "s2")
    assert second
    made(store, "training", "t2", {}, second)
    assert found(store) == {"documents": ["d1"], "dataset": ["s1", "s2"], "model": ["m1"], "scores": ["c1"]}
    use = next(use for use in uses(store.work, "lease.txt") if use.artifact == "s2")
    assert (use.what, use.reason, use.rows) == ("split", "clauses", ("lease",))


def test_a_row_was_in_its_dataset_and_in_all_that_was_made_from_it(store: Store, chain: dict[str, Artifact]):
    judged(store, "by-path", {"candidate": str(chain["model"].folder / "merged")}, {})
    assert [(use.stage, use.artifact) for use in row_uses(store.work, "row")] == [
        ("dataset", "s1"), ("model", "m1"), ("scores", "c1"), ("judged", "by-path")]
    assert row_uses(store.work, "another") == []


def test_a_judgement_of_such_a_model_or_of_such_rows_saw_the_document_and_another_one_did_not(store: Store, chain: dict[str, Artifact]):
    model, dataset = chain["model"], chain["dataset"]
    judged(store, "by-path", {"base": "smollm2", "candidate": str(model.folder / "merged"), "rows": "rows.jsonl"}, {})
    judged(store, "by-adapter", {"base": "smollm2", "candidate": f"{model.folder}/adapter on smollm2"}, {})
    judged(store, "by-file", {"candidate": "/elsewhere/copy.gguf"}, {"copy.gguf": model.manifest.files["model-q8_0.gguf"]})
    judged(store, "by-rows", {"rows": "/elsewhere/rows.jsonl"}, {"rows.jsonl": dataset.manifest.files["examples.jsonl"]})
    judged(store, "other", {"base": "smollm2", "candidate": "/elsewhere/model", "rows": "rows.jsonl"}, {"rows.jsonl": "0" * 64})
    assert sorted(found(store)["judged"]) == ["by-adapter", "by-file", "by-path", "by-rows"]


def test_a_blind_sample_of_such_scores_is_named_with_its_folder(store: Store, chain: dict[str, Artifact]):
    assert SAMPLES not in found(store)
    for scores in (chain["scores"].id, "other"):
        (store.work / SAMPLES / scores).mkdir(parents=True)
    assert found(store) == {"documents": ["d1"], "dataset": ["s1"], "model": ["m1"], "scores": ["c1"], "samples": ["c1"]}
    sample = next(use for use in uses(store.work, "lease.txt") if use.stage == SAMPLES)
    assert (Path(sample.folder), sample.what) == (store.work / SAMPLES / "c1", "derived")
