"""Two models from anywhere, judged: services over real HTTP, folders, adapters and files, with the page, the numbers and the verdict."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from judged_rows import TYPES, clause, write_conversations, write_dataset
from small_service import Service
from tiny_adapter import make_adapter
from tiny_model import make_tiny_model
from tiny_onnx import make_onnx

from tutelage.core.chat import CHATML
from tutelage.core.errors import GateClosed, InputError, ServiceUnavailable
from tutelage.core.events import Recorder
from tutelage.core.records import Score
from tutelage.core.store import Artifact
from tutelage.model.export_gguf import export_gguf
from tutelage.pipeline.judge import Asked, closed, decision_of, judge
from tutelage.pipeline.judge_models import Named, bring
from tutelage.scores.results import Report

QUICK = ("bootstrap=1000", "max_draft_tokens=60")


def right(messages: list[dict[str, str]]) -> str:
    """A draft of the asked type."""
    return clause(random.Random(messages[-1]["content"]), next(name for name in TYPES if name in messages[-1]["content"]))


def report_of(artifact: Artifact) -> Report:
    return Report.model_validate_json(artifact.file("report.json").read_text("utf-8"))


def page_of(artifact: Artifact, language: str = "en") -> str:
    return artifact.file(f"report.{language}.html").read_text("utf-8")


def judged_services(base: Service, candidate: Service, rows: Path, work: Path, *, formats: str = "", changes: tuple[str, ...] = (),
                    trained_on: Path | None = None, language: str = "en") -> Artifact:
    with base.running() as one, candidate.running() as other:
        asked = Asked(Named(one, chat_format=formats), Named(other, chat_format=formats), rows, trained_on, (*QUICK, *changes))
        return judge(asked, work, language=language)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A candidate that is less surprised by every reply, both behind services that give log-probabilities."""
    folder = tmp_path_factory.mktemp("judged")
    base, candidate = Service(logprobs=True, scale=1.0), Service(logprobs=True, scale=0.7, reply=right)
    return judged_services(base, candidate, write_conversations(folder / "rows.jsonl", 20), folder / "work", formats="chatml",
                           changes=("drafts=8",))


def test_a_better_service_is_better_in_bits_per_byte_and_the_gate_opens(scored: Artifact):
    decision = decision_of(scored)
    assert (decision.is_open, decision.verdict, decision.metric, decision.n) == (True, "better", "bits_per_byte", 20)
    scores = [Score.model_validate_json(line) for line in scored.file("scores.jsonl").read_text("utf-8").splitlines()]
    value = {(score.candidate, score.metric): score.value for score in scores}
    # the candidate's log-probabilities are 0.7 times the base's
    assert value["candidate", "bits_per_byte"] == pytest.approx(0.7 * value["base", "bits_per_byte"])
    assert closed(scored, "en") is None


def test_the_page_says_what_was_judged_as_served_and_what_was_not_measured(scored: Artifact):
    page = page_of(scored)
    assert "candidate is better than base: Bits per byte" in page
    assert "candidate was judged as served" in page
    assert "The candidates cut texts into different tokens" in page
    assert "? not measured:</b> Nothing resembles what the candidate was trained on" in page
    assert "tutelage judge --base http://127.0.0.1:" in page
    assert "候选模型是否优于基础模型" in page_of(scored, "zh")


def test_figures_in_tokens_of_services_are_left_out(scored: Artifact):
    metrics = {score.metric for score in report_of(scored).scores}
    assert not metrics & {"perplexity", "draft_tokens"}
    assert {"bits_per_byte", "rouge_l", "chrf", "stopped_share"} <= metrics


def test_services_without_log_probabilities_are_judged_by_their_answers(tmp_path: Path):
    rows = write_conversations(tmp_path / "rows.jsonl", 12)
    artifact = judged_services(Service(reply=lambda messages: "No."), Service(reply=right), rows, tmp_path / "work", language="zh")
    decision, report = decision_of(artifact), report_of(artifact)
    assert (decision.metric, decision.verdict, decision.n) == ("rouge_l", "better", 12)
    assert report.drafted_rows == 12  # all, since drafts decide
    assert [limit.key for limit in report.not_measured].count("scores.limit.no_logprobs") == 2
    assert "bits_per_byte" not in {score.metric for score in report.scores}
    assert "不提供文本的对数概率" in page_of(artifact, "zh")


def test_the_same_model_twice_is_not_enough_evidence_and_closes_the_gate(tmp_path: Path):
    rows = write_conversations(tmp_path / "rows.jsonl", 8)
    artifact = judged_services(Service(reply=right), Service(reply=right), rows, tmp_path / "work")
    error = closed(artifact, "en")
    assert isinstance(error, GateClosed)
    assert error.exit_code == 3
    assert "Not enough evidence that candidate is better than base: ROUGE-L" in str(error)
    assert "The two hardly differ on 8 rows" in str(error)


def test_a_worse_candidate_is_worse_and_the_next_step_keeps_the_base(tmp_path: Path):
    rows = write_conversations(tmp_path / "rows.jsonl", 12)
    artifact = judged_services(Service(reply=right), Service(reply=lambda messages: "No."), rows, tmp_path / "work")
    assert decision_of(artifact).verdict == "worse"
    assert "candidate is worse than base" in str(closed(artifact, "en"))
    assert "请继续使用 base" in str(closed(artifact, "zh"))


def test_a_service_is_asked_again_each_time_and_a_judgement_stays(tmp_path: Path):
    rows, work = write_conversations(tmp_path / "rows.jsonl", 6), tmp_path / "work"
    with Service(reply=right).running() as one, Service().running() as other:
        asked = Asked(Named(one), Named(other), rows, None, QUICK)
        first, second = judge(asked, work), judge(asked, work)
    assert first.id != second.id
    assert first.folder.is_dir()


def test_training_rows_find_leaks_and_teach_the_judge_of_types(tmp_path: Path):
    rows = write_dataset(tmp_path / "examples.jsonl", 12, 30)
    artifact = judged_services(Service(reply=lambda messages: "No."), Service(reply=right), rows, tmp_path / "work", trained_on=rows)
    report = report_of(artifact)
    assert report.leaks == 0
    assert report.classifier_rows == 30
    assert "clause_type_match" in {score.metric for score in report.scores}
    assert report.held_out_rows == 12
    copied = tmp_path / "copied.jsonl"
    copied.write_text(rows.read_text("utf-8").replace('"part":"held_out"', '"part":"train"'), "utf-8")
    leaking = judged_services(Service(reply=lambda messages: "No."), Service(reply=right), rows, tmp_path / "work", trained_on=copied)
    assert report_of(leaking).leaks == 12
    assert "12 rows resemble rows that were trained on" in str(closed(leaking, "en"))


PROMPTFOO = 'prompts: ["Reply with one word. {{question}}"]\ntests:\n' + "".join(
    f'  - {{vars: {{question: "Say word{number}"}}, assert: [{{type: contains, value: word{number}}}]}}\n' for number in range(10))


def test_a_promptfoo_file_is_judged_by_its_own_assertions(tmp_path: Path):
    (tmp_path / "promptfooconfig.yaml").write_text(PROMPTFOO, "utf-8")
    artifact = judged_services(Service(reply=lambda messages: "Sorry"), Service(), tmp_path / "promptfooconfig.yaml", tmp_path / "work")
    decision = decision_of(artifact)
    assert (decision.metric, decision.verdict, decision.n, decision.difference) == ("checks_met", "better", 10, 1.0)
    # nothing says what the answers must equal, so nothing compares them with a text; what `contains` demands are points to be covered
    assert {score.metric for score in report_of(artifact).scores} == {"checks_met", "looping_share", "points_covered", "repetition",
                                                                      "stopped_share"}


def test_two_folders_an_adapter_and_a_file_are_judged_and_found_again(tmp_path: Path):
    base, rows, work = make_tiny_model(tmp_path / "base"), write_conversations(tmp_path / "rows.jsonl", 6), tmp_path / "work"
    adapter = make_adapter(base, tmp_path / "trained", seed=2)
    export_gguf(base, tmp_path / "base.gguf", quantisation="q8_0", name="base", chat_format=CHATML)
    quick = ("bootstrap=1000", "drafts=2", "max_draft_tokens=4")
    recorder = Recorder()
    one = judge(Asked(Named(str(base)), Named(str(adapter)), rows, None, quick), work, listeners=[recorder])
    report = report_of(one)
    assert "perplexity" in {score.metric for score in report.scores}  # both have the same tokens
    assert report.artifacts["candidate"] == f"{adapter} on base"
    again = judge(Asked(Named(str(base)), Named(str(adapter)), rows, None, quick), work, listeners=[recorder])
    assert again.id == one.id
    assert recorder.events[-1].key == "run.up_to_date"
    two = judge(Asked(Named(str(base)), Named(str(tmp_path / "base.gguf")), rows, None, quick), work)
    assert report_of(two).engines == {"base": "TorchEngine", "candidate": "GgufEngine"}
    # eight bits change little
    assert abs(decision_of(two).difference) < 0.01


def test_an_onnx_copy_is_brought_with_its_own_chat_format_and_opened_only_when_asked(tmp_path: Path):
    copy = make_onnx(make_tiny_model(tmp_path / "base"), "int8_blocks")
    found = bring(Named(str(copy)), "copy", cache=tmp_path)
    assert (found.identity, found.candidate.chat_format) == (str(copy), CHATML)
    engine = found.candidate.open()
    assert engine.name == "candidate"
    engine.close()
    (copy / "model.onnx").unlink()
    with pytest.raises(InputError, match=r"there is no such file, but onnx\.json names it"):
        bring(Named(str(copy)), "copy", cache=tmp_path).candidate.open()


def test_adapters_of_other_tools_stand_on_the_base_that_they_name_or_on_the_other_model(tmp_path: Path):
    base = make_tiny_model(tmp_path / "base")
    adapter = make_adapter(base, tmp_path / "trained")
    config = adapter / "adapter_config.json"
    saved = json.loads(config.read_text("utf-8"))

    def named(**changes: object) -> None:
        config.write_text(json.dumps({**saved, **changes}), "utf-8")

    named(base_model_name_or_path=str(base))
    assert bring(Named(str(adapter)), "copy", cache=tmp_path).identity.endswith("on base")
    # as Unsloth saves: a hub's name, and fields of its own
    named(base_model_name_or_path="unsloth/llama-3.2-1b", auto_mapping={"base_model_class": "LlamaForCausalLM", "unsloth_fixed": True})
    found = bring(Named(str(adapter)), "copy", cache=tmp_path, beside=str(base))
    engine = found.candidate.open()
    assert engine.context_length == 2048
    engine.close()
    with pytest.raises(InputError, match=r"an adapter on unsloth/llama-3\.2-1b, which is not on this machine.*Give the folder of its base"):
        bring(Named(str(adapter)), "copy", cache=tmp_path, beside="http://127.0.0.1:1/v1")
    config.write_text("[]", "utf-8")
    with pytest.raises(InputError, match="is no JSON object; expected what PEFT, LLaMA-Factory, axolotl or Unsloth save"):
        bring(Named(str(adapter)), "copy", cache=tmp_path, beside=str(base))


@pytest.mark.parametrize(("named", "said"), [
    (Named("http://127.0.0.1:1/v1", chat_format="chat"), r"--candidate-format chat: is no format that is known; known are chatml"),
    (Named("folder", model="m"), r"--candidate-model m: belongs to the address of a service; folder is none"),
    (Named("folder"), "base model 'folder' is unknown"),
])
def test_a_model_that_cannot_be_brought_is_said(named: Named, said: str, tmp_path: Path):
    with pytest.raises(InputError, match=said):
        bring(named, "copy", cache=tmp_path)


@pytest.mark.parametrize(("change", "said"), [
    ("drafts", r"--set drafts: must be key=value"), ("draft=3", r"--set draft: .*Settings are those of `scores`"),
    ("drafts=many", r"--set drafts: .*valid integer"), ("memory=quick", "--set memory: what was trained on is not probed here"),
])
def test_a_setting_that_is_none_is_said(change: str, said: str, tmp_path: Path):
    rows = write_conversations(tmp_path / "rows.jsonl", 2)
    address = Named("http://127.0.0.1:1/v1")
    with pytest.raises(InputError, match=said):
        judge(Asked(address, address, rows, None, (change,)), tmp_path / "work")


def test_nothing_to_compare_is_said(tmp_path: Path):
    with pytest.raises(InputError, match=r"nothing was measured on both models.*--set drafts=48"):
        judged_services(Service(), Service(), write_conversations(tmp_path / "rows.jsonl", 3), tmp_path / "work", changes=("drafts=0",))


def test_a_service_that_is_not_there_ends_with_four_and_leaves_nothing(tmp_path: Path):
    rows = write_conversations(tmp_path / "rows.jsonl", 3)
    with pytest.raises(ServiceUnavailable) as error:
        judge(Asked(Named("http://127.0.0.1:9/v1"), Named("http://127.0.0.1:9/v1"), rows), tmp_path / "work")
    assert error.value.exit_code == 4
    assert [path.name for path in (tmp_path / "work" / "judged").iterdir() if not path.name.startswith(".")] == []
