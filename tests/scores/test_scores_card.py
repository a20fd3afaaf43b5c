"""The model card: metadata that Hugging Face reads, lineage and limits, in both languages."""

from __future__ import annotations

import pytest
from fake_scores import Scored, make_scores, three_engines
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results

from tutelage.core.store import Store
from tutelage.scores.card import Lineage, metadata, render_card
from tutelage.scores.results import Report
from tutelage.scores.settings import ScoresSettings

LINEAGE = Lineage(recipe="leases", base="smollm2-135m-instruct", base_licence="Apache-2.0",
                  rows={"train": 60, "validation": 0, "held_out": 36},
                  sources={"lease *A*.docx": 40, "b|c.pdf": 20}, permissions=("everyone",))


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    settings = ScoresSettings(drafts=6, max_draft_tokens=60, bootstrap=1000)
    return make_scores(Store(tmp_path_factory.mktemp("card")), three_engines(), settings=settings)


@pytest.fixture(scope="module")
def report(scored: Scored) -> Report:
    return Report.model_validate(scored.json("report.json"))


def test_hugging_face_reads_the_metadata_and_gives_every_figure_of_the_copy_back(report: Report):
    card = ModelCard(render_card(report, LINEAGE, "en"))
    data = card.data.to_dict()
    assert (data["license"], data["pipeline_tag"], data["base_model"]) == (
        "apache-2.0", "text-generation", "HuggingFaceTB/SmolLM2-135M-Instruct")
    assert data["language"] == ["en"]
    name, results = model_index_to_eval_results(data["model-index"])
    assert name == "leases"
    expected = {score.metric: score for score in report.scores if score.candidate == "gguf-q8_0"}
    assert {result.metric_type: result.metric_value for result in results} == {
        metric: pytest.approx(score.value, abs=1e-6) for metric, score in expected.items()}
    assert len(results) == len(expected) > 10
    bits = next(result for result in results if result.metric_type == "bits_per_byte")
    assert bits.metric_args == {"low": pytest.approx(expected["bits_per_byte"].low, abs=1e-6),
                                "high": pytest.approx(expected["bits_per_byte"].high, abs=1e-6), "n": 36}


@pytest.mark.parametrize(("changes", "licence", "name"), [
    ({}, "apache-2.0", None),
    ({"base_licence": "Gemma Terms of Use"}, "gemma", None),
    ({"base_licence": "House rules"}, "other", "House rules"),
    ({"permissions": ("client:acme",)}, "other", "Apache-2.0"),  # not for everyone: the base's licence alone does not allow it
    ({"base_licence": ""}, "other", "unknown"),
])
def test_the_licence_is_one_that_the_hub_knows_or_other(report: Report, changes: dict[str, object], licence: str, name: str | None):
    data = metadata(report, LINEAGE.model_copy(update=changes)).to_dict()
    assert (data["license"], data.get("license_name")) == (licence, name)


def test_a_base_that_is_a_folder_is_no_name_of_the_hub(report: Report):
    assert "base_model" not in metadata(report, LINEAGE.model_copy(update={"base": "/models/mine"})).to_dict()


def test_the_card_has_the_verdict_the_lineage_and_what_was_not_measured(report: Report):
    card = render_card(report, LINEAGE, "en")
    assert "**gguf-q8_0 may be served: on 36 clauses" in card
    assert "60 training rows, 0 validation rows and 36 held-out rows; what was trained on comes from 2 documents" in card
    assert "lease \\*A\\*.docx (40), b\\|c.pdf (20)" in card
    assert "Who may use it: everyone." in card
    assert "General ability outside these rows was not measured" in card
    assert "No figure here reads law" in card
    assert "tutelage make RECIPE --until scores" in card
    rows = [line for line in card.splitlines() if line.startswith("| Bits per byte |")]
    assert len(rows) == 1
    assert "better" in rows[0]


def test_the_card_speaks_chinese_where_the_recipe_does(report: Report):
    card = render_card(report, LINEAGE, "zh")
    assert "## 数据来源" in card
    assert "未测量" in card
    assert ModelCard(card).data.to_dict()["license"] == "apache-2.0"


def test_the_stage_writes_the_card_with_the_rows_that_training_used(scored: Scored):
    card = scored.artifact.file("model_card.md").read_text("utf-8")
    assert ModelCard(card).data.to_dict()["pipeline_tag"] == "text-generation"
    assert "60 training rows, 0 validation rows and 36 held-out rows" in card
