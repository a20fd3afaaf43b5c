"""One row cleaned."""

from dataclasses import replace

import pytest

from tutelage.core.records import Document
from tutelage.documents.clean import Cleaned, clean
from tutelage.documents.filters import Dropped
from tutelage.documents.rows import Row, Unreadable
from tutelage.documents.settings import DocumentsSettings

SETTINGS = DocumentsSettings(sources=("x",))
ROW = Row(id="0123456789ab", name="a.txt", source="x", source_sha256="00", title="Lease", encoding="utf-8", text=(
    "\nThe tenant shall pay the rent on the first day of each month.  \r\nQuestions go to rent@example.com, or to the "
    "landlord at the address that is given in the schedule to this lease.\n"))


def _document(cleaned: Cleaned) -> Document:
    assert isinstance(cleaned.outcome, Document)
    return cleaned.outcome


def test_a_fit_row_becomes_a_tidied_document_without_addresses() -> None:
    cleaned = clean(ROW, SETTINGS)
    document = _document(cleaned)
    assert document.text == ("The tenant shall pay the rent on the first day of each month.\nQuestions go to [EMAIL_1], or to the landlord "
                             "at the address that is given in the schedule to this lease.")
    assert (document.id, document.name, document.language) == (ROW.id, "a.txt", "en")
    assert cleaned.changes == {"line_ends": 1, "trailing_spaces": 1, "outer_blank_lines": 2}
    assert [(name, span.start, span.length) for name, span in cleaned.masked] == [("text", 78, 16)]


def test_addresses_in_title_and_metadata_are_masked_too_unless_switched_off() -> None:
    row = replace(ROW, title="Mail me@example.org", metadata=(("contact", "me@example.org"), ("key", "lease")))
    document = _document(clean(row, SETTINGS))
    # [EMAIL_1] is the other address, in the text: an address has one number in the whole row.
    assert (document.title, document.metadata) == ("Mail [EMAIL_2]", {"contact": "[EMAIL_2]", "key": "lease"})
    plain = clean(row, DocumentsSettings(sources=("x",), mask_emails=False))
    assert "rent@example.com" in _document(plain).text
    assert _document(plain).metadata["contact"] == "me@example.org"
    assert plain.masked == ()


@pytest.mark.parametrize(("row", "reason", "detail"), [
    (replace(ROW, text=" \n\u200b\n"), "empty", "There is no text in it."),
    (replace(ROW, text="The rent is due."), "too short", "It has 16 characters; documents.min_characters is 80."),
    (replace(ROW, text="乙方应当承担违约责任并赔偿损失。"), "too short",
     "It has 16 characters; documents.min_characters is 80, for Chinese 20."),
    (replace(ROW, text="Der Mieter zahlt die Miete am ersten Tag des Monats und hält die Wohnung in einem guten Zustand.",
             metadata=(("language", "de"),)), "language:other", "Wanted are en, zh (documents.languages). The file itself says de."),
    (replace(ROW, problem=Unreadable("binary file", "Save it as text.")), "binary file", "Save it as text."),
])
def test_an_unfit_row_is_dropped_with_reason_and_detail(row: Row, reason: str, detail: str) -> None:
    assert clean(row, SETTINGS).outcome == Dropped(reason, detail)


def test_only_wanted_languages_stay() -> None:
    chinese = replace(ROW, text="甲方应当在收到发票之日起三十日内支付全部费用。" * 5)
    assert _document(clean(chinese, SETTINGS)).language == "zh"
    english_only = DocumentsSettings(sources=("x",), languages=("en",))
    assert clean(chinese, english_only).outcome == Dropped("language:zh", "Wanted are en (documents.languages).")


def test_a_chinese_text_needs_a_quarter_of_the_characters() -> None:
    text = "乙方应当承担违约责任并赔偿甲方全部损失。"
    assert len(text) == 20
    assert _document(clean(replace(ROW, text=text), SETTINGS)).text == text
