"""What is measured of each copy: exact against numbers made another way, and enough to refuse a ruined copy."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from model_stage import GRADER, WEIGH, held_out_row, run_model
from safetensors.numpy import load_file, save_file
from test_model_make import ruin

from tutelage.core.chat import CHATML
from tutelage.core.copies import Copies, PairedBits
from tutelage.core.errors import GateClosed, TutelageError
from tutelage.core.events import Recorder
from tutelage.core.language import text
from tutelage.engine.torch_base import load_causal
from tutelage.model.evidence_drafts import DRAFTS, prepare_drafts
from tutelage.model.evidence_rows import AnswerRow, answer_rows, compare_row, compare_rows, fidelity
from tutelage.model.evidence_speed import Timing, measure_speed, time_copy
from tutelage.model.export_gguf import export_gguf

ROWS = 8


@pytest.fixture(scope="module")
def copy(taught: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("copy") / "model-q8_0.gguf"
    export_gguf(taught[0], path, quantisation="q8_0", name="taught", chat_format=CHATML)
    return path


def copies_of(artifact) -> Copies:  # type: ignore[no-untyped-def]
    return Copies.model_validate_json(artifact.file("evidence.json").read_text("utf-8"))


def test_divergence_agreement_and_flips_are_those_of_the_logits(taught, copy, rows):
    base, _ = taught
    answers = answer_rows(base, rows, CHATML)
    found = compare_rows(base, copy, answers)
    model = load_causal(base)
    for row, one in zip(answers, found, strict=True):
        with torch.inference_mode():
            logprobs = torch.log_softmax(model(input_ids=torch.tensor([row.ids])).logits[0, row.start - 1:-1].double(), -1)
        targets = torch.tensor(row.ids[row.start:])
        assert one.nats == pytest.approx(-float(logprobs.gather(1, targets[:, None]).sum()), abs=1e-3)
        assert one.tokens == len(targets) == len(row.ids) - row.start
        assert 0 <= one.kl_nats < 0.05 * one.tokens
        assert one.same_top <= one.tokens
    together = fidelity(found)
    assert together.tokens == sum(len(row.ids) - row.start for row in answers)
    assert together.top_1_share == sum(one.same_top for one in found) / together.tokens


def test_the_numbers_of_one_token_are_right_by_hand():
    # Over two tokens the parent says (0.75, 0.25), the copy (0.25, 0.75), and the true token is 0:
    # KL = 0.75 ln 3 + 0.25 ln (1/3) = 0.5 ln 3; the likeliest token flips from right to wrong.
    row = AnswerRow(id="r", document_id="d", ids=(1, 0), start=1, size_bytes=1)
    found = compare_row(row, iter([np.log(np.array([0.75, 0.25], np.float32))]), iter([np.log(np.array([0.25, 0.75], np.float32)) + 5]))
    assert found.nats == pytest.approx(-math.log(0.75), abs=1e-6)
    assert found.copy_nats == pytest.approx(-math.log(0.25), abs=1e-6)
    assert found.kl_nats == pytest.approx(0.5 * math.log(3), abs=1e-6)
    assert (found.tokens, found.same_top, found.right_to_wrong, found.wrong_to_right) == (1, 0, 1, 0)


def test_the_kept_copy_has_its_evidence_beside_it(taught, rows, tmp_path):
    recorder = Recorder()
    artifact = run_model(tmp_path, *taught, rows, recorder, measure="quick")
    found = copies_of(artifact)
    (kept,) = found.copies
    assert (found.rows, found.documents, found.larger, found.target) == (ROWS, ROWS, "f16", "")
    assert (kept.name, kept.shape, kept.kept, kept.reason) == ("q8_0", "", True, "model.copy.holds")
    assert kept.size_bytes == artifact.file("model-q8_0.gguf").stat().st_size
    assert kept.loss is not None
    assert kept.rounding == kept.loss.cost
    assert kept.loss.cost.state == "holds"
    assert kept.loss.value == pytest.approx(kept.loss.before + kept.loss.cost.difference)
    assert kept.fidelity is not None
    assert kept.fidelity.top_1_share > 0.9
    assert kept.speed is not None
    assert kept.speed.new_tokens == 16
    assert kept.speed.prompts == 3
    told = {event.key: event.facts for event in recorder.events if event.kind == "note"}
    for language in ("en", "zh"):
        assert f"{kept.loss.cost.difference:+.4f}" in text("model.measured", language, **told["model.measured"])
        assert f"{kept.speed.tokens_per_second}" in text("model.timed", language, **told["model.timed"])


def test_with_full_measuring_copies_draft_and_are_judged_beside_the_tuned_model(taught, rows, tmp_path):
    (kept,) = copies_of(run_model(tmp_path, *taught, rows, measure="full")).copies
    assert kept.drafts
    assert (kept.drafts.rows, kept.drafts.documents) == (ROWS, ROWS)
    assert kept.drafts.before > 0.5  # it learned these answers
    assert kept.drafts.difference == pytest.approx(kept.drafts.task - kept.drafts.before)
    assert kept.drafts.low <= kept.drafts.difference <= kept.drafts.high
    assert (kept.drafts.valid_share, kept.drafts.valid_before) == (None, None)
    (quick,) = copies_of(run_model(tmp_path / "quick", *taught, rows, measure="quick")).copies
    assert quick.drafts is None


def test_drafted_rows_are_of_as_many_documents_as_there_are(taught):
    base, _ = taught
    rows = [held_out_row(number).model_copy(update={"document_id": "d" if number < 10 else f"d{number}"}) for number in range(14)]
    drafting = prepare_drafts(base, base, rows, CHATML, GRADER)
    assert drafting
    assert len(drafting.prompts) == DRAFTS
    assert sorted(set(drafting.documents)) == ["d", "d10", "d11", "d12", "d13"]
    assert drafting.truths[:5] == [rows[number].text for number in (0, 10, 11, 12, 13)]


def test_a_copy_with_ruined_weights_costs_too_much_and_gives_way_to_the_next_larger_one(tiny, taught, rows, tmp_path):
    recorder = Recorder()
    artifact = run_model(tmp_path, *taught, rows, ruin(tmp_path, tiny), recorder, measure="quick", minimum_agreement=0.0)
    found = copies_of(artifact)
    assert [(one.name, one.kept, one.reason) for one in found.copies] == [
        ("q8_0", False, "model.copy.costs"), ("f16", True, "model.copy.fails")]
    refused = found.copies[0]
    assert refused.loss is not None
    assert refused.loss.cost.state == "fails"
    assert refused.loss.cost.low > 0.01
    assert refused.fidelity is not None
    assert refused.fidelity.right_to_wrong > 10 > refused.fidelity.wrong_to_right
    assert found.larger == ""
    (warned,) = [event for event in recorder.events if event.key == "model.costs"]
    assert "the q8_0 copy is refused: on 8 unseen answers it costs" in text("model.costs", "en", **warned.facts)
    assert "改试 f16 副本" in text("model.costs", "zh", **warned.facts)


def test_without_fallback_a_costly_copy_is_kept_for_the_gate_to_judge(tiny, taught, rows, tmp_path):
    artifact = run_model(tmp_path, *taught, rows, ruin(tmp_path, tiny), measure="quick", minimum_agreement=0.0, fallback=False)
    assert [(one.name, one.kept, one.reason) for one in copies_of(artifact).copies] == [("q8_0", True, "model.copy.fails")]


def test_rows_of_too_few_documents_decide_nothing(taught, tmp_path):
    artifact = run_model(tmp_path, *taught, [held_out_row(number) for number in range(ROWS)], measure="quick")
    (kept,) = copies_of(artifact).copies
    assert (kept.reason, kept.loss and kept.loss.cost.state) == ("model.copy.open", "not enough evidence")


def test_nothing_is_measured_where_that_is_asked_for(taught, rows, tmp_path):
    artifact = run_model(tmp_path, *taught, rows, measure="off")
    assert "evidence.json" not in artifact.manifest.files


def test_the_more_copies_are_tried_the_wider_the_interval_that_must_hold():
    draw = np.random.default_rng(0)
    before = list(draw.uniform(50, 100, 30))
    after = [bits + draw.normal(0.2, 1.0) for bits in before]
    bits = PairedBits([f"d{number}" for number in range(30)], before, after, [100] * 30)
    one, eight = WEIGH(bits, 1), WEIGH(bits, 8)
    assert one.cost.difference == eight.cost.difference == pytest.approx((sum(after) - sum(before)) / 3000)
    assert eight.cost.low < one.cost.low < one.cost.high < eight.cost.high
    assert (one.value, one.low, one.high) == (eight.value, eight.low, eight.high)


def test_speed_is_measured_in_a_process_of_its_own(copy):
    prompts = [[1, 2, 3, 4], [5, 6, 7]]
    apart = measure_speed(copy, Timing(prompts, 32, threads=1))
    assert (apart.threads, apart.streams, apart.prompts, apart.new_tokens, apart.context_length) == (1, 8, 2, 32, 36)
    assert min(apart.load_seconds, apart.first_token_ms, apart.token_ms, apart.tokens_per_second, apart.tokens_per_second_streams) > 0
    here = time_copy(copy, Timing(prompts, 32, threads=1))
    assert apart.peak_rss_mb < here.peak_rss_mb - 100  # PyTorch, which this process holds, takes more than that


def test_a_truncated_copy_is_named_and_not_timed(copy, tmp_path):
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(copy.read_bytes()[:-5000])
    with pytest.raises(TutelageError, match=r"the process that times broken\.gguf ended with 1: .*Set model\.measure: off"):
        measure_speed(broken, Timing([[1, 2]], 2))


def test_a_copy_without_finite_numbers_is_refused(taught, rows, tmp_path):
    base, _ = taught
    other = shutil.copytree(base, tmp_path / "wild")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"][:] = 3e38  # finite as it is written, not when it is multiplied
    save_file(weights, other / "model.safetensors", metadata={"format": "pt"})
    path = tmp_path / "wild.gguf"
    export_gguf(other, path, quantisation="f16", name="wild", chat_format=CHATML)
    with pytest.raises(GateClosed, match=r"the copy wild\.gguf gives no finite number for the answer of row row00; it is broken"):
        compare_rows(base, path, answer_rows(base, rows, CHATML))
