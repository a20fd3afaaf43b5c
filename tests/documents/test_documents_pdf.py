"""PDF files: reading order, paragraphs, headers and footers, and those that have no text."""

import random
from pathlib import Path

import matplotlib
import matplotlib.font_manager
import pytest
from pdf_files import Line, column, pdf_file
from reading import problem_of, rows_of

from tutelage.documents.rows import ReadOptions, Row

# Lines as a program breaks them: the next word has no room.
CLAUSE = ("3. Payment. The Buyer shall pay each invoice within thirty days of its date, and every",
          "amount that is not paid when it is due bears interest from that very day at the agree-",
          "ment rate until it is paid in full, before as well as after judgment.")


def _row(folder: Path, *pages: list[Line], **options: int) -> Row:
    [row] = rows_of(folder, "a.pdf", pdf_file(pages, **options))
    assert row.problem is None, row.problem
    return row


def _paragraphs(folder: Path, *pages: list[Line]) -> list[str]:
    return _row(folder, *pages).text.split("\n\n")


def test_lines_of_a_paragraph_are_joined_and_a_hyphen_at_their_end_goes(tmp_path: Path) -> None:
    assert _paragraphs(tmp_path, column(*CLAUSE, "4. Notices. In writing.")) == [
        "3. Payment. The Buyer shall pay each invoice within thirty days of its date, and every amount that is not paid when it is due "
        "bears interest from that very day at the agreement rate until it is paid in full, before as well as after judgment.",
        "4. Notices. In writing."]


@pytest.mark.parametrize(("head", "tail", "elsewhere", "joined"), [
    ("agree-", "ment", "", "agreement"), ("third-", "party", "the third-party tools", "third-party"),
    ("sub-", "licence", "a sublicence", "sublicence"), ("non-", "exclusive", "", "non-exclusive"),
    ("Anglo-", "American", "", "Anglo-American"), ("Annex A-", "1", "", "Annex A-1")])
def test_a_hyphen_stays_where_the_word_has_one(tmp_path: Path, head: str, tail: str, elsewhere: str, joined: str) -> None:
    """The document itself tells, by the words inside its lines; else a few prefixes and what is no rest of a word."""
    first = f"This is a line that is long enough to reach the right margin of the {head}"
    lines = column(first, f"{tail} and the rest of the sentence, which is as long as the line above it.", "", f"Note {elsewhere}.")
    assert joined in _paragraphs(tmp_path, lines)[0]


def test_chinese_lines_are_joined_without_a_space_and_numbered_ones_begin_anew(tmp_path: Path) -> None:
    lines = column("第三条　付款方式", "甲方应当在收到发票之日起三十日内支付全部费用，逾期支付的，每逾期一日应当按照逾期",
                   "金额的万分之五向乙方支付违约金，直至全部付清之日为止。", "（一）首期款于签约之日支付；", "（二）余款于验收之日支付。",
                   "第四条　保密")
    assert _paragraphs(tmp_path, lines) == [
        "第三条 付款方式",
        "甲方应当在收到发票之日起三十日内支付全部费用，逾期支付的，每逾期一日应当按照逾期金额的万分之五向乙方支付违约金，直至全部付清之日为止。",
        "（一）首期款于签约之日支付；", "（二）余款于验收之日支付。", "第四条 保密"]


def test_a_gap_an_indent_and_a_line_that_ended_early_begin_a_paragraph(tmp_path: Path) -> None:
    full = "This line is so long that not one more word would have had any room at the end of it, as one sees"
    lines = [*column("Short heading", full, "ends here."), *column(full, "after a gap.", top=700), *column(full, top=672, x=92),
             *column("after an indent.", top=658)]
    assert _paragraphs(tmp_path, lines) == ["Short heading", f"{full} ends here.", f"{full} after a gap.", f"{full} after an indent."]


def test_a_number_in_brackets_inside_a_sentence_does_not_begin_a_paragraph(tmp_path: Path) -> None:
    lines = column("The Buyer may use the Software for the term of this Agreement and may (a) copy it; and",
                   "(b) show it to its auditors, in each case for its own business only, within the limits of",
                   "this clause.", "(c) Nothing else is allowed.")
    assert [paragraph[:12] for paragraph in _paragraphs(tmp_path, lines)] == ["The Buyer ma", "(c) Nothing "]


def test_a_paragraph_goes_on_over_a_page_break_and_knows_where_it_began(tmp_path: Path) -> None:
    row = _row(tmp_path, column(*CLAUSE[:2]), column(CLAUSE[2], "4. Notices."))
    assert [(place.page, place.paragraph, place.number) for place in row.places] == [(1, "1", "3."), (2, "2", "4.")]
    assert [row.text[place.start:place.end][-9:] for place in row.places] == ["judgment.", " Notices."]


def test_headers_and_footers_go_by_repetition_whatever_numbers_they_carry(tmp_path: Path) -> None:
    """The header of the first page differs; a clause that is the same on two pages stays."""
    pages = [[Line("Acme Master Agreement" if number else "Original", 815), *column(f"Text of page {'abcdef'[number]} as it is."),
              *([Line("Left blank on purpose.", 400)] if number < 2 else []), Line(f"Page {number + 1} of 6", 30)] for number in range(6)]
    row = _row(tmp_path, *pages)
    assert row.text.split("\n\n")[:4] == ["Original", "Text of page a as it is.", "Left blank on purpose.", "Text of page b as it is."]
    assert "Acme" not in row.text
    assert "Page 1" not in row.text
    assert dict(row.removed) == {"running header": 5, "running footer": 6}


def test_chinese_page_numbers_and_those_of_one_chapter_go_as_well(tmp_path: Path) -> None:
    """Pages 3 to 5 of ten have a header of their own, whose number counts the pages."""
    pages = [[*([Line(f"Chapter 2: Price {number + 1}", 815)] if 2 <= number <= 4 else []),
              *column(f"Text {'abcdefghij'[number]} stands here."), Line(f"第{'一二三四五六七八九十'[number]}页", 30)]
             for number in range(10)]
    row = _row(tmp_path, *pages)
    assert "Chapter" not in row.text
    assert "页" not in row.text
    assert sum(count for _, count in row.removed) == 13


def test_two_pages_are_too_few_to_tell_a_header_from_a_text(tmp_path: Path) -> None:
    assert _paragraphs(tmp_path, [Line("Same", 815)], [Line("Same", 815), *column("Other, and more of it.")]) == [
        "Same", "Same", "Other, and more of it."]


def test_columns_keep_the_order_of_the_file_and_single_ones_go_from_top_to_bottom(tmp_path: Path) -> None:
    left, right = column("Left one.", "Left two."), column("Right one.", "Right two.", x=320)
    assert _row(tmp_path, [*left, *right]).text.split() == "Left one. Left two. Right one. Right two.".split()  # noqa: SIM905
    upwards = list(reversed(column("1. First.", "2. Second.", "3. Third.")))
    assert _paragraphs(tmp_path, upwards) == ["1. First.", "2. Second.", "3. Third."]


def test_a_page_that_lies_on_its_side_is_read(tmp_path: Path) -> None:
    assert _row(tmp_path, column("Turned, and more text."), rotate=90).text == "Turned, and more text."


def test_a_scan_says_that_it_has_no_text_and_names_what_reads_it(tmp_path: Path) -> None:
    """A page of a scan is a picture, here a drawn box; the third page has a printed cover sheet."""
    cover = column("This cover sheet was added by the archive.")
    problem = problem_of(rows_of(tmp_path, "a.pdf", pdf_file([[], [], cover], drawn="72 72 400 600 re S\n")))
    assert problem.reason == "no text"
    assert problem.suggestion.startswith("2 of 3 pages have no text: it is a scan. ")
    assert "Set documents.recognise: true to read its pages from their pictures (`pip install tutelage[ocr]`" in problem.suggestion
    row = _row(tmp_path, cover, [], column("And a second page with text on it."))
    assert row.removed == (("page without text", 1),)


def test_pages_after_one_that_is_broken_keep_their_numbers(tmp_path: Path) -> None:
    """The second page is an object that the file does not have."""
    content = pdf_file([column("First, and more text."), column("Second, and more."), column("Third, and more text.")])
    assert content.count(b" 10 0 R ") == 1
    [row] = rows_of(tmp_path, "a.pdf", content.replace(b" 10 0 R ", b" 99 0 R "))
    assert row.problem is None
    assert [(place.page, row.text[place.start:place.end][:5]) for place in row.places] == [(1, "First"), (3, "Third")]
    assert row.removed == (("broken page", 1),)


def test_letters_that_nobody_can_name_are_no_text(tmp_path: Path) -> None:
    problem = problem_of(rows_of(tmp_path, "a.pdf", pdf_file([column("\ue001\ue002\ue003\ue004\ue005 " * 20)])))
    assert (problem.reason, problem.suggestion.split(".")[0]) == ("no text", "Its fonts do not say which letters they draw")


def test_a_locked_file_says_so(tmp_path: Path) -> None:
    locked = ("/Encrypt << /Filter /Standard /V 1 /R 2 /P -44 /O <" + "ab" * 32 + "> /U <" + "cd" * 32 + "> >> /ID [<00><00>]")
    problem = problem_of(rows_of(tmp_path, "a.pdf", pdf_file([column("Secret.")], encrypt=locked)))
    assert (problem.reason, problem.suggestion) == ("encrypted", "It is locked by a password. Save it without one.")


def test_a_truncated_file_and_one_that_is_no_pdf_say_so(tmp_path: Path) -> None:
    content = pdf_file([column(*CLAUSE)] * 40)
    for broken in (content[:len(content) // 2], content[:-10], b"%PDF-1.4\n%%EOF\n", b"hello %%EOF"):
        problem = problem_of(rows_of(tmp_path, "a.pdf", broken))
        assert problem.reason == "broken PDF"
        assert "cut off, or no PDF" in problem.suggestion
    assert problem_of(rows_of(tmp_path, "a.pdf", b"")).reason == "empty"


def test_a_file_with_too_much_text_is_refused(tmp_path: Path) -> None:
    problem = problem_of(rows_of(tmp_path, "a.pdf", pdf_file([column(*CLAUSE)] * 9), ReadOptions(max_characters_a_row=500)))
    assert (problem.reason, problem.suggestion) == ("too large", "Its text has more than 500 characters. Divide it.")


def test_every_garbled_pdf_gives_a_row_and_no_error(tmp_path: Path) -> None:
    random.seed(3)
    content = pdf_file([column(*CLAUSE, "第三条 付款")] * 2)
    reasons = set()
    for _ in range(120):
        garbled = bytearray(content)
        for _ in range(random.choice((1, 3, 20))):
            garbled[random.randrange(len(content))] = random.randrange(256)
        [row] = rows_of(tmp_path, "a.pdf", bytes(garbled))
        reasons.add(row.problem.reason if row.problem else "")
    assert "reader failed" not in reasons
    assert {"", "broken PDF"} <= reasons


def test_a_pdf_of_another_program_with_embedded_chinese_is_read(tmp_path: Path) -> None:
    """matplotlib embeds the font and says which letters its glyphs are; skipped where no Chinese font is installed."""
    fonts = [font.fname for font in matplotlib.font_manager.fontManager.ttflist if "CJK" in font.name and "Sans" in font.name]
    if not fonts:
        pytest.skip("no Chinese font is installed")
    matplotlib.use("pdf")
    from matplotlib import pyplot

    with matplotlib.rc_context({"pdf.fonttype": 42, "font.size": 10}):
        figure = pyplot.figure(figsize=(8, 11))
        for number, text in enumerate(["甲方应当在收到发票之日起三十日内支付全部费用，逾期支付的应当按照约定支付违约",
                                       "金，并承担 Party A 的损失。"]):
            figure.text(0.1, 0.9 - number * 0.02, text, fontproperties=matplotlib.font_manager.FontProperties(fname=fonts[0]))
        figure.savefig(tmp_path / "made.pdf")
        pyplot.close(figure)
    [row] = rows_of(tmp_path, "a.pdf", (tmp_path / "made.pdf").read_bytes())
    assert row.text == "甲方应当在收到发票之日起三十日内支付全部费用，逾期支付的应当按照约定支付违约金，并承担 Party A 的损失。"
