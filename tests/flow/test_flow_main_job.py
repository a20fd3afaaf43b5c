"""The main job on a tiny random model: documents to reviewed clause, and the approved clause back into the dataset."""

import hashlib
import json
from pathlib import Path

import pytest
from small_flow import write_flow

from tutelage.cli.exporting import run_export_edge
from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed, InputError
from tutelage.core.events import Recorder
from tutelage.core.files import read_rows
from tutelage.core.records import ApprovedRow, Document, Example, GateDecision, Score
from tutelage.desk.desk import open_desk
from tutelage.endpoint.make import find_gguf
from tutelage.pipeline.conduct import Conducted, make, plan
from tutelage.pipeline.recipe import Loaded, load_recipe
from tutelage.pipeline.runs import newest_artifact
from tutelage.pipeline.stages import Site
from tutelage.pipeline.uses import uses
from tutelage.reviews.make import export

STAGES = ("documents", "dataset", "training", "model", "scores", "drafting")

class Made:
    """One flow, run once for all tests of this file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.work = folder, folder / "work"
        write_flow(folder)
        self.recorder = Recorder()
        self.done = self.make()

    @property
    def loaded(self) -> Loaded:
        return load_recipe(self.folder / "flow.yaml")

    def make(self) -> Conducted:
        return make(self.loaded, self.work, listeners=[self.recorder])

    def examples(self) -> list[Example]:
        dataset = newest_artifact(self.work, "flow", "dataset")
        assert dataset is not None
        return list(read_rows(dataset.file("examples.jsonl"), Example))


@pytest.fixture(scope="module")
def flow(tmp_path_factory) -> Made:
    return Made(tmp_path_factory.mktemp("flow"))


def test_every_stage_makes_its_artifact_and_all_files_are_as_the_manifest_says(flow):
    assert set(STAGES) <= set(flow.done.artifacts)
    for artifact in flow.done.artifacts.values():
        artifact.check()


def test_a_folder_for_a_phone_is_made_with_the_rest_and_never_of_a_copy_that_did_not_pass(flow, tmp_path):
    assert flow.done.closed is not None  # this model knows nothing
    runs = len(list((flow.work / "runs").iterdir()))
    for with_make in (False, True):
        with pytest.raises(GateClosed, match=r"the gate is closed for gguf-.*Only a copy that passed leaves the house"):
            run_export_edge(flow.folder / "flow.yaml", [], size="90MB", form=None, folder=tmp_path / "phone", with_make=with_make,
                            work=flow.work, language=None, as_json=False)
    assert len(list((flow.work / "runs").iterdir())) == runs + 1
    assert list(tmp_path.iterdir()) == []


def test_the_split_has_three_parts_and_no_document_text_is_lost_silently(flow):
    parts = [example.part for example in flow.examples()]
    assert parts.count("held_out") == 12
    assert parts.count("validation") == 8
    assert parts.count("train") > 20
    counts = flow.done.artifacts["dataset"].manifest.counts
    assert counts["in"] == counts["kept"] + counts.get("dropped", 0) + counts.get("merged", 0) + counts["split"]


def test_the_verdict_is_there_whatever_it_is(flow):
    scores = flow.done.artifacts["scores"]
    gate = GateDecision.model_validate_json(scores.file("gate.json").read_text("utf-8"))
    assert gate.n == 12
    assert ("endpoint" in flow.done.artifacts) == gate.is_open
    assert (flow.done.closed is None) == gate.is_open
    rows = list(read_rows(scores.file("scores.jsonl"), Score))
    # Which copy is exact enough depends on the random weights of the tiny model.
    copy = find_gguf(flow.done.artifacts["model"]).removesuffix(".gguf").removeprefix("model-")
    assert {row.candidate for row in rows} == {"base", "tuned", f"gguf-{copy}"}
    for language in ("en", "zh"):
        assert "<svg" in scores.file(f"report.{language}.html").read_text("utf-8")


def test_the_events_tell_the_plan_before_the_work_and_end_with_the_result(flow):
    kinds = [event.kind for event in flow.recorder.events]
    assert kinds.index("started") > max(index for index, kind in enumerate(kinds[:12]) if kind == "plan")
    assert any(event.kind == "verdict" for event in flow.recorder.events)
    assert {event.stage for event in flow.recorder.events if event.kind == "step"} >= {"training", "scores"}


def test_a_second_make_redoes_nothing(flow):
    before = {stage: artifact.id for stage, artifact in flow.done.artifacts.items()}
    again = make(flow.loaded, flow.work)
    assert {stage: artifact.id for stage, artifact in again.artifacts.items()} == before
    assert all(row.is_made for row in plan(flow.loaded, flow.work) if row.stage in before)


def test_the_same_recipe_in_another_folder_gives_the_same_ids_and_the_same_weights(flow, tmp_path):
    other = make(flow.loaded, tmp_path / "work", until="training")
    for stage in ("documents", "dataset", "training"):
        assert other.artifacts[stage].id == flow.done.artifacts[stage].id
    weights = [hashlib.sha256(made.artifacts["training"].file("adapter/adapter_model.safetensors").read_bytes()).hexdigest()
               for made in (flow.done, other)]
    assert weights[0] == weights[1]


def test_an_approved_draft_becomes_a_training_row_with_history(flow):
    desk = open_desk(Site(flow.loaded, flow.work).desk_url)
    desk.add_user("ann", "a long password", role="drafter")
    desk.add_user("bob", "a long password", role="reviewer")
    agreed = ("The Supplier keeps the manuscripts of the Customer secret during this agreement and for three years after its end, "
              "and lets only those editors see them who have signed a pledge of secrecy.")
    draft = desk.new_draft(clause_type="confidentiality", keywords=("manuscripts", "three years"), language="en", model="base",
                           is_gated=False, draft="The Supplier keeps secrets.", sources=(), author="ann")
    draft = desk.edit_draft(draft.id, author="ann", text=agreed, version=draft.version)
    desk.submit_draft(draft.id, author="ann")
    desk.decide_draft(draft.id, approver="bob", approve=True, comment="", text_sha256=hashlib.sha256(agreed.encode()).hexdigest())
    folders = export(desk, flow.work)
    desk.close()
    assert len(folders) == 1
    row = next(read_rows(flow.work / "reviews" / folders[0].name / "rows.jsonl", ApprovedRow))
    assert (row.text, row.author, row.approver) == (agreed, "ann", "bob")
    former = {example.id for example in flow.examples() if example.part == "held_out"}
    make(flow.loaded, flow.work, until="dataset")
    rows = {example.id: example for example in flow.examples()}
    assert rows[row.id].text == agreed
    assert (rows[row.id].origin, rows[row.id].part) == ("review", "train")
    assert {example.id for example in rows.values() if example.part == "held_out"} == former
    dataset = newest_artifact(flow.work, "flow", "dataset")
    assert dataset is not None
    assert any(fate.row == row.id and fate.what == "kept" for fate in dataset.history())


def test_all_that_saw_a_document_is_listed_by_its_id_its_name_and_its_hash(flow):
    example = next(row for row in flow.examples() if row.document_id)
    document = next(row for row in read_rows(flow.done.artifacts["documents"].file("documents.jsonl"), Document)
                    if row.id == example.document_id)
    by_id, by_name, by_hash = (uses(flow.work, named) for named in (document.id, document.name, document.source_sha256))
    assert by_id == by_name == by_hash
    dataset = next(use for use in by_id if use.artifact == flow.done.artifacts["dataset"].id)
    assert example.id in dataset.rows
    assert {row.document_id for row in flow.examples() if row.id in dataset.rows} == {document.id}
    assert {"documents", "dataset", "training", "model", "scores", "drafting"} <= {use.stage for use in by_id}
    assert all(use.runs for use in by_id)
    with pytest.raises(InputError, match=r"no-such\.md: no document of this id, file name or SHA-256 was ever read"):
        uses(flow.work, "no-such.md")


def test_the_run_folder_holds_events_and_the_resolved_recipe(flow):
    runs = sorted((flow.work / "runs").glob("*-flow-*"))
    assert len(runs) >= 1
    assert "# " in (runs[0] / "recipe.yaml").read_text("utf-8")
    events = [json.loads(line) for line in (runs[0] / "events.jsonl").read_text("utf-8").splitlines()]
    assert events[-1]["key"] == "run.finished"
    assert CHATML.hash == Site(flow.loaded, flow.work).chat_format.hash
