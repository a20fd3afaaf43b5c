"""A judge model: asked in both orders, read strictly, and shown with its position bias and its agreement with people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_scores import VOCABULARY, FakeEngine, candidates_from, made_up_rows, parents_of, three_engines

from tutelage.cli.show import run_show
from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError
from tutelage.core.events import Events
from tutelage.core.records import Example, Message
from tutelage.core.store import Artifact, Store
from tutelage.engine.replay_engine import ReplayEngine
from tutelage.scores.make import make
from tutelage.scores.page_referee import referee_lines, referee_section
from tutelage.scores.referee import Pair, Referee, agreement, ask, check_may_read, people, read_answer, sum_up
from tutelage.scores.referee_results import Choice, JudgeScores, Opinion
from tutelage.scores.sample import decisions, fingerprint, write_sample
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings(bootstrap=1000)
ROW = Example(id="r1", messages=(Message(role="user", content="Write a clause."), Message(role="assistant", content="x")),
              clause_type="term", keywords=(), language="en", heading="", document_id="d1", source="d1", start=0, end=1, family="f",
              part="held_out")
TYPED = [word for words in VOCABULARY.values() for word in words.split()]
PAIR = Pair(ROW, "The good draft.", "The bad draft.")


@pytest.mark.parametrize(("answer", "letter"), [
    ("A", "A"), (" B.\n", "B"), ("“T”。", "T"), ("(A)", "A"), ("**B**", "B"),
    ("", ""), ("a", ""), ("Draft A", ""), ("A is better", ""), ("A or B", ""), ("AB", ""), ("C", ""), ("A B", ""), ("答案是A", ""),
    ("A\nB", ""),
])
def test_an_answer_is_one_letter_or_is_not_read(answer: str, letter: str) -> None:
    assert read_answer(answer) == letter


def judge_that(say: Callable[[str], str]) -> FakeEngine:
    return FakeEngine("judge", lambda text: 1.0, say)


def first_holds(prompt: str, word: str) -> bool:
    """Whether the draft in the first place holds the word."""
    return word in prompt.split("[Draft A]")[1].split("[Draft B]")[0]


def test_each_pair_is_asked_in_both_orders_and_the_same_draft_wins_twice() -> None:
    seen: list[str] = []

    def say(prompt: str) -> str:
        seen.append(prompt)
        return "A" if first_holds(prompt, "good") else "B"

    opinion = ask(judge_that(say), CHATML, PAIR, seed=0)
    assert opinion is not None
    assert (opinion.candidate_first, opinion.base_first, opinion.choice) == ("candidate", "candidate", "candidate")
    assert not opinion.is_flipped
    assert [first_holds(prompt, "good") for prompt in seen] == [True, False]
    assert all("Write a clause." in prompt for prompt in seen)


def test_a_judge_that_always_takes_the_first_is_found_out() -> None:
    opinions = [ask(ReplayEngine({"": "A"}), CHATML, PAIR, seed=0) for _ in range(10)]
    found = sum_up([one for one in opinions if one], judge="j", candidate="copy", versus="base", settings=SETTINGS)
    assert (found.n, found.flipped, found.to_first, found.wins, found.losses, found.ties, found.difference) == (10, 10, 10, 0, 0, 10, 0.0)
    assert found.flipped_low == pytest.approx(0.7225, abs=1e-4)  # Wilson's interval of 10 of 10: 10 / (10 + 1.96^2)
    assert "Position bias: in 10 of 10 pairs the answer changes with the order (100 % [72 %, 100 %]), in 10 of these" in "\n".join(
        referee_lines(found, "en"))


def test_what_cannot_be_read_is_counted_and_never_guessed() -> None:
    answers = iter(["A", "I prefer draft B, since", "B", "T"])
    engine = judge_that(lambda prompt: next(answers))
    opinions = [ask(engine, CHATML, PAIR, seed=0) for _ in range(2)]
    found = sum_up([one for one in opinions if one], judge="j", candidate="copy", versus="base", settings=SETTINGS)
    assert (found.n, found.answers, found.unreadable, found.flipped, found.to_first, found.ties) == (1, 4, 1, 1, 0, 1)
    assert opinions[0] is not None
    assert opinions[0].choice == "unreadable"
    assert "1 of 4 answers were none of the letters A, B and T" in "\n".join(referee_lines(found, "en"))


def test_a_judge_without_one_readable_answer_has_no_number() -> None:
    opinion = ask(ReplayEngine({"": "hm"}), CHATML, PAIR, seed=0)
    found = sum_up([opinion] if opinion else [], judge="j", candidate="copy", versus="base", settings=SETTINGS)
    assert (found.n, found.difference, found.trust) == (0, None, "not_measured")
    assert referee_lines(found, "zh")[0] == "j：没有一对草稿得到两次可读的回答，因此没有结果"


def test_drafts_that_do_not_fit_the_judge_are_left_out() -> None:
    assert ask(ReplayEngine({"": "A"}, context_length=100), CHATML, PAIR, seed=0) is None


def opinion(number: int, choice: Choice, document: str = "") -> Opinion:
    return Opinion(row=f"r{number}", document_id=document or f"d{number}", candidate_first=choice, base_first=choice, answers=("", ""))


def agreeing(table: dict[tuple[Choice, Choice], int]) -> JudgeScores:
    """Scores of a judge whose choices and those of people are counted in the table."""
    said: list[tuple[Choice, Choice]] = [pair for pair, count in table.items() for _ in range(count)]
    opinions = [opinion(number, mine) for number, (mine, _) in enumerate(said)]
    found = sum_up(opinions, judge="j", candidate="copy", versus="base", settings=SETTINGS)
    return found.model_copy(update={"agreement": agreement(opinions, {f"r{number}": theirs for number, (_, theirs) in enumerate(said)},
                                                           SETTINGS)})


def test_agreement_is_the_raw_share_and_kappa_with_intervals() -> None:
    # 40 pairs: 30 agree, so p_o = 0.75; both say "candidate" of 25 and "base" of 15: p_e = (25/40)^2 + (15/40)^2 = 0.53125; kappa = 0.4667
    found = agreeing({("candidate", "candidate"): 20, ("base", "base"): 10, ("candidate", "base"): 5, ("base", "candidate"): 5})
    one = found.agreement
    assert one is not None
    assert (one.n, one.agreed, one.sided, one.sided_agreed) == (40, 30, 40, 30)
    assert one.kappa == pytest.approx((0.75 - 0.53125) / (1 - 0.53125))
    assert one.kappa_low is not None
    assert one.kappa_high is not None
    assert 0 < one.kappa_low < 0.4667 < one.kappa_high < 1
    assert found.trust == "shown"


@pytest.mark.parametrize(("table", "trust", "said"), [
    ({("candidate", "candidate"): 29}, "not_measured", "Agreement not measured: people decided on 29 of these pairs, 30 are the least"),
    ({("candidate", "candidate"): 30}, "no_better_than_chance", "was not shown to agree with people beyond chance. Do not rely on it."),
    ({("candidate", "candidate"): 10, ("candidate", "base"): 10, ("base", "candidate"): 10, ("base", "base"): 10}, "no_better_than_chance",
     "was not shown to agree with people beyond chance"),
    ({("candidate", "candidate"): 20, ("base", "base"): 20}, "shown", "was shown to agree with people beyond chance"),
])
def test_a_number_without_shown_agreement_is_marked(table: dict[tuple[Choice, Choice], int], trust: str, said: str) -> None:
    found = agreeing(table)
    assert found.trust == trust
    assert said in referee_section(found, "en")
    assert all(referee_lines(found, "zh"))


def test_people_prefer_the_draft_that_alone_is_acceptable() -> None:
    marks = {("r1", fingerprint(PAIR.candidate)): True, ("r1", fingerprint(PAIR.base)): False}
    assert people([PAIR], marks) == {"r1": "candidate"}
    assert people([PAIR], {**marks, ("r1", fingerprint(PAIR.base)): True}) == {"r1": "tie"}
    assert people([PAIR], {("r1", fingerprint(PAIR.base)): True}) == {}
    assert people([Pair(ROW, "another draft", PAIR.base)], marks) == {}


def test_what_is_for_one_client_never_goes_to_an_address() -> None:
    away = Referee("https://judge.example/v1", lambda: judge_that(str), CHATML, is_away=True)
    here = Referee("judge.gguf", lambda: judge_that(str), CHATML)
    for permissions, row in ((("client:acme",), ROW), ((), ROW.model_copy(update={"permission": "client:acme matter:7"}))):
        with pytest.raises(InputError, match=r"scores\.judge: https://judge\.example/v1 is an address, and rows or model are for client"):
            check_may_read(away, permissions, [row])
        check_may_read(here, permissions, [row])
    check_may_read(away, ("everyone", "only:training"), [ROW])


def scored(work: Path, referee: Referee | None, name: str = "s1") -> Artifact:
    store, rows = Store(work), made_up_rows()
    parents = {stage: store.look_up(stage, f"{stage}1") for stage in ("dataset", "training", "model")}
    found = {stage: one for stage, one in parents.items() if one} or parents_of(store, rows)
    settings = ScoresSettings(held_out=12, drafts=12, max_draft_tokens=300, bootstrap=1000, memory="off", judge="j" if referee else "")
    with store.making("scores", name, version=4, recipe="", settings=settings, parents=found, inputs={}, events=Events()) as making:
        make(making, candidates=candidates_from(three_engines(), []), referee=referee)
    made = store.look_up("scores", name)
    assert made is not None
    return made


def likes_types(prompt: str) -> str:
    """Prefers the draft with more words of clause types: that of the tuned model."""
    counts = [sum(draft.count(word) for word in TYPED) for draft in prompt.split("[Draft A]")[1].split("[Draft B]")]
    return "A" if counts[0] > counts[1] else "B"


def test_the_judge_stands_on_the_page_beside_its_agreement_and_decides_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    work = tmp_path / "work"
    engine = judge_that(lambda prompt: {"A": "B", "B": "A"}[likes_types(prompt)])
    first = scored(work, Referee("the judge", lambda: engine, CHATML), "s1")
    assert engine.is_closed
    assert json.loads(first.file("gate.json").read_text())["is_open"]
    judged = json.loads(first.file("report.json").read_text("utf-8"))["judge"]
    assert (judged["judge"], judged["n"], judged["losses"], judged["agreement"]) == ("the judge", 12, 12, None)
    assert len(first.file("judge.jsonl").read_text("utf-8").splitlines()) == 12
    assert "Agreement not measured: people decided on 0 of these pairs" in first.file("report.en.html").read_text("utf-8")
    assert "一致性未测量：人工仅判断了其中 0 对" in first.file("report.zh.html").read_text("utf-8")
    _mark(work)
    second = scored(work, Referee("the judge", lambda: judge_that(likes_types), CHATML), "s2")
    found = json.loads(second.file("report.json").read_text("utf-8"))["judge"]["agreement"]
    assert (found["n"], found["agreed"], found["sided_agreed"]) == (10, 10, 10)
    page = second.file("report.en.html").read_text("utf-8")
    assert "Agreement with people: the same in 10 of 10 pairs" in page
    assert "people decided on 10 of these pairs, 30 are the least" in page
    run_show("s2", None, work=work, language="en", as_json=False)
    assert "the judge prefers gguf-q8_0 in 12 of 12 pairs" in capsys.readouterr().out
    run_show("s2", None, work=work, language="en", as_json=True)
    assert json.loads(capsys.readouterr().out.splitlines()[-2])["judge"]["wins"] == 12


def _mark(work: Path) -> None:
    """People accept the drafts of the copy, and none of the base's, of ten clauses."""
    from tutelage.pipeline.scored import newest_scored

    found, folder = newest_scored(work), work / "samples" / "s1"
    write_sample(folder, found.rows, found.examples, scores="s1", base="base", candidate="gguf-q8_0", count=10, seed=0)
    writers = {one["number"]: one["candidate"] for one in json.loads((folder / "key.json").read_text())["drafts"]}
    rows = list(csv.DictReader(io.StringIO((folder / "sheet.csv").read_text("utf-8-sig"))))
    written = io.StringIO()
    sheet = csv.DictWriter(written, rows[0].keys())
    sheet.writeheader()
    sheet.writerows({**row, "acceptable": "yes" if writers[int(row["number"])] == "gguf-q8_0" else "no"} for row in rows)
    assert decisions(work) == {}
    (folder / "sheet.csv").write_text(written.getvalue(), "utf-8-sig", newline="")
    assert sorted(decisions(work).values()) == [False] * 10 + [True] * 10
