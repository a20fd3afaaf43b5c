"""Lines that belong to pages go; lines of the text that look like them stay."""

import pytest

from tutelage.core.edits import apply, revert
from tutelage.documents.boilerplate import boilerplate_rules
from tutelage.text.rules import run

CLAUSE = ("The supplier delivers the goods to the warehouse of the buyer within ten days of the order, and the buyer examines them and "
          "tells the supplier of any defect within five days. What the buyer does not report in this time counts as accepted. The price "
          "includes packing and carriage; taxes are added at the rate of the day of delivery, and shown on the invoice. Number {}.")


def _pages(*ends: str, header: str = "") -> str:
    return "\n\n".join(f"{header}\n\n{CLAUSE.format('abcdefgh'[number])}\n\n{end}" for number, end in enumerate(ends)).strip("\n")


def _cleaned(text: str) -> tuple[str, dict[str, int]]:
    done = run(text, boilerplate_rules())
    assert apply(text, done.steps) == done.text
    assert revert(done.text, done.steps) == text
    return done.text, done.changes


@pytest.mark.parametrize("ends", [
    ("1", "2", "3"), ("7", "8", "9"), ("Page 1 of 3", "Page 2 of 3", "Page 3 of 3"), ("- 1 -", "- 2 -", "- 3 -"), ("-1-", "-2-", "-3-"),
    ("PAGE 4", "PAGE 5", "PAGE 6"), ("第1页", "第2页", "第3页"), ("第 1 页 共 3 页", "第 2 页 共 3 页", "第 3 页 共 3 页"),
    ("Supply Page 1 of 3 Rev. 2", "Supply Page 2 of 3 Rev. 2", "Supply Page 3 of 3 Rev. 2")])
def test_page_numbers_go(ends: tuple[str, ...]) -> None:
    text, changes = _cleaned(_pages(*ends))
    assert changes == {"page_numbers": 3}
    assert not [end for end in ends if end in text.split("\n")]
    assert [text.count(CLAUSE.format(letter)) for letter in "abc"] == [1, 1, 1]


@pytest.mark.parametrize("text", [
    # A table; numbers that do not count on; two that do; headings with numbers; a stamp used once; years.
    "Deliveries\n\n1\n\n2\n\n3\n\n4\n\nThe end.", _pages("12", "40", "7"), _pages("1", "2"),
    _pages("EXHIBIT 1", "EXHIBIT 2", "EXHIBIT 3"),
    _pages("第1条", "第2条", "第3条"), _pages("1.", "2.", "3."), _pages("See page 1 of 3 there.", "x", "y"),
    _pages("2019", "2024", "1999")])
def test_other_numbers_stay(text: str) -> None:
    assert _cleaned(text) == (text, {})


def test_lines_of_filing_services_go_and_prove_that_two_numbers_count_pages() -> None:
    source = "Source: EXAMPLE HOLDINGS, INC., 10-K/A, 3/12/2009"
    text, changes = _cleaned(_pages(f"1\n\n{source}", f"2\n\n{source}"))
    assert changes == {"filing_lines": 2, "page_numbers": 2}
    assert "Source" not in text
    said = "Source: the register of companies, as of 3/12/2009, and the parties themselves"
    assert _cleaned(said) == (said, {})


def test_a_header_that_repeats_beside_page_ends_goes_but_for_its_first_time() -> None:
    text, changes = _cleaned(_pages("1", "2", "3", "4", header="Master Supply Agreement"))
    assert changes == {"running_headers": 3, "page_numbers": 4}
    assert text.count("Master Supply Agreement") == 1
    assert text.startswith("Master Supply Agreement")


def test_a_line_that_repeats_inside_pages_or_only_on_some_stays() -> None:
    inside = "\n\n".join(f"{CLAUSE.format(letter)}\n\nThe buyer will:\n\n{CLAUSE.format(letter)}\n\n{number}" for number, letter in
                         enumerate("abcd", 1))
    text, changes = _cleaned(inside)
    assert (changes, text.count("The buyer will:")) == ({"page_numbers": 4}, 4)
    some = _pages("Signature: \n\n1", "2", "Signature: \n\n3", "4", "Signature: \n\n5")
    assert _cleaned(some)[0].count("Signature: ") == 3


def test_a_header_between_wide_gaps_goes_without_any_page_number() -> None:
    text = "".join(f"Lease of Premises\n\n\n\n{CLAUSE.format(letter)}\n\n\n\n" for letter in "abcdef").strip("\n")
    cleaned, changes = _cleaned(text)
    assert (changes, cleaned.count("Lease of Premises")) == ({"running_headers": 5}, 1)


def test_only_a_line_that_is_nothing_but_a_stamp_is_one() -> None:
    kept = "1. Confidentiality\nThe terms are confidential.\n商业秘密\n"
    text, changes = _cleaned(f"Confidential\nStrictly Confidential\n机密\n{kept}CONFIDENTIAL")
    assert (text, changes) == (kept, {"confidential_stamps": 4})
