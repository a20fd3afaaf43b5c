"""Cutting: numbers, headings and items in English and Chinese; offsets point at the right text."""

from itertools import pairwise

import pytest

from tutelage.core.records import Language
from tutelage.text.clauses import Clause, cut_clauses

ENGLISH = """WIDGET SUPPLY AGREEMENT

Copyright 2020 Northwind Press

1. Confidentiality. The Supplier keeps all drawings secret and shows them only to
staff who need them.

2. FEES AND PAYMENT

The Buyer pays each invoice within thirty days. It covers:

(a) the price of the goods;

(b) the freight from the mill; and

(c) the tax that the law asks for.

2.1 Late Payment. Interest of two percent runs on late amounts.

LIMITATION OF LIABILITY. Neither party is liable for lost profits of the other party.

## Governing Law

This agreement is governed by the laws of Riverton.

ARTICLE IV - TERMINATION
Either party may terminate this agreement by notice of
sixty days.

Exhibit A
"""
CHINESE = """设备采购合同

第一条 保密
乙方应当对甲方提供的图纸承担保密义务，不得向第三人泄露。

第二条 付款方式：甲方应当在收到发票后三十日内支付全部货款。付款时应当注明下列事项：
（一）发票号码；
（二）货物名称；
（三）收款账户。

三、违约责任
任何一方违约的，应当向对方支付合同总价百分之五的违约金。

四、不可抗力
因不可抗力不能履行合同的，根据不可抗力的影响，
部分或者全部免除责任。

附件一 价格表
"""


def shown(text: str, language: Language, **limits: int) -> list[tuple[str, str, str]]:
    return [(clause.number, clause.heading, clause.text) for clause in cut_clauses(text, language, **limits)]


def solid(text: str) -> str:
    return "".join(text.split())


def test_an_english_contract_is_cut_at_numbers_capitals_run_in_headings_and_markdown() -> None:
    assert shown(ENGLISH, "en") == [
        ("1", "Confidentiality", "The Supplier keeps all drawings secret and shows them only to staff who need them."),
        ("2", "FEES AND PAYMENT", "The Buyer pays each invoice within thirty days. It covers:\n(a) the price of the goods;\n"
                                  "(b) the freight from the mill; and\n(c) the tax that the law asks for."),
        ("2.1", "Late Payment", "Interest of two percent runs on late amounts."),
        ("", "LIMITATION OF LIABILITY", "Neither party is liable for lost profits of the other party."),
        ("", "Governing Law", "This agreement is governed by the laws of Riverton."),
        ("ARTICLE IV", "TERMINATION", "Either party may terminate this agreement by notice of sixty days.")]


def test_a_chinese_contract_is_cut_at_articles_and_numerals_and_keeps_its_items_without_gaps() -> None:
    assert shown(CHINESE, "zh") == [
        ("第一条", "保密", "乙方应当对甲方提供的图纸承担保密义务，不得向第三人泄露。"),
        ("第二条", "付款方式", "甲方应当在收到发票后三十日内支付全部货款。付款时应当注明下列事项：\n"
                               "（一）发票号码；\n（二）货物名称；\n（三）收款账户。"),
        ("三、", "违约责任", "任何一方违约的，应当向对方支付合同总价百分之五的违约金。"),
        ("四、", "不可抗力", "因不可抗力不能履行合同的，根据不可抗力的影响，部分或者全部免除责任。")]


@pytest.mark.parametrize(("text", "language", "count"), [(ENGLISH, "en", 6), (CHINESE, "zh", 4)])
def test_start_and_end_bound_number_heading_and_text_in_the_source(text: str, language: Language, count: int) -> None:
    clauses = cut_clauses(text, language)
    assert len(clauses) == count
    for clause in clauses:
        source = solid(text[clause.start:clause.end])
        assert source.lstrip("#").startswith(solid(clause.number or clause.heading))
        assert source.endswith(solid(clause.text)[-20:])
        assert all(solid(line) in source for line in clause.text.split("\n"))
    assert all(one.end <= two.start for one, two in pairwise(clauses))


def test_a_section_within_a_section_knows_the_heading_above_it() -> None:
    late = next(clause for clause in cut_clauses(ENGLISH, "en") if clause.heading == "Late Payment")
    assert late.above == "FEES AND PAYMENT"


def test_a_run_in_heading_without_capitals_counts_if_it_names_a_type() -> None:
    text = ("3. Waiver. A right that is not used is not lost.\n\n"
            "Entire agreement. This contract contains the entire agreement of the parties.\n\n"
            "Good fences. They make good neighbours, and the parties keep theirs in repair.\n")
    assert [(heading, body[:14]) for _, heading, body in shown(text, "en")] == [
        ("Waiver", "A right that i"), ("Entire agreement", "This contract ")]
    assert shown(text, "en")[1][2].endswith("\nGood fences. They make good neighbours, and the parties keep theirs in repair.")


def test_a_paragraph_that_goes_on_with_a_sentence_stays_in_its_clause() -> None:
    text = ("4. Delivery. The goods are delivered to the warehouse,\n\nand the risk passes at its gate.\n\n"
            "5. Term. This agreement lasts for a year.\n")
    assert shown(text, "en")[0] == ("4", "Delivery", "The goods are delivered to the warehouse,\nand the risk passes at its gate.")


def test_a_text_without_headings_gives_its_paragraphs() -> None:
    text = "The tenant pays the rent in advance.\n\nThe landlord repairs the roof.\n"
    assert shown(text, "en") == [("", "", "The tenant pays the rent in advance."), ("", "", "The landlord repairs the roof.")]
    assert shown("", "en") == []


def test_a_section_longer_than_the_limit_is_cut_at_its_paragraphs_and_each_has_only_the_heading_above() -> None:
    text = ("6. Delivery\n\nThe goods travel by rail to the northern depot.\n\nThe buyer unloads them within two days.\n")
    whole = cut_clauses(text, "en", longest=200)
    assert [clause.text for clause in whole] == ["The goods travel by rail to the northern depot.\nThe buyer unloads them within two days."]
    pieces = cut_clauses(text, "en", longest=60)
    assert [(clause.heading, clause.above, clause.text) for clause in pieces] == [
        ("", "Delivery", "The goods travel by rail to the northern depot."),
        ("", "Delivery", "The buyer unloads them within two days.")]
    assert text[pieces[1].start:pieces[1].end] == pieces[1].text


def test_a_section_of_many_matters_is_cut_where_a_sentence_opens_another_one() -> None:
    one = "This agreement is governed by the laws of Riverton and of no other place on earth."
    two = "Neither party may assign this agreement without the written consent of the other party."
    text = f"9. Miscellaneous. {one} {two}\n"
    clauses = cut_clauses(text, "en")
    assert [(clause.text, clause.above, clause.type_in("en")) for clause in clauses] == [
        (one, "Miscellaneous", "governing_law"), (two, "Miscellaneous", "assignment")]
    assert text[clauses[1].start:clauses[1].end] == two
    assert [clause.text for clause in cut_clauses(f"9. Choice of Law. {one} {two}\n", "en")] == [f"{one} {two}"]


def test_a_sentence_that_stands_alone_begins_a_clause_without_a_heading() -> None:
    text = ("Permission is granted to copy this text for teaching.\n\n"
            "THE TEXT IS PROVIDED \"AS IS\" WITHOUT WARRANTY OF ANY KIND.\n\n"
            "IN NO EVENT ARE THE AUTHORS LIABLE FOR DAMAGES.\n")
    assert [clause.type_in("en") for clause in cut_clauses(text, "en")] == [
        "license_grant", "disclaimer_of_warranty", "limitation_of_liability"]


def test_a_paragraph_without_a_heading_is_cut_only_where_a_sentence_stands_alone() -> None:
    one = "Permission is granted to copy this text for teaching in every school of the land."
    two = "THE TEXT IS PROVIDED \"AS IS\" AND WITHOUT WARRANTY OF ANY KIND FROM ANY OF ITS AUTHORS."
    three = "This licence is governed by the laws of Riverton and of no other place on earth."
    text = f"{one} {two}\n"
    assert [(clause.text, text[clause.start:clause.end]) for clause in cut_clauses(text, "en")] == [(one, one), (two, two)]
    assert [clause.text for clause in cut_clauses(f"{one} {three}\n", "en")] == [f"{one} {three}"]


def test_under_a_heading_above_the_type_that_both_name_goes_first() -> None:
    text = "This agreement is governed by the laws of Riverton, whose courts have exclusive jurisdiction."
    piece = Clause(number="", heading="", text=text, start=0, end=len(text), above="Jurisdiction")
    assert piece.type_in("en") == "dispute_resolution"
    assert Clause(number="", heading="", text=text, start=0, end=len(text), above="Other Terms").type_in("en") == "governing_law"
