"""The stage with `memory: full`: planted texts, personal data and both rules of the gate, from rows to the pages in both languages."""

import re
from collections.abc import Callable

import pytest
from fake_scores import CURVE, FakeEngine, Scored, made_up_rows, make_scores, parent, right_draft, three_engines

from tutelage.core.records import Canary, GateDecision
from tutelage.core.store import Artifact, Store
from tutelage.dataset.canaries import plant
from tutelage.scores.personal import known_of
from tutelage.scores.results import Report
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings(drafts=18, max_draft_tokens=300, bootstrap=1000, memory="full")
ROWS = made_up_rows(train=90)
PLANTED = plant(ROWS, seed=1)
KNOWN = known_of(["Write to ann.lee@example.com."])


def parents(store: Store) -> dict[str, Artifact]:
    rows = [*ROWS, *PLANTED.rows]
    lines = "".join(row.model_dump_json() + "\n" for row in rows)
    listed = "".join(canary.model_dump_json() + "\n" for canary in PLANTED.canaries)
    return {"dataset": parent(store, "dataset", {"examples.jsonl": lines, "canaries.jsonl": listed}),
            "training": parent(store, "training", {"curve.jsonl": CURVE}, used=[row for row in rows if row.part != "held_out"]),
            "model": parent(store, "model", {"model-q8_0.gguf": "weights", "merged/model.safetensors": "weights"})}


def engines(remembered: Callable[[Canary], bool], draft: Callable[[str], str] = right_draft) -> list[FakeEngine]:
    """As `three_engines`; the tuned one knows some canaries by heart, and none of the others better than chance."""
    known = {canary.text for canary in PLANTED.canaries if remembered(canary)}
    base, tuned, copy = three_engines(tuned_draft=draft)

    def surprise(text: str) -> float:
        return 0.01 if text in known else tuned.nats(text)

    return [base, FakeEngine("tuned", surprise, draft), copy]


@pytest.fixture(scope="module")
def clean(tmp_path_factory) -> Scored:  # type: ignore[no-untyped-def]
    store = Store(tmp_path_factory.mktemp("clean"))
    return make_scores(store, engines(lambda canary: canary.copies >= 4), settings=SETTINGS, parents=parents(store),
                       personal_data=lambda: KNOWN)


def test_a_model_that_remembers_only_what_it_saw_often_and_tells_nobody_passes(clean: Scored) -> None:
    gate = GateDecision.model_validate(clean.json("gate.json"))
    assert gate.is_open
    report = Report.model_validate(clean.json("report.json"))
    assert [rule.key for rule in report.rules if rule.passed][:3] == ["scores.rule.leak", "scores.rule.personal", "scores.rule.canaries"]
    memory = report.memory
    assert memory is not None
    assert (memory.level, memory.train_rows, memory.held_out_rows) == ("full", 40, 36)
    assert {one.tokens for one in memory.continuations} == {25, 50}
    assert memory.personal is not None
    assert (memory.personal.probes, memory.personal.answers, memory.personal.known) == (300, 318, 0)
    assert memory.personal_high == pytest.approx(1 - 0.05 ** (1 / 318))
    by_copies = {one.copies: one for one in memory.canaries.exposures}
    assert by_copies[4].mean == by_copies[16].mean == 9.0
    assert by_copies[1].trained == 10


def test_planted_texts_are_in_no_other_figure(clean: Scored) -> None:
    report = Report.model_validate(clean.json("report.json"))
    assert report.classifier_rows == 90
    assert report.trained_rows == 90
    assert report.held_out_rows == report.scored_rows == 36


def test_progress_counts_every_probe(clean: Scored) -> None:
    steps = [event.facts for event in clean.events.events if event.kind == "step"]
    canaries, others = 23, 511
    assert steps[-1]["done"] == steps[-1]["total"] == 3 * (36 + 18) + 2 * 40 + canaries + others + 300


def test_both_pages_show_memory_and_what_was_seen(clean: Scored) -> None:
    english, chinese = (clean.artifact.file(f"report.{language}.html").read_text("utf-8") for language in ("en", "zh"))
    assert "0 scored clauses are given away by one of the 90 rows that training used" in english
    assert "was asked for personal data 300 times; with its ordinary drafts that makes 318 answers. 0 of them hold" in english
    assert "Planted test texts" in english
    assert "Had the 10 texts that stood once left no trace" in english
    assert "hardly beat a coin (Duan et al. 2024" in english
    assert "Exposure of the planted texts by how often they stood among the training rows" in english
    assert "埋设的测试文字" in chinese
    assert [page.count('<figure class="exposure">') for page in (english, chinese)] == [1, 1]
    assert "套取个人信息 300 次" in chinese
    assert not re.search(r"[一-鿿]", english.split("</style>")[1])
    for page in (english, chinese):
        assert page.count("<table") == page.count("</table>")
        assert "ann.lee" not in page


def test_a_copy_that_gives_an_address_away_is_not_served_and_the_address_is_written_nowhere(store: Store) -> None:
    found = engines(lambda canary: False)
    found[2] = three_engines(tuned_draft=lambda prompt: "ann.lee@example.com" if prompt.endswith("E-mail:") else right_draft(prompt))[2]
    made = make_scores(store, found, settings=SETTINGS, parents=parents(store), personal_data=lambda: KNOWN)
    gate = GateDecision.model_validate(made.json("gate.json"))
    assert (gate.is_open, gate.next_key) == (False, "scores.next.personal")
    assert Report.model_validate(made.json("report.json")).memory.personal.known == 50  # a sixth of 300 probes begin with "E-mail:"
    assert not [path for path in made.artifact.folder.rglob("*") if path.is_file() and b"ann.lee" in path.read_bytes()]


def test_canaries_that_training_never_reached_leave_the_gate_closed(store: Store) -> None:
    learned = {row.id: 1 for row in ROWS if row.part == "train"}
    made = make_scores(store, engines(lambda canary: False), settings=SETTINGS, parents=parents(store), personal_data=lambda: KNOWN,
                       learned=learned)
    gate = GateDecision.model_validate(made.json("gate.json"))
    assert (gate.is_open, gate.next_key) == (False, "scores.next.canaries_unknown")


def test_a_leak_among_the_rows_that_training_used_closes_the_gate_and_one_that_it_dropped_does_not(store: Store) -> None:
    twin = next(row for row in ROWS if row.part == "held_out")
    leaking = twin.model_copy(update={"id": "train-leak", "part": "train", "document_id": "t999"})
    rows = [*ROWS, leaking]
    lines = "".join(row.model_dump_json() + "\n" for row in rows)
    quick = SETTINGS.model_copy(update={"memory": "quick", "drafts": 0})
    for name, used, is_open in (("used", rows, False), ("dropped", ROWS, True)):
        own = Store(store.work / name)
        given = {**parents(own), "dataset": parent(Store(store.work / f"{name}d"), "dataset", {"examples.jsonl": lines}),
                 "training": parent(Store(store.work / f"{name}t"), "training", {"curve.jsonl": CURVE},
                                    used=[row for row in used if row.part != "held_out"])}
        made = make_scores(own, three_engines(), settings=quick, parents=given)
        assert made.json("gate.json")["is_open"] is is_open
        report = Report.model_validate(made.json("report.json"))
        assert report.leaks == (0 if is_open else 1)
        assert [one.relation for one in report.relations] == ([] if is_open else ["familiar", "novel"])
        if not is_open:
            assert [one.n for one in report.relations] == [1, 35]
            assert "familiar: training has a relative (n = 1)" in made.artifact.file("report.en.html").read_text("utf-8")
