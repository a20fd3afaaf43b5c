"""The page of a training: what came out, curves, lengths, proof, settings and hashes, in both languages."""

import re

import pytest

from tutelage.core.files import read_rows
from tutelage.training.checkpoint import CurveRow
from tutelage.training.fitting import Lost
from tutelage.training.page import render
from tutelage.training.promise import Kept
from tutelage.training.settings import TrainingSettings
from tutelage.training.summary import Summary


@pytest.fixture
def parts(calm):
    summary = Summary.model_validate_json(calm.file("training.json").read_text("utf-8"))
    return summary, TrainingSettings.model_validate(calm.manifest.settings), list(read_rows(calm.file("curve.jsonl"), CurveRow))


@pytest.mark.parametrize(("language", "took"), [("en", "The tune took: read back from the disk"), ("zh", "微调有效：从磁盘重新读取后")])
def test_each_training_has_a_page_that_needs_nothing_but_itself(calm, language, took):
    page = calm.file(f"report.{language}.html").read_text("utf-8")
    assert took in page
    assert not re.search(r"(?i)https?://|<script|<link|<img|url\(", page)
    # Loss, bits a byte, learning rate, gradient norm, tokens a second, memory; and the histogram of lengths.
    assert page.count('<svg class="curve"') == 6
    assert page.count("<svg") == 7


def test_the_page_tells_what_the_files_say(calm, parts):
    summary, settings, curve = parts
    page = calm.file("report.en.html").read_text("utf-8")
    for hashed in (summary.weights_sha256, summary.base_sha256, summary.tokenizer_sha256, summary.chat_format_hash, summary.dataset):
        assert hashed in page
    assert f"<td>{settings.rank}</td>" in page
    assert f"{summary.proof.base_loss:.4g}" in page
    assert f"{summary.base_bits_per_byte:.4g}" in page
    assert f"On {summary.validation.rows} validation rows; the tuned model is that of step {summary.best_step}." in page
    assert f"limit is at {settings.maximum_tokens:,}" in page
    assert f"gradient norm, before it is limited: {curve[1].gradient_norm:.4g} at first" in page.lower()
    assert "were left out" not in page


def test_rows_that_were_left_out_and_an_early_stop_stand_in_the_headline(parts):
    summary, settings, curve = parts
    lost = summary.model_copy(update={"lost": Lost(left_out=3, left_out_tokens=4500, cut=2, cut_tokens=50, split=1), "tokens_lost": 4550,
                                      "shrunk_at": (2, 5), "micro_batch_tokens": 64, "stopped_early": True, "steps": 6, "best_step": 4})
    page = render(lost, settings, curve, [10, 20], "en")
    assert "3 rows with 4,500 tokens are longer than 1024 tokens and were left out." in page
    assert "stopped early after 6, the best of them 4" in page
    assert "2 rows are longer than 1024 tokens and were cut; 50 tokens of them are lost." in page
    assert "1 texts are longer than 1024 tokens and were split into pieces; no token is lost." in page
    assert "4,550 in 5 rows" in page
    assert "Memory ran out in step 2, 5: from then on 64 tokens were computed at once." in page


@pytest.mark.parametrize(("is_kept", "said"), [(True, "The promise was kept: within 20 %"), (False, "The promise was missed by more")])
def test_the_page_sets_what_was_promised_beside_what_it_took(parts, is_kept, said):
    summary, settings, curve = parts
    kept = Kept(promised_minutes=4.0, minutes=5.0, promised_memory_gb=2.0, memory_gb=1.9, is_kept=is_kept)
    page = render(summary.model_copy(update={"kept": kept}), settings, curve, [10, 20], "en")
    assert said in page
    assert re.search(r"Minutes</t[dh]>.*?4\.0.*?5\.0.*?\+25 %", page)
    assert re.search(r"Memory, GB at most</t[dh]>.*?2\.0.*?1\.9.*?-5 %", page)


def test_a_task_without_bytes_shows_its_share_and_rows(parts):
    summary, settings, curve = parts
    judged = summary.model_copy(update={"base_bits_per_byte": None, "best_bits_per_byte": None, "base_score": 0.5, "best_score": 0.875,
                                        "unit": "row", "base_loss": 0.5, "best_loss": 0.25})
    scored = [row.model_copy(update={"bits_per_byte": None, "score": 0.5 + row.step / 100}) for row in curve]
    page = render(judged, settings, scored, [10, 20], "en")
    assert "Bits per byte" not in page
    assert "<td>50.0 %</td><td>87.5 %</td><td>+37.5</td>" in page
    # From 0.5 to 0.25 is half of it.
    assert "<td>0.5</td><td>0.25</td><td>-50.0 %</td>" in page
    assert page.count('<svg class="curve"') == 6
