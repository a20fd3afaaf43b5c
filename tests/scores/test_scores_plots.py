"""The numbers behind the page's plots, by hand, and the plots themselves in both languages."""

from __future__ import annotations

import json
import math
import re

import pytest
from fake_scores import Scored, example, make_scores, three_engines

from tutelage.cli.show import run_show
from tutelage.core.files import read_rows
from tutelage.core.records import Answer, Score, TokenScore
from tutelage.core.store import Store
from tutelage.scores.asked import surprise_of
from tutelage.scores.calibration import calibration
from tutelage.scores.classifier import TypeClassifier
from tutelage.scores.confusion import confusions, reliability
from tutelage.scores.costs import COSTS, best_of, cost_line, costs_of
from tutelage.scores.plot_results import Cost, Reliability
from tutelage.scores.plots import exposure_plot, pareto_plot, reliability_plot, sure_plot
from tutelage.scores.results import Canaries, CandidateMeasured, Exposure, Measured, Report, RowMeasure
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.slices import heat


class Says(TypeClassifier):
    """A classifier that says what it was told to."""

    def __init__(self, said: list[tuple[str, float]]) -> None:
        self._said = said

    def judge(self, texts: object) -> list[tuple[str, float]]:
        return self._said


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Scored:
    settings = ScoresSettings(drafts=12, max_draft_tokens=60, bootstrap=1000, memory="off")
    return make_scores(Store(tmp_path_factory.mktemp("plots")), three_engines(), settings=settings)


@pytest.fixture(scope="module")
def report(scored: Scored) -> Report:
    return Report.model_validate(scored.json("report.json"))


def row(name: str, candidate: str, clause_type: str, bits: float | None, named: str | None = None) -> RowMeasure:
    """A row of 8 bytes."""
    nats = None if bits is None else bits * 8 * 0.6931471805599453
    return RowMeasure(row=name, candidate=candidate, document_id=f"d{name}", clause_type=clause_type, nats=nats, reply_tokens=2,
                      size_bytes=8, bits_per_byte=bits, type_predicted=named)


def test_the_calibration_error_is_hand_worked() -> None:
    rows = [example(number, "held_out", "payment", "Pay.", "d") for number in range(4)]
    said = [("payment", 0.95), ("payment", 0.91), ("payment", 0.42), ("term", 0.48)]
    found = reliability(Says(said), rows, 0.05)
    assert found is not None
    # Bin 0.9 to 1: sure 0.93, right 2 of 2. Bin 0.4 to 0.5: sure 0.45, right 1 of 2. Error: (2 x 0.07 + 2 x 0.05) / 4 = 0.06
    assert found.error == pytest.approx(0.06)
    assert [(one.n, one.right, pytest.approx(one.confidence)) for one in found.bins] == [(2, 1, 0.45), (2, 2, 0.93)]
    assert (found.n, found.right, pytest.approx(found.confidence)) == (4, 3, 0.69)
    assert reliability(None, rows, 0.05) is None
    assert reliability(Says([]), [], 0.05) is None


def test_drafts_are_counted_by_asked_and_named_type() -> None:
    rows = [row("1", "copy", "payment", 1.0, "payment"), row("2", "copy", "payment", 1.0, "term"), row("3", "copy", "term", 1.0, "term"),
            row("4", "copy", "term", 1.0)]
    (found,) = confusions({"base": [row("1", "base", "payment", 1.0)], "copy": rows})
    assert (found.candidate, found.n, found.right) == ("copy", 3, 2)
    assert found.named == {"payment": {"payment": 1, "term": 1}, "term": {"term": 1}}


def test_the_heat_of_a_slice_is_bits_over_bytes_and_leaves_out_who_did_not_score_all_of_it() -> None:
    examples = {name: example(0, "held_out", kind, "Pay now.", f"d{name}")
                for name, kind in (("1", "payment"), ("2", "payment"), ("3", "term"))}
    bits = {"base": (3.0, 1.0, 2.0), "copy": (1.0, 1.0, 1.5), "retrieved": (None, 1.0, 1.0)}
    rows = {name: [row(str(place + 1), name, ("payment", "payment", "term")[place], value) for place, value in enumerate(values)]
            for name, values in bits.items()}
    by_type = {one.name: one for one in heat(rows, examples, set()) if one.kind == "clause_type"}
    assert by_type["payment"].bits_per_byte == pytest.approx({"base": 2.0, "copy": 1.0})
    assert by_type["term"].bits_per_byte == pytest.approx({"base": 2.0, "copy": 1.5, "retrieved": 1.0})
    assert (by_type["payment"].n, by_type["payment"].documents) == (2, 2)


def test_nobody_beats_the_best_in_quality_and_cost() -> None:
    points = {"base": (1.2, 500.0), "tuned": (1.0, 500.0), "copy": (1.01, 140.0), "worse": (1.3, 600.0)}
    assert best_of(points, is_fast=False) == {"tuned", "copy"}
    assert best_of(points, is_fast=True) == {"tuned", "worse"}
    assert best_of({"one": (1.0, 2.0), "same": (1.0, 2.0)}, is_fast=False) == {"one", "same"}


def test_how_sure_a_candidate_is_of_its_tokens_is_compared_with_how_often_it_is_right() -> None:
    # Two tokens at 90 %, one of them right; one at 20 %, right: apart by 0.4 and 0.8, weighted by number 1.6 / 3.
    scores = [TokenScore(token_id=1, logprob=math.log(chance), highest=math.log(best))
              for chance, best in ((0.9, 0.9), (0.05, 0.9), (0.2, 0.2))]
    guesses = surprise_of(scores).guesses
    assert guesses == ((pytest.approx(0.9), True), (pytest.approx(0.9), False), (pytest.approx(0.2), True))
    found = calibration(guesses, 0.05)
    assert found is not None
    assert (found.n, found.right, [one.n for one in found.bins]) == (3, 2, [1, 2])
    assert found.error == pytest.approx((0.8 + 2 * 0.4) / 3)
    assert calibration((), 0.05) is None


def test_the_page_shows_how_sure_candidates_are_of_their_tokens(scored: Scored, report: Report) -> None:
    assert list(report.sure) == ["base", "tuned", "gguf-q8_0"]
    base = report.sure["base"]
    assert base.n == base.right > 1000  # the fake engine takes the true token for the likeliest, and is never as sure
    assert base.error == pytest.approx(1 - base.confidence)
    for language, words in (("en", "100.0 % right"), ("zh", "正确 100.0%")):
        page = scored.artifact.file(f"report.{language}.html").read_text("utf-8")
        assert page.count('<figure class="sure">') == 1
        assert f"base {words}" in page
    assert sure_plot({}, "en") == ""


def test_costs_are_what_was_measured_and_none_where_nothing_was() -> None:
    def measured(name: str, loss: float, seconds: float, size: int | None, memory: float | None) -> CandidateMeasured:
        answer = Answer(text="a", token_ids=(1,) * 30, prompt_tokens=1, finish_reason="stop", model=name)
        return CandidateMeasured(candidate=name, engine="E", seconds_scoring=1.0, seconds_drafting=seconds, too_long=(),
                                 rows=(Measured(row="r", nats=loss, reply_tokens=1, size_bytes=1, answer=answer if seconds else None),),
                                 size_bytes=size, peak_memory_mb=memory)

    scores = [Score(candidate=name, metric="bits_per_byte", value=value, low=value, high=value, n=1)
              for name, value in (("base", 2.0), ("copy", 1.0))]
    base, copy = costs_of([measured("base", 2.0, 10.0, 500_000_000, 900.0), measured("copy", 1.0, 0.0, None, 300.0)], scores)
    assert (base.tokens_per_second, base.drafted_tokens, base.best) == (3.0, 30, ("size", "speed"))
    assert (copy.tokens_per_second, copy.size_bytes, copy.best) == (None, None, ("memory",))


@pytest.mark.parametrize("language", ["en", "zh"])
def test_plots_are_drawn_and_are_empty_where_there_is_nothing_to_draw(language: str) -> None:
    assert pareto_plot([], [], language) == reliability_plot(None, language) == exposure_plot(None, language) == ""
    scores = [Score(candidate=name, metric="bits_per_byte", value=1.0, low=0.9, high=1.1, n=9) for name in ("base", "copy")]
    costs = [Cost(candidate=name, size_bytes=5 * 10**8, tokens_per_second=None, peak_memory_mb=700, drafted_tokens=0, best=("size",))
             for name in ("base", "copy")]
    exposures = tuple(Exposure(copies=copies, planted=5, trained=5, times=2.0, mean=mean, highest=mean + 1)
                      for copies, mean in ((0, 1.4), (1, 1.5), (16, 7.0)))
    canaries = Canaries(others=511, ceiling=9.0, one_copy_high=2.2, controls_low=0.7, controls_high=2.4, is_within=True,
                        exposures=exposures)
    sure = Reliability(n=2, right=1, confidence=0.7, error=0.2, bins=())
    drawn = [pareto_plot(costs, scores, language), reliability_plot(sure, language), exposure_plot(canaries, language)]
    words = {"en": ("file size, MB", "how sure the classifier is", "exposure, bits"),
             "zh": ("文件大小（MB）", "分类器的自信程度", "暴露度（比特）")}
    for svg, word in zip(drawn, words[language], strict=True):
        assert svg.startswith("<svg")
        assert word in svg
    assert "tokens per second" not in drawn[0]  # nobody drafted


def test_the_report_has_the_numbers_of_every_plot(report: Report) -> None:
    assert {row.kind for row in report.heat} == {"relative", "base", "language", "length", "clause_type"}
    whole = next(one for one in report.heat if one.kind == "language")
    values = {score.candidate: score.value for score in report.scores if score.metric == "bits_per_byte"}
    assert whole.bits_per_byte == pytest.approx(values)
    assert [one.n for one in report.confusions] == [12, 12, 12]
    assert report.reliability is not None
    assert report.reliability.n == 36


def test_what_differs_from_run_to_run_stands_in_a_file_of_its_own_and_in_show(scored: Scored, capsys: pytest.CaptureFixture[str]) -> None:
    costs = list(read_rows(scored.artifact.file(COSTS), Cost))
    assert [one.candidate for one in costs] == ["base", "tuned", "gguf-q8_0"]
    # The fake engines are in this process, beside everything else: nobody can say what one of them holds.
    assert all(one.drafted_tokens and one.size_bytes == 5_000_000 and one.peak_memory_mb is None for one in costs)
    assert "costs" not in scored.json("report.json")
    work = scored.artifact.folder.parents[1]
    run_show("scores", None, work=work, language="en", as_json=True)
    *lines, last = capsys.readouterr().out.splitlines()
    assert [line for line in lines if "peak_memory_mb" in line] == [one.model_dump_json() for one in costs]
    assert json.loads(last) == {"report": scored.json("report.json")}


@pytest.mark.parametrize(("language", "said"), [("en", "copy       270 MB, - tokens/s while drafting, 700 MB of memory"),
                                                ("zh", "copy       270 MB，起草 - 词元/秒，内存 700 MB")])
def test_costs_are_told_in_a_line(language: str, said: str) -> None:
    one = Cost(candidate="copy", size_bytes=269_800_000, tokens_per_second=None, peak_memory_mb=700, drafted_tokens=0)
    assert cost_line(one, language) == said


def test_both_pages_show_the_coloured_tables_with_numbers_and_the_plots_with_their_texts(scored: Scored, report: Report) -> None:
    english, chinese = (scored.artifact.file(f"report.{language}.html").read_text("utf-8") for language in ("en", "zh"))
    for page in (english, chinese):
        assert page.count('class="tint" style="background:#') > 10
        assert page.count('<td class="tint right"') >= 3
        assert {name: page.count(f'<figure class="{name}">') for name in ("pareto", "reliability", "exposure")} == {
            "pareto": 1, "reliability": 1, "exposure": 0}
        assert "<script" not in page
    whole = next(one for one in report.heat if one.kind == "language")
    assert f"{whole.bits_per_byte['tuned'] - whole.bits_per_byte['base']:+.3f}" in english
    assert "Which clause types were asked for, and which came out" in english
    assert "expected calibration error" in english
    assert "要求的条款类型与写出的条款类型" in chinese
    assert "期望校准误差" in chinese
    assert not re.search(r"[一-鿿]", english.split("</style>")[1])
