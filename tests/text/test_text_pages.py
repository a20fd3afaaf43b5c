"""Clauses of contracts as they come from filings, Markdown and Word: pages, sections in the midst of lines, nested lists."""

from tutelage.text.clauses import cut_clauses
from tutelage.text.pages import is_page_line, shown, shown_places


def test_page_numbers_and_source_lines_are_no_text_and_a_sentence_goes_on_over_them() -> None:
    text = ("7. Insurance. The Supplier shall keep insurance of its stock and show the\n\n11\n\n"
            "Source: EXAMPLE FOODS INC, 10-K, 2/8/2017\n\npolicy to the Buyer whenever the Buyer asks for it.\n")
    (clause,) = cut_clauses(text, "en")
    assert clause.text == "The Supplier shall keep insurance of its stock and show the policy to the Buyer whenever the Buyer asks for it."
    assert (clause.heading, clause.number) == ("Insurance", "7")


def test_a_source_line_in_the_midst_of_a_paragraph_is_left_out() -> None:
    text = "4. Notices. Notices are given in 8 Source: EXAMPLE FOODS INC, S-1/A, 9/20/2019 writing and sent by courier to the other party."
    (clause,) = cut_clauses(text, "en")
    assert clause.text == "Notices are given in writing and sent by courier to the other party."


def test_sections_in_the_midst_of_a_paragraph_are_clauses_of_their_own() -> None:
    text = ("5. Assignment. Neither party may assign this Agreement without consent. 6. Notices: All notices are sent by post. "
            "7. GOVERNING LAW The laws of Norway govern this Agreement and any dispute about it. 8. ENTIRE AGREEMENT\n\n"
            "This Agreement replaces all earlier agreements of the parties.\n")
    clauses = cut_clauses(text, "en")
    assert [(each.number, each.heading) for each in clauses][:2] == [("5", "Assignment"), ("6", "Notices")]
    assert clauses[-1].heading == "ENTIRE AGREEMENT"
    assert clauses[-1].text == "This Agreement replaces all earlier agreements of the parties."
    assert all(text[each.start:each.end].startswith(each.number) for each in clauses)


def test_a_number_that_is_not_the_next_one_begins_no_section() -> None:
    text = "2. Delivery. The goods are sent within ten days. 9. Packing. See the list of materials, and pay attention to its notes."
    assert [each.number for each in cut_clauses(text, "en")] == ["2"]


def test_a_heading_set_off_by_spaces_only_is_a_heading() -> None:
    (clause,) = cut_clauses("1. Appointment  The Company appoints the Reseller as its only reseller in Norway for the whole term.", "en")
    assert clause.heading == "Appointment"
    assert clause.text.startswith("The Company appoints")


def test_nested_lists_of_markdown_get_their_full_number() -> None:
    text = ("1. <span id=\"1\">Fees</span>\n    1. <span>Invoices.</span>  The Provider sends an invoice each month.\n"
            "    2. <span>Taxes.</span>  The Customer pays all taxes on the fees.\n2. Support\n"
            "    1. **Hours.** Support is given from nine to five on working days.\n")
    assert [(each.number, each.heading, each.above) for each in cut_clauses(text, "en")] == [
        ("1.1", "Invoices", "Fees"), ("1.2", "Taxes", "Fees"), ("2.1", "Hours", "Support")]


def test_recitals_and_signature_lines_are_no_clauses() -> None:
    text = ("WHEREAS, the Seller makes lamps;\n\nNOW, THEREFORE, the parties agree as follows:\n\n"
            "1. Price. The price is ten euros for each lamp.\n\n"
            "By: ____________\n\nName: ____________\n\n/s/ The Seller\n")
    assert [each.heading for each in cut_clauses(text, "en")] == ["Price"]


def test_bullets_of_a_chinese_section_stay_with_it() -> None:
    text = "## 3. 转租\n\n- **转租同意**：转租须经出租人书面同意\n- **次承租人**：次承租人应当遵守本合同\n"
    (clause,) = cut_clauses(text, "zh")
    assert clause.heading == "转租"
    assert clause.text == "- 转租同意：转租须经出租人书面同意\n- 次承租人：次承租人应当遵守本合同"


def test_page_lines_are_told_from_text() -> None:
    lines = {"11": True, "- 3 -": True, "Page 2 of 9": True, "iv": True, "A-3": True, "[Signature Page Follows]": True,
             "第 3 页 共 10 页": True, "Source: the annual report": False, "1. Price": False, "2024 was a good year": False, "": False}
    assert {line: is_page_line(line) for line in lines} == lines


def test_what_is_shown_stands_where_it_says() -> None:
    text = "**Fees.** <span class=\"x\">The</span> fee\n12\nis due."
    assert shown(text) == "Fees. The fee\nis due."
    assert "".join(text[place] for place in shown_places(text)) == "Fees.Thefeeisdue."
