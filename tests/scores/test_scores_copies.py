"""Copies on the page of scores, the next larger one in the next step, and a ruined copy before the real gate."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from fake_scores import Scored, made_up_rows, make_scores, parent, parents_of, three_engines
from taught import teach
from tiny_model import make_tiny_model

from tutelage.core.chat import CHATML
from tutelage.core.copies import Copies, CopyCost, CopyEvidence, Drafted, Fidelity, Speed, Weighed
from tutelage.core.events import Events
from tutelage.core.language import text
from tutelage.core.records import Example, GateDecision, Message
from tutelage.core.store import Artifact, Store
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.engine.torch_engine import TorchEngine
from tutelage.model.export_gguf import export_gguf
from tutelage.scores.costs import costs_of_copies
from tutelage.scores.make import Candidate, make
from tutelage.scores.page_copies import copies_lines, copies_section, front_lines
from tutelage.scores.results import Report
from tutelage.scores.settings import ScoresSettings

FACTS = {"difference": 0.03, "low": 0.02, "high": 0.04, "margin": 0.01, "rows": 16}


def evidence(name: str, megabytes: float, difference: float, speed: float, *, kept: bool = False) -> CopyEvidence:
    """One measured copy, 0.01 wide on each side."""
    cost = CopyCost(difference=difference, low=difference - 0.01, high=difference + 0.01, margin=0.01,
                    state="fails" if difference > 0.02 else "holds")
    return CopyEvidence(
        name=name, quantisation=name, shape="", kept=kept, reason="model.copy.holds" if kept else "model.copy.costs", facts=FACTS,
        size_bytes=int(megabytes * 1e6), rounding=cost,
        loss=Weighed(before=0.9, value=0.9 + difference, low=0.8 + difference, high=1.0 + difference, cost=cost),
        fidelity=Fidelity(tokens=100, kl_nats=0.0421, top_1_share=0.871, right_to_wrong=11, wrong_to_right=4),
        speed=Speed(threads=3, load_seconds=0.5, peak_rss_mb=10 * megabytes, first_token_ms=21, token_ms=9.5, tokens_per_second=speed,
                    tokens_per_second_streams=2 * speed, streams=8, prompts=3, new_tokens=16, context_length=68))


COPIES = Copies(rows=16, documents=14, larger="q8_0", target="megabytes <= 130", copies=(
    evidence("q4_k_m", 100, 0.03, 60), evidence("q5_k_m", 120, 0.004, 50, kept=True), evidence("q6_slow", 130, 0.004, 40)))


def with_copies(store: Store) -> dict[str, Artifact]:
    found = parents_of(store, made_up_rows())
    weights = {"model-q8_0.gguf": "weights", "merged/model.safetensors": "weights"}
    other = Store(store.work / "other")
    return found | {"model": parent(other, "model", weights | {"evidence.json": COPIES.model_dump_json()})}


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Scores of a model with three measured copies, the kept one of which costs too much."""
    store = Store(tmp_path_factory.mktemp("copies"))
    return make_scores(store, three_engines(copy_cost=0.1), parents=with_copies(store))


def test_the_page_has_a_table_and_a_plot_of_copies_with_the_reason_for_each(scored: Scored) -> None:
    assert Report.model_validate_json(scored.artifact.file("report.json").read_text("utf-8")).copies == COPIES
    said = {"en": ("Copies: kept and refused", "Searched for: megabytes &lt;= 130.", "refused: it costs 0.0300 bits per byte"),
            "zh": ("副本：保留与未保留", "搜索目标：megabytes &lt;= 130。", "未接受：在 16 条数据上")}
    for language, words in said.items():
        page = scored.artifact.file(f"report.{language}.html").read_text("utf-8")
        for word in words:
            assert word in page
        assert page.count("<svg") == 8
        ids = re.findall(r'\bid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        costs, runs = (re.findall(r"<tr><th scope=\"row\">(q\w+)</th>(.*?)</tr>", table) for table in page.split('class="copies"')[1:3])
        assert [name for name, _ in costs] == [name for name, _ in runs] == ["q4_k_m", "q5_k_m", "q6_slow"]
        assert "0.9040 [0.8040, 1.0040]" in costs[1][1]
        assert "+0.0040 [-0.0060, +0.0140]" in costs[1][1]
        for figure in ("0.0421", "87.1 %", "11 / 4"):
            assert f"<td>{figure}</td>" in costs[1][1]
        for figure in ("1,200", "50.0", "100.0"):
            assert f"<td>{figure}</td>" in runs[1][1]


def test_the_copies_that_nobody_beats_are_marked() -> None:
    costs, scores = costs_of_copies(COPIES)
    assert {one.candidate: one.best for one in costs} == {
        "q4_k_m": ("size", "speed", "memory"), "q5_k_m": ("size", "speed", "memory"), "q6_slow": ()}
    assert [score.value for score in scores] == pytest.approx([0.93, 0.904, 0.904])


def test_copies_are_told_in_lines() -> None:
    lines = copies_lines(COPIES, "en")
    assert lines[0] == "Searched for: megabytes <= 130."
    assert lines[2].startswith("copy q5_k_m: 120.0 MB, bits per byte 0.9040 [0.8040, 1.0040], against the tuned model +0.0040")
    assert "nobody beats it in: size, speed, memory. kept: on 16 rows it stays within 0.01 bits per byte" in lines[2]
    assert "nobody beats it in: -. refused" in lines[3]
    assert copies_lines(COPIES, "zh")[2].startswith("副本 q5_k_m：120.0 MB")


def test_the_front_is_told_with_the_kept_one_marked() -> None:
    lines = front_lines(COPIES, "en")
    assert lines == [
        "2 of 3 measured copies (3 tried) that nobody beats in quality and one cost (* is kept):",
        "  q4_k_m: bits per byte 0.9300 [0.8300, 1.0300], 100.0 MB, at most 1,000 MB of memory, 60.0 tokens/s for one answer; "
        "nobody beats it in: size, speed, memory",
        "* q5_k_m: bits per byte 0.9040 [0.8040, 1.0040], 120.0 MB, at most 1,200 MB of memory, 50.0 tokens/s for one answer; "
        "nobody beats it in: size, speed, memory"]
    assert front_lines(COPIES, "zh")[2].startswith("* q5_k_m：每字节比特数 0.9040")


def test_what_copies_drafted_has_a_table_and_lines_of_its_own() -> None:
    drafts = Drafted(rows=8, documents=6, before=0.5, task=0.48, difference=-0.02, low=-0.06, high=0.03, valid_before=1.0,
                     valid_share=0.875)
    drafted = COPIES.model_copy(update={"copies": (COPIES.copies[0], COPIES.copies[1].model_copy(update={"drafts": drafts}))})
    page = copies_section(drafted, "en", "")
    assert "What each copy drafts for 8 of these prompts of 6 documents" in page
    assert '<th scope="row">q5_k_m</th><td>0.480</td><td>-0.020 [-0.060, +0.030]</td><td>88 % (100 %)</td>' in page
    assert "What each copy drafts" not in copies_section(COPIES, "en", "")
    lines = copies_lines(drafted, "en")
    assert lines[3] == ("copy q5_k_m: over 8 drafts ROUGE-L 0.480, against the tuned model's drafts -0.020 [-0.060, +0.030]; JSON of the "
                        "right form 88 % (100 %)")
    assert len(lines) == 4
    plain = drafts.model_copy(update={"valid_before": None, "valid_share": None})
    assert copies_lines(COPIES.model_copy(update={"copies": (COPIES.copies[1].model_copy(update={"drafts": plain}),)}), "zh")[2].endswith(
        "JSON 结构正确 -")


def test_the_next_step_after_a_refused_copy_names_the_next_larger_one(scored: Scored) -> None:
    gate = GateDecision.model_validate(scored.json("gate.json"))
    assert gate.next_key == "scores.next.copy_worse"
    assert text(gate.next_key, "en", **gate.facts).endswith("are allowed. Set `model.quantisation: q8_0`, the next larger copy.")
    assert "请设置 `model.quantisation: q8_0`，即更大一级的副本。" in text(gate.next_key, "zh", **gate.facts)


def test_a_copy_with_ruined_weights_does_not_pass_the_real_gate(tmp_path: Path) -> None:
    rows = [_known(number) for number in range(10)]
    base = make_tiny_model(tmp_path / "base")
    tuned = teach(base, tmp_path / "tuned", rows)
    good, ruined = tmp_path / "good.gguf", tmp_path / "ruined.gguf"
    export_gguf(tuned, good, quantisation="f16", name="good", chat_format=CHATML)
    other = make_tiny_model(tmp_path / "other", seed=1)
    export_gguf(other, ruined, quantisation="f16", name="ruined", chat_format=CHATML)
    decisions = {name: _gate(tmp_path / name, rows, {"base": base, "tuned": tuned, "copy": path})
                 for name, path in (("good", good), ("ruined", ruined))}
    assert decisions["good"].is_open
    assert not decisions["ruined"].is_open
    assert "scores.rule.copy" not in decisions["ruined"].undecided


def _known(number: int) -> Example:
    """A held-out row of a document of its own, whose answer a model can learn by heart."""
    messages = (Message(role="user", content=f"Clause {number}?"), Message(role="assistant", content=f"It ends after {number} days."))
    return Example(id=f"row{number}", messages=messages, clause_type="term", keywords=(), language="en", heading="",
                   document_id=f"d{number}", source="d.txt", start=0, end=9, family=f"f{number}", part="held_out")


def _gate(work: Path, rows: list[Example], models: Mapping[str, Path]) -> GateDecision:
    """What the gate says of real engines over these models."""
    store, settings = Store(work), ScoresSettings(drafts=0, bootstrap=1000, memory="off", beside=())
    candidates = [Candidate("base", "base", lambda: TorchEngine(models["base"], name="base"), CHATML),
                  Candidate("tuned", "tuned", lambda: TorchEngine(models["tuned"], name="tuned"), CHATML),
                  Candidate("gguf-f16", "copy", lambda: GgufEngine(models["copy"], name="gguf-f16", context_length=256), CHATML)]
    with store.making("scores", "s1", version=1, recipe="", settings=settings, parents=parents_of(store, rows), inputs={},
                      events=Events()) as making:
        make(making, candidates=candidates)
    found = store.look_up("scores", "s1")
    assert found
    return GateDecision.model_validate_json(found.file("gate.json").read_text("utf-8"))
