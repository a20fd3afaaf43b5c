"""The numbers before the paragraphs of a Word file. What Word shows is written out by hand."""

from pathlib import Path

import docx
import pytest
from reading import rows_of
from word_files import level, lists, paragraph, styles, word_file

from tutelage.documents.readers.numerals import number_in

CONTRACT = level(0, "decimal", "%1.") + level(1, "decimal", "%1.%2") + level(2, "lowerLetter", "%1.%2(%3)") + level(3, "lowerRoman", "(%4)")


def _lines(folder: Path, body: str, **parts: str) -> list[str]:
    [row] = rows_of(folder, "a.docx", word_file(body, **parts))
    assert row.problem is None, row.problem
    return [line for line in row.text.split("\n") if line]


def test_levels_are_resolved_and_deeper_ones_begin_anew(tmp_path: Path) -> None:
    body = "".join(paragraph(text, num="1", level=depth) for text, depth in [
        ("Definitions", 0), ("Terms", 1), ("Fees", 0), ("Price", 1), ("Payment", 1), ("by bank", 2), ("by cheque", 2), ("at sight", 3),
        ("Delay", 1), ("interest", 2)])
    [row] = rows_of(tmp_path, "a.docx", word_file(body, numbering=lists({"0": CONTRACT}, {"1": "0"})))
    assert row.text.split("\n\n") == [
        "1. Definitions", "1.1 Terms", "2. Fees", "2.1 Price", "2.2 Payment", "2.2(a) by bank", "2.2(b) by cheque", "(i) at sight",
        "2.3 Delay", "2.3(a) interest"]
    # "(i)" alone is shown, but in full it is the first of 2.2(b).
    assert [place.number for place in row.places] == ["1.", "1.1", "2.", "2.1", "2.2", "2.2(a)", "2.2(b)", "2.2(b)(i)", "2.3", "2.3(a)"]
    assert [row.text[place.start:place.end] for place in row.places] == row.text.split("\n\n")


def test_a_table_does_not_begin_the_numbers_anew_and_its_cells_count(tmp_path: Path) -> None:
    cell = f"<w:tc>{paragraph('Goods', num='1', level=0)}</w:tc><w:tc>{paragraph('100')}</w:tc>"
    body = (paragraph("Parties", num="1", level=0) + paragraph("Price", num="1", level=0) + f"<w:tbl><w:tr>{cell}</w:tr></w:tbl>"
            + paragraph("Delivery", num="1", level=0))
    assert _lines(tmp_path, body, numbering=lists({"0": CONTRACT}, {"1": "0"})) == [
        "1. Parties", "2. Price", "3. Goods | 100", "4. Delivery"]


def test_numbers_go_on_between_lists_of_one_kind_unless_a_list_says_where_it_starts(tmp_path: Path) -> None:
    numbering = lists({"0": level(0, "decimal", "%1)")}, {
        "1": "0", "2": "0", "3": '0 <w:lvlOverride w:ilvl="0"><w:startOverride w:val="5"/></w:lvlOverride>'})
    body = "".join(paragraph(text, num=num, level=0) for text, num in [("a", "1"), ("b", "2"), ("c", "3"), ("d", "3"), ("e", "1")])
    assert _lines(tmp_path, body, numbering=numbering) == ["1) a", "2) b", "5) c", "6) d", "7) e"]


def test_a_list_may_replace_a_level(tmp_path: Path) -> None:
    override = f'<w:lvlOverride w:ilvl="0">{level(0, "upperRoman", "Part %1:", start=3)}</w:lvlOverride>'
    body = paragraph("a", num="2", level=0) + paragraph("b", num="2", level=0)
    assert _lines(tmp_path, body, numbering=lists({"0": CONTRACT}, {"2": f"0 {override}"})) == ["Part III: a", "Part IV: b"]


@pytest.mark.parametrize(("restart", "numbers"), [
    ("", ["(a)", "(b)", "(a)", "(a)"]),
    ('<w:lvlRestart w:val="0"/>', ["(a)", "(b)", "(c)", "(d)"]),
    ('<w:lvlRestart w:val="1"/>', ["(a)", "(b)", "(c)", "(a)"]),
])
def test_a_level_says_after_which_one_it_begins_anew(tmp_path: Path, restart: str, numbers: list[str]) -> None:
    """Items stand under 1.1 (two), under 1.2 and under 2.1. Restart 0 is never, 1 only after the first level."""
    levels = level(0, "decimal", "%1") + level(1, "decimal", "%1.%2") + level(2, "lowerLetter", "(%3)", more=restart)
    body = "".join(paragraph("x", num="1", level=depth) for depth in (0, 1, 2, 2, 1, 2, 0, 1, 2))
    lines = _lines(tmp_path, body, numbering=lists({"0": levels}, {"1": "0"}))
    assert [line.split()[0] for line in lines if line.startswith("(")] == numbers


def test_styles_carry_lists_and_their_level_is_the_one_that_names_the_style(tmp_path: Path) -> None:
    """Heading 2 is based on Heading 1, names the list and no level; the list's second level names Heading 2."""
    named = styles('<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
                   '<w:style w:type="paragraph" w:styleId="H1"><w:name w:val="heading 1"/><w:basedOn w:val="Normal"/><w:pPr><w:numPr>'
                   '<w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
                   '<w:style w:type="paragraph" w:styleId="H2"><w:name w:val="heading 2"/><w:basedOn w:val="H1"/><w:pPr><w:numPr>'
                   '<w:ilvl w:val="1"/><w:numId w:val="1"/></w:numPr></w:pPr></w:style>'
                   '<w:style w:type="paragraph" w:styleId="Mine"><w:name w:val="My heading"/><w:basedOn w:val="H2"/></w:style>')
    levels = (level(0, "upperRoman", "Article %1", more='<w:pStyle w:val="H1"/>')
              + level(1, "decimal", "%1.%2", more='<w:pStyle w:val="H2"/><w:isLgl/>'))
    body = (paragraph("Scope", style="H1") + paragraph("Goods", style="H2") + paragraph("Services", style="Mine")
            + paragraph("Not numbered", style="H2", num="0") + paragraph("plain"))
    # %1 of the second level would be I; w:isLgl makes all numbers of that level Arabic.
    assert _lines(tmp_path, body, styles=named, numbering=lists({"0": levels}, {"1": "0"})) == [
        "Article I Scope", "1.1 Goods", "1.2 Services", "Not numbered", "plain"]


def test_a_list_may_be_defined_by_a_list_style(tmp_path: Path) -> None:
    named = styles('<w:style w:type="numbering" w:styleId="Legal"><w:name w:val="Legal"/><w:pPr><w:numPr><w:numId w:val="1"/>'
                   "</w:numPr></w:pPr></w:style>")
    numbering = lists({"0": '<w:styleLink w:val="Legal"/>' + CONTRACT, "1": '<w:numStyleLink w:val="Legal"/>'}, {"1": "0", "2": "1"})
    assert _lines(tmp_path, paragraph("a", num="2", level=0), styles=named, numbering=numbering) == ["1. a"]


def test_chinese_articles_count_with_chinese_numerals(tmp_path: Path) -> None:
    levels = (level(0, "chineseCountingThousand", "第%1章") + level(1, "chineseCounting", "第%2条", more='<w:lvlRestart w:val="0"/>')
              + level(2, "chineseCounting", "（%3）", more='<w:suff w:val="nothing"/>') + level(3, "decimal", "%4、"))
    body = "".join(paragraph(text, num="1", level=depth) for text, depth in [
        ("总则", 0), *[(f"内容{n}", 1) for n in range(10)], ("付款", 0), ("甲方应当按时付款。", 1), ("预付款", 2), ("余款", 2),
        ("银行转账", 3)])
    [row] = rows_of(tmp_path, "合同.docx", word_file(body, numbering=lists({"0": levels}, {"1": "0"})))
    lines = row.text.split("\n\n")
    assert lines[:3] == ["第一章 总则", "第一条 内容0", "第二条 内容1"]
    assert lines[10:] == ["第十条 内容9", "第二章 付款", "第十一条 甲方应当按时付款。", "（一）预付款", "（二）余款", "1、 银行转账"]
    assert row.places[-1].number == "第十一条（二）1、"


def test_bullets_are_written_as_one_whatever_font_draws_them(tmp_path: Path) -> None:
    numbering = lists({"0": level(0, "bullet", "\uf0b7") + level(1, "bullet", "o") + level(2, "none", "")}, {"1": "0"})
    [row] = rows_of(tmp_path, "a.docx", word_file("".join(paragraph("x", num="1", level=depth) for depth in range(3)), numbering=numbering))
    assert row.text == "• x\n\no x\n\nx"
    assert {place.number for place in row.places} == {""}


def test_an_empty_paragraph_counts_and_is_not_written(tmp_path: Path) -> None:
    body = "".join(paragraph(text, num="1", level=0) for text in ("a", "", "c"))
    assert _lines(tmp_path, body, numbering=lists({"0": CONTRACT}, {"1": "0"})) == ["1. a", "3. c"]


def test_the_lists_of_another_program_are_numbered_as_well(tmp_path: Path) -> None:
    """python-docx writes its own template's styles, whose lists are linked by style."""
    document = docx.Document()
    for text, style in [("First", "List Number"), ("Second", "List Number"), ("Point", "List Bullet")]:
        document.add_paragraph(text, style=style)
    document.add_table(1, 1).cell(0, 0).text = "cell"
    document.add_paragraph("Third", style="List Number")
    document.save(str(tmp_path / "made.docx"))
    [row] = rows_of(tmp_path, "a.docx", (tmp_path / "made.docx").read_bytes())
    assert row.text == "1. First\n\n2. Second\n\n• Point\n\ncell\n\n3. Third"


def test_a_list_without_definition_or_with_nonsense_in_it_is_no_reason_to_stop(tmp_path: Path) -> None:
    levels = '<w:lvl w:ilvl="x"><w:start w:val="-9"/><w:numFmt w:val="noSuchStyle"/><w:lvlText w:val="%1%9."/></w:lvl>'
    numbering = lists({"0": levels}, {"1": "0", "2": "77"})
    body = paragraph("a", num="1", level=0) + paragraph("b", num="2", level=0) + paragraph("c", num="9", level=44) + paragraph("d", level=1)
    assert _lines(tmp_path, body, numbering=numbering) == ["11. a", "b", "c", "d"]


@pytest.mark.parametrize(("style", "written"), [
    ("decimal", {1: "1", 12: "12"}), ("decimalZero", {7: "07", 12: "12"}),
    ("lowerLetter", {1: "a", 26: "z", 27: "aa", 53: "aaa"}), ("upperLetter", {28: "BB"}),
    ("lowerRoman", {4: "iv", 9: "ix", 49: "xlix", 90: "xc"}), ("upperRoman", {2026: "MMXXVI"}),
    ("chineseCounting", {1: "一", 10: "十", 11: "十一", 20: "二十", 99: "九十九", 101: "一○一"}),
    ("chineseCountingThousand", {10: "十", 15: "十五", 100: "一百", 101: "一百零一", 110: "一百一十", 1001: "一千零一",
                                 2024: "二千零二十四"}),
    ("japaneseCounting", {10: "十", 100: "百", 101: "百一", 111: "百十一", 200: "二百"}),
    ("chineseLegalSimplified", {1: "壹", 10: "壹拾", 23: "贰拾叁"}), ("ideographLegalTraditional", {6: "陸", 12: "壹拾貳"}),
    ("ideographTraditional", {1: "甲", 10: "癸", 11: "11"}), ("ideographZodiac", {1: "子", 12: "亥"}), ("ideographDigital", {10: "一〇"}),
    ("decimalEnclosedCircle", {1: "①", 20: "⑳", 21: "21"}), ("decimalFullWidth", {12: "１２"}), ("numberInDash", {3: "- 3 -"}),
    ("ordinal", {1: "1st", 2: "2nd", 3: "3rd", 11: "11th", 22: "22nd", 113: "113th"}),
    ("cardinalText", {1: "One", 21: "Twenty-one", 100: "100"}),
    ("ordinalText", {1: "First", 12: "Twelfth", 20: "Twentieth", 33: "Thirty-third"}),
    ("unheardOf", {4: "4"}),
])
def test_numbers_are_written_in_the_style_of_the_list(style: str, written: dict[int, str]) -> None:
    """Forms by ECMA-376 part 1, 17.18.59, and how Chinese and Japanese count."""
    assert {number: number_in(style, number) for number in written} == written
