"""The stage from dataset and engines to verdict, rows and pages."""

import random
import re
from html.parser import HTMLParser

import pytest
from fake_scores import (
    FakeEngine,
    Scored,
    clause,
    example,
    made_up_rows,
    make_scores,
    parents_of,
    right_draft,
    three_engines,
    vague_draft,
)

from tutelage.core.errors import InputError
from tutelage.core.records import GateDecision, Score
from tutelage.core.store import Store
from tutelage.scores.results import Report, RowMeasure
from tutelage.scores.settings import ScoresSettings


@pytest.fixture(scope="module")
def scored(tmp_path_factory) -> Scored:  # type: ignore[no-untyped-def]
    return make_scores(Store(tmp_path_factory.mktemp("scores")), three_engines())


def test_a_better_copy_opens_the_gate(scored: Scored) -> None:
    gate = GateDecision.model_validate(scored.json("gate.json"))
    assert gate.is_open
    assert (gate.candidate, gate.versus, gate.metric, gate.n) == ("gguf-q8_0", "base", "bits_per_byte", 36)
    # 0.5 nats a character less (0.001 for the copy) is 0.72 bits a byte, and one end of turn in about 290 characters
    assert gate.difference == pytest.approx(-0.499 / 0.6931 * (1 + 1 / 290), abs=0.02)
    assert gate.low < gate.difference < gate.high < 0


def test_the_three_candidates_were_opened_one_at_a_time_and_closed(scored: Scored) -> None:
    assert [engine.name for engine in scored.engines] == ["base", "tuned", "gguf-q8_0"]
    assert all(engine.is_closed for engine in scored.engines)


def test_every_candidate_has_every_metric_once(scored: Scored) -> None:
    scores = [Score.model_validate(line) for line in scored.lines("scores.jsonl")]
    assert len({(score.candidate, score.metric) for score in scores}) == len(scores) == 60
    for score in scores:
        assert score.low <= score.value <= score.high, score
        assert (score.versus is None) == (score.candidate == "base")


def test_bits_per_byte_is_the_ratio_of_sums_over_the_rows(scored: Scored) -> None:
    rows = [RowMeasure.model_validate(line) for line in scored.lines("rows.jsonl")]
    assert len(rows) == 108
    tuned = [row for row in rows if row.candidate == "tuned"]
    by_hand = sum(row.nats for row in tuned) / 0.69314718056 / sum(row.size_bytes for row in tuned)
    score = next(line for line in scored.lines("scores.jsonl") if line["candidate"] == "tuned" and line["metric"] == "bits_per_byte")
    assert score["value"] == pytest.approx(by_hand, abs=1e-9)


def test_drafts_of_the_asked_type_match_and_vague_ones_do_less(scored: Scored) -> None:
    match = {line["candidate"]: line for line in scored.lines("scores.jsonl") if line["metric"] == "clause_type_match"}
    assert match["gguf-q8_0"]["value"] == 1.0
    assert match["base"]["value"] < 0.8
    assert match["gguf-q8_0"]["verdict"] == "better"


def test_every_held_out_row_has_its_fate_and_train_rows_have_none(scored: Scored) -> None:
    fates = list(scored.artifact.history())
    assert len(fates) == 36
    assert {(fate.what, fate.reason) for fate in fates} == {("kept", "scored")}
    assert scored.artifact.manifest.counts == {"in": 36, "kept": 36, "scored": 36, "drafted": 18, "leaks": 0}


def test_progress_reaches_the_total_over_all_candidates(scored: Scored) -> None:
    steps = [event.facts for event in scored.events.events if event.kind == "step"]
    assert steps[-1]["done"] == steps[-1]["total"] == 3 * (36 + 18) + 2 * 40  # training rows are probed with base and tuned
    done = [step["done"] for step in steps]
    assert done == sorted(done)


def test_the_verdict_is_told_with_its_numbers(scored: Scored) -> None:
    events = [event for event in scored.events.events if event.kind == "verdict"]
    assert [event.key for event in events] == ["scores.headline.open"]
    assert events[0].facts["is_open"] is True
    assert events[0].facts["gain"] == pytest.approx(-GateDecision.model_validate(scored.json("gate.json")).difference)


def test_the_report_has_the_numbers_of_the_scores(scored: Scored) -> None:
    report = Report.model_validate(scored.json("report.json"))
    assert [score.model_dump() for score in report.scores] == scored.lines("scores.jsonl")
    assert report.decision == GateDecision.model_validate(scored.json("gate.json"))
    assert report.copy_state == "holds"
    assert len(report.examples) == 6
    assert len({shown.clause_type for shown in report.examples[:3]}) == 3
    assert len(report.worst) == 18
    assert report.files.keys() == {"model-q8_0.gguf", "merged/model.safetensors"}
    assert report.reference.type_match == 1.0


def test_the_worst_rows_are_the_drafted_ones_with_the_smallest_gain(scored: Scored) -> None:
    report = Report.model_validate(scored.json("report.json"))
    rows = [RowMeasure.model_validate(line) for line in scored.lines("rows.jsonl")]
    bits = {(row.row, row.candidate): row.bits_per_byte for row in rows if row.draft is not None}
    gains = sorted(bits[row, "base"] - bits[row, "gguf-q8_0"] for row, candidate in bits if candidate == "base")
    assert len(gains) == 18
    assert [shown.bits_per_byte["base"] - shown.bits_per_byte["gguf-q8_0"] for shown in report.worst] == pytest.approx(gains)


class Outline(HTMLParser):
    """Collects ids and whatever could be fetched; fails on tags that are not closed in order."""

    VOID = frozenset({"meta", "path", "use", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.fetched: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [value or "" for name, value in attrs if name == "id"]
        links = [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        self.fetched += [link for link in links if not link.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


def test_the_pages_are_whole_fetch_nothing_and_have_unique_ids(scored: Scored) -> None:
    for language in ("en", "zh"):
        page = scored.artifact.file(f"report.{language}.html").read_text("utf-8")
        outline = Outline()
        outline.feed(page)
        assert outline.open == []
        assert outline.fetched == []
        assert len(outline.ids) == len(set(outline.ids)) > 20
        assert page.count("<svg") == 7
        assert "<script" not in page
        assert "@import" not in page


def test_each_page_speaks_its_language(scored: Scored) -> None:
    english = scored.artifact.file("report.en.html").read_text("utf-8")
    chinese = scored.artifact.file("report.zh.html").read_text("utf-8")
    assert "gguf-q8_0 may be served: on 36 clauses kept out of training" in english
    assert not re.search(r"[一-鿿]", english.split("</style>")[1])
    assert "gguf-q8_0 可以上线：在 36 条未参与训练的条款上" in chinese
    assert 'lang="zh-CN"' in chinese


def test_text_of_clauses_and_drafts_is_escaped(store: Store) -> None:
    rows = [row for row in made_up_rows() if row.part == "train"]
    rows += [example(number, "held_out", "payment", f"<script>alert({number})</script> {clause(random.Random(number), 'payment')}",
                     f"<b>{number}</b>") for number in range(8)]
    bold = three_engines(base_draft=lambda prompt: "<img src=x onerror=alert(1)>", tuned_draft=lambda prompt: "</pre><h1>up</h1>")
    page = make_scores(store, bold, rows=rows).artifact.file("report.en.html").read_text("utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "<h1>up" not in page
    assert "&lt;script&gt;alert(" in page


def test_a_tuned_model_that_learned_nothing_lacks_evidence_and_the_stage_still_ends(store: Store) -> None:
    found = make_scores(store, three_engines(gain=0.0))
    gate = GateDecision.model_validate(found.json("gate.json"))
    assert (gate.is_open, gate.verdict) == (False, "not enough evidence")
    assert gate.next_key in ("scores.next.more_rows", "scores.next.no_difference")
    assert "Gate closed" in found.artifact.file("report.en.html").read_text("utf-8")
    assert "不予上线" in found.artifact.file("report.zh.html").read_text("utf-8")


def test_a_spoiled_copy_of_a_good_model_is_not_served(store: Store) -> None:
    found = make_scores(store, three_engines(gain=0.5, copy_cost=0.1))
    gate = GateDecision.model_validate(found.json("gate.json"))
    assert (gate.is_open, gate.verdict, gate.next_key) == (False, "better", "scores.next.copy_worse")


def test_a_model_whose_drafts_go_in_circles_is_not_served(store: Store) -> None:
    engines = three_engines(base_draft=right_draft, tuned_draft=lambda prompt: f"{right_draft(prompt)[:20]} pay the tax. " * 9)
    found = make_scores(store, engines)
    gate = GateDecision.model_validate(found.json("gate.json"))
    assert (gate.is_open, gate.next_key) == (False, "scores.next.looping_share")


def test_a_twin_of_a_held_out_row_in_train_is_counted_as_a_leak(store: Store) -> None:
    rows = made_up_rows()
    rows.append(example(999, "train", rows[-1].clause_type, rows[-1].text + " One word more.", "t999"))
    gate = GateDecision.model_validate(make_scores(store, three_engines(), rows=rows).json("gate.json"))
    assert (gate.is_open, gate.next_key, gate.facts) == (False, "scores.next.leak", {"leaks": 1})


def test_rows_beyond_the_limit_are_dropped_with_their_reason(store: Store) -> None:
    found = make_scores(store, three_engines(), settings=ScoresSettings(held_out=20, drafts=5, max_draft_tokens=100, bootstrap=1000))
    assert found.artifact.manifest.counts["dropped"] == 16
    assert {fate.reason for fate in found.artifact.history() if fate.what == "dropped"} == {"beyond the setting held_out"}
    assert Report.model_validate(found.json("report.json")).scored_rows == 20


def test_a_row_too_long_for_one_candidate_is_scored_by_none(store: Store) -> None:
    rows = made_up_rows()
    rows.append(example(500, "held_out", "payment", clause(random.Random(1), "payment", words=400), "h500"))
    engines = three_engines()
    engines[2].context_length = 1000
    found = make_scores(store, engines, rows=rows)
    dropped = [fate for fate in found.artifact.history() if fate.what == "dropped"]
    assert [fate.row for fate in dropped] == ["held_out-500"]
    assert (dropped[0].reason, dropped[0].detail) == ("longer than a candidate's context", "gguf-q8_0")
    assert {line["n"] for line in found.lines("scores.jsonl") if line["metric"] == "bits_per_byte"} == {36}
    assert "scores.too_long" in {event.key for event in found.events.events}


def test_without_drafts_only_bits_per_byte_is_measured(store: Store) -> None:
    found = make_scores(store, three_engines(), settings=ScoresSettings(drafts=0, bootstrap=1000))
    assert {line["metric"] for line in found.lines("scores.jsonl")} == {"bits_per_byte", "perplexity"}
    assert GateDecision.model_validate(found.json("gate.json")).is_open
    assert found.artifact.file("report.en.html").read_text("utf-8").count("<svg") == 6


def test_with_one_clause_type_the_type_is_not_judged_and_that_is_said(store: Store) -> None:
    rows = [example(number, "train", "payment", clause(random.Random(number), "payment"), f"t{number}") for number in range(9)]
    rows += [example(number, "held_out", "payment", clause(random.Random(number + 99), "payment"), f"h{number}") for number in range(9)]
    found = make_scores(store, three_engines(), rows=rows)
    assert "clause_type_match" not in {line["metric"] for line in found.lines("scores.jsonl")}
    assert "scores.no_classifier" in {event.key for event in found.events.events}
    assert "none: the training clauses have fewer than two types" in found.artifact.file("report.en.html").read_text("utf-8")


def test_too_few_documents_cannot_open_the_gate_and_the_reader_is_warned(store: Store) -> None:
    found = make_scores(store, three_engines(), rows=made_up_rows(held_out=30, rows_a_document=6))
    gate = GateDecision.model_validate(found.json("gate.json"))
    assert (gate.is_open, gate.verdict, gate.next_key) == (False, "not enough evidence", "scores.next.more_documents")
    assert gate.facts == {"documents": 5, "needed": 6}
    warning = next(event for event in found.events.events if event.key == "scores.few_documents")
    assert warning.facts == {"documents": 5, "needed": 6}


def test_a_dataset_without_held_out_rows_cannot_be_scored(store: Store) -> None:
    with pytest.raises(InputError, match="none of its 60 rows is held out"):
        make_scores(store, three_engines(), rows=[row for row in made_up_rows() if row.part == "train"])


def test_candidates_of_other_roles_are_refused(store: Store) -> None:
    engines = three_engines()
    engines[1].name = "base"
    with pytest.raises(InputError, match=r"got base \(base\), base \(tuned\), gguf-q8_0 \(copy\)"):
        make_scores(store, engines)


def test_rows_that_fit_no_context_are_an_error_that_says_what_to_do(store: Store) -> None:
    engines = three_engines()
    engines[0].context_length = 50
    with pytest.raises(InputError, match="none of 36 held-out rows fits the context of base"):
        make_scores(store, engines)


def test_a_killed_run_does_not_ask_again_what_it_has_and_ends_in_the_same_files(scored: Scored, store: Store) -> None:
    parents = parents_of(store, made_up_rows())
    settings = ScoresSettings(drafts=18, max_draft_tokens=300, bootstrap=1000)

    class Power(Exception):
        """The power fails."""

    def fails(text: str) -> float:
        raise Power

    broken = [*three_engines()[:2], FakeEngine("gguf-q8_0", fails, vague_draft)]
    with pytest.raises(Power):
        make_scores(store, broken, parents=parents, settings=settings)
    again = make_scores(store, three_engines(), parents=parents, settings=settings)
    assert [engine.name for engine in again.engines] == ["gguf-q8_0"]
    assert [event.facts["candidate"] for event in again.events.events if event.key == "scores.resumed"] == ["base", "tuned"]
    assert again.artifact.id == scored.artifact.id
    # What candidates took is measured anew by each run; it stands in its own file, on the pages and nowhere else.
    measured = {"costs.jsonl", "report.en.html", "report.zh.html"}
    digests = [{name: digest for name, digest in one.artifact.manifest.files.items() if name not in measured} for one in (again, scored)]
    assert digests[0] == digests[1]
    assert len(digests[0]) >= 5
    assert "report.json" in digests[0]
