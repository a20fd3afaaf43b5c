"""What a row asks for by name is looked for in the draft: facts in any writing, English words in any form, Chinese as it stands."""

from __future__ import annotations

import pytest

from tutelage.core.records import Answer, Example, Language, Message
from tutelage.scores.compare import compare, judge_rows
from tutelage.scores.points import Covered, covered
from tutelage.scores.results import CandidateMeasured, Check, Measured
from tutelage.scores.settings import ScoresSettings


def asking(*keywords: str, language: Language = "en", number: int = 1) -> Example:
    return Example(id=f"r{number}", messages=(Message(role="user", content="Write."), Message(role="assistant", content="True clause.")),
                   clause_type="term", keywords=keywords, language=language, heading="", document_id=f"d{number}", source="d", start=0,
                   end=1, family="f", part="held_out")


@pytest.mark.parametrize(("language", "keywords", "draft", "found"), [
    ("en", ("30 days", "written notice", "deposit"), "Either side may terminate by a notice, written thirty (30) days before.", (3, 2)),
    ("en", ("30 days",), "within 31 days", (1, 0)),
    ("en", ("5%", "USD 500"), "a fee of five percent, at most $500.00", (2, 2)),
    ("en", ("parties", "paying"), "Each party pays.", (2, 2)),
    ("en", ("law of Delaware",), "The laws of Delaware govern.", (1, 1)),
    ("zh", ("三十日", "书面通知", "违约金"), "提前30日以书面 通知对方。", (3, 2)),
    ("zh", ("人民币10万元",), "支付100,000元。", (1, 1)),
    ("zh", ("ＡＢＣ公司",), "由abc公司承担。", (1, 1)),
    ("en", (), "anything", (0, 0)),
    ("en", ("fee", "fee", " "), "The fee.", (1, 1)),
    ("en", ("fee",), "", (1, 0)),
])
def test_keywords_are_covered_by_meaning_and_not_by_spelling(language: Language, keywords: tuple[str, ...], draft: str,
                                                            found: tuple[int, int]) -> None:
    assert covered(asking(*keywords, language=language), draft) == Covered(*found)


def test_texts_that_checks_demand_are_points_too_and_forbidden_ones_are_not() -> None:
    checks = (Check(kind="icontains", value="Delaware"), Check(kind="contains-all", value=("fee", "rent")),
              Check(kind="contains", value="x", negated=True), Check(kind="is-json"))
    assert covered(asking("rent"), "a fee in delaware", checks) == Covered(4, 2)


def measured(name: str, drafts: list[str]) -> CandidateMeasured:
    answers = [Answer(text=draft, token_ids=(1,), prompt_tokens=1, finish_reason="stop", model=name) for draft in drafts]
    return CandidateMeasured(candidate=name, engine="fake", seconds_scoring=0, seconds_drafting=0, too_long=(), rows=tuple(
        Measured(row=f"r{number}", nats=None, reply_tokens=1, size_bytes=1, answer=answer) for number, answer in enumerate(answers)))


def test_the_share_of_points_is_compared_over_documents_with_its_interval() -> None:
    rows = {f"r{number}": asking("fee", "rent", number=number) for number in range(8)} | {"r8": asking(number=8)}
    said = {"base": ["a fee"] * 9, "copy": ["a fee and a rent"] * 6 + ["none"] * 3}
    found = {name: judge_rows(measured(name, drafts), rows, list(rows), None, {}) for name, drafts in said.items()}
    assert (found["copy"][8].points_required, found["copy"][8].points_covered) == (None, None)
    scores, compared = compare(found, rows, [("copy", "base")], base="base", settings=ScoresSettings(bootstrap=1000), same_tokens=False)
    by_name = {(score.candidate, score.metric): score for score in scores}
    # copy: 6 rows of 2 points, 2 rows of none, of 16 points; base: 8 of 16; the row that asks for nothing is left out
    assert (by_name["copy", "points_covered"].value, by_name["base", "points_covered"].value) == (0.75, 0.5)
    assert by_name["copy", "points_covered"].n == 8
    one = next(one for one in compared if one.metric == "points_covered")
    assert one.low <= one.difference == 0.25 <= one.high
    assert by_name["copy", "edit_words"].n == 9


def test_words_to_edit_are_told_of_english_only() -> None:
    rows = {"r0": asking(number=0, language="zh")}
    (row,) = judge_rows(measured("copy", ["条款"]), rows, ["r0"], None, {})
    assert (row.edit_words, row.edit_share is not None) == (None, True)
