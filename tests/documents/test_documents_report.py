"""Clusters, redlines, counts that add up, and the page that shows them."""

import re
from pathlib import Path

import pytest

from tutelage.core.history import Ledger
from tutelage.core.language import catalogue
from tutelage.core.records import Document
from tutelage.documents.batches import Tally
from tutelage.documents.dedupe import Giant, Twin
from tutelage.documents.page import reason_name, render
from tutelage.documents.report import KeptRows, LabelConflict, Named, Report, clusters_of, report_of, short_redline, shown_positions
from tutelage.documents.settings import DocumentsSettings

SETTINGS = DocumentsSettings.model_validate({"sources": ("x",), "chinese_only": "count", "max_characters": 5_000})
PACKAGE = Path(__file__).parents[2] / "src" / "tutelage" / "documents"


def _twin(dropped: int, kept: int, similarity: float) -> Twin:
    return Twin(dropped, kept, similarity, similarity == 1.0, similarity)


def _named(position: int, text: str = "") -> Named:
    return Named(f"id{position}", f"n{position}", text, "en")


def test_clusters_come_biggest_first_and_show_the_least_similar_member() -> None:
    removed = [_twin(1, 0, 0.9), _twin(3, 2, 0.85), _twin(4, 2, 0.95), _twin(5, 2, 1.0)]
    assert shown_positions(removed) == {0, 1, 2, 3}
    named = {position: _named(position, text) for position, text in enumerate([
        "pay in ten days", "pay in six days", "rent is due on the first", "rent is due on the last", "", ""])}
    first, second = clusters_of(removed, named)
    assert (first.kept, first.size, [member.name for member in first.members]) == ("id2", 4, ["n5", "n4", "n3"])
    assert (first.changed, [(change.op, change.text) for change in first.changes][-2:]) == ("n3", [("delete", "first"), ("insert", "last")])
    assert (second.kept, second.size, second.changed) == ("id0", 2, "n1")


def test_a_redline_of_long_texts_is_short_and_invents_no_end() -> None:
    long = " ".join(f"word{number}" for number in range(4_000))
    changes = short_redline(long, long.replace("word20 ", "WORD20 ").replace("word40 ", ""), "en")
    assert [(change.op, change.text) for change in changes if change.op != "same"] == [
        ("delete", "word20"), ("insert", "WORD20"), ("delete", " word40")]
    assert sum(len(change.text) for change in changes) < 800
    assert short_redline("one two", "one two", "en") == short_redline("one two", "one two", "zh")


def _report() -> Report:
    rows = KeptRows()
    for number, length in enumerate([100, 200, 300]):
        rows.add(Document(id=str(number), name="n", source="x", source_sha256="", title="", language="zh", text="a" * length,
                          permission="client:acme" if number else "everyone"))
    tally = Tally(rows=9, emails=2, rows_with_emails=1, edited_rows=4)
    tally.changes.update({"line_ends": 3, "replace:draft_stamp": 8})
    tally.paragraphs.update({"zh": 5, "none": 1})
    tally.scripts.update({"Han": 5, "none": 1})
    tally.encodings.update({"gb18030": 9})
    tally.left_out.update({"comment": 2})
    tally.would_delete.update({"digits": 7})
    tally.guessed["sha"] = ("<file>.txt", "gb18030")
    clusters = clusters_of([_twin(1, 0, 0.9)], {0: _named(0, "pay in ten days"), 1: _named(1, "pay in six days")})
    return report_of(tally, rows, clusters, Ledger(), giant=Giant(0, 60, 0.25), kin=([], []), conflicts=[
        LabelConflict(row="1", name="n1", label="term", other="2", other_label="termination")]).model_copy(
        update={"dropped": {"too short": 3, "language:other": 1, "near duplicate": 1, "rule:draft_stamp": 1}})


def test_counts_are_those_of_the_rows() -> None:
    report = _report()
    assert (report.read, report.kept, report.characters) == (9, 3, 600)
    assert report.lengths == {"shortest": 100, "median": 200, "95 %": 300, "longest": 300}
    assert report.permissions == {"client:acme": 2, "everyone": 1}
    assert (report.clusters, report.clusters_by_size, report.giant) == (1, {"2": 1}, 0.25)


@pytest.mark.parametrize(("language", "told"), [
    ("en", ["Documents: what was read", "too short", "in another language", "own rule “draft_stamp”", "line ends", "Chinese characters",
            "Nothing was deleted", "From the row kept to n1:", "[deleted: ten][inserted: six]", "25.0 %", "termination", "comments"]),
    ("zh", ["文档报告", "过短", "其他语言", "自定义规则“draft_stamp”", "换行符", "汉字", "目前并未删除", "自保留行至 n1 的差异",
            "[删除: ten][新增: six]", "25.0 %", "标签冲突的文本", "批注"])])
def test_the_page_shows_everything_in_its_language(language: str, told: list[str]) -> None:
    html = render(_report(), SETTINGS, [100, 200, 300], language)
    words = re.sub(r"<style>.*?</style>|<[^>]+>", "", html, flags=re.DOTALL)
    assert [words_told for words_told in told if words_told not in words] == []
    assert "&lt;file&gt;.txt" in html
    assert not re.search("[\u4e00-\u9fff]", words) or language == "zh"


def test_every_reason_that_a_row_can_be_dropped_for_has_a_name_in_both_languages() -> None:
    source = "\n".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))
    reasons = set(re.findall(r"(?:Unreadable|Dropped)\(\s*\"([^\"]+)\"", source)) | {"exact duplicate", "near duplicate", "label conflict",
                                                                                    "language:en", "language:zh", "language:other"}
    assert len(reasons) > 40
    assert [reason for reason in sorted(reasons) if "reason_key" not in reason_name(reason)] == []


def test_a_rule_of_the_recipe_keeps_its_own_name() -> None:
    assert reason_name("rule:draft_stamp") == {"reason": "draft_stamp"}
    assert reason_name("too short") == {"reason_key": "documents.reason.too_short"}


def test_every_rule_and_script_has_a_name() -> None:
    names = set(re.findall(r"Rule\(\"([a-z_]+)\"", "\n".join(path.read_text("utf-8") for path in [
        *PACKAGE.glob("*.py"), PACKAGE.parent / "text" / "tidy.py"])))
    assert len(names) >= 17
    assert [name for name in names if f"documents.rule.{name}" not in catalogue()] == []
