"""Tracked changes of a Word file: the text after them, before them, and each changed paragraph as a pair."""

from pathlib import Path

import pytest
from reading import rows_of
from word_files import BY, level, lists, paragraph, run, word_file

from tutelage.documents.rows import ReadOptions, Row, TrackedChanges

GONE = f'<w:del {BY}><w:r><w:delText xml:space="preserve">%s</w:delText></w:r></w:del>'
NEW = f'<w:ins {BY}><w:r><w:t xml:space="preserve">%s</w:t></w:r></w:ins>'
DELETED_MARK = f"<w:pPr><w:rPr><w:del {BY}/></w:rPr></w:pPr>"
INSERTED_MARK = f"<w:pPr><w:rPr><w:ins {BY}/></w:rPr></w:pPr>"
PERIOD = f"<w:p>{run('Payment within ')}{GONE % '30'}{NEW % '60'}{run(' days.')}</w:p>"


def _rows(folder: Path, body: str, mode: TrackedChanges, **parts: str) -> list[Row]:
    rows = rows_of(folder, "a.docx", word_file(body, **parts), ReadOptions(tracked_changes=mode))
    assert all(row.problem is None for row in rows)
    return rows


def _text(folder: Path, body: str, mode: TrackedChanges, **parts: str) -> str:
    [row] = _rows(folder, body, mode, **parts)
    return row.text


def _pairs(folder: Path, body: str) -> list[tuple[str, str]]:
    """Each edit as (before, after)."""
    _, *edits = _rows(folder, body, "pairs")
    assert {row.kind for row in edits} <= {"edit"}
    return [(row.rejected, row.text) for row in edits]


def test_words_are_those_after_or_before_the_changes(tmp_path: Path) -> None:
    assert _text(tmp_path, PERIOD, "accept") == "Payment within 60 days."
    assert _text(tmp_path, PERIOD, "reject") == "Payment within 30 days."
    assert _pairs(tmp_path, PERIOD) == [("Payment within 30 days.", "Payment within 60 days.")]


def test_what_a_view_leaves_out_is_counted(tmp_path: Path) -> None:
    assert _rows(tmp_path, PERIOD + PERIOD, "accept")[0].removed == (("tracked deletion", 2),)
    assert _rows(tmp_path, PERIOD, "reject")[0].removed == (("tracked insertion", 1),)


def test_the_pairs_come_after_the_text_and_have_names_and_ids_of_their_own(tmp_path: Path) -> None:
    rows = _rows(tmp_path, PERIOD.replace("<w:p>", '<w:p w14:paraId="0A1B2C3D">') + PERIOD, "pairs")
    assert [(row.kind, row.name, row.title) for row in rows] == [
        ("text", "a.docx", "Payment within 60 days."), ("edit", "a.docx#1:0A1B2C3D", "Payment within 60 days."),
        ("edit", "a.docx#2:2", "Payment within 60 days.")]
    assert len({row.id for row in rows}) == 3


def test_a_move_is_a_deletion_and_an_insertion(tmp_path: Path) -> None:
    moved = (f"<w:p><w:moveFrom {BY}>{run('Old place. ')}</w:moveFrom>{run('Stays.')}</w:p>"
             f"<w:p>{run('End. ')}<w:moveTo {BY}>{run('New place.')}</w:moveTo></w:p>")
    assert _text(tmp_path, moved, "accept") == "Stays.\n\nEnd. New place."
    assert _text(tmp_path, moved, "reject") == "Old place. Stays.\n\nEnd."


def test_text_that_one_person_inserted_and_another_deleted_is_in_neither_view(tmp_path: Path) -> None:
    both = f"<w:p>{run('a')}<w:ins {BY}>{GONE % 'ghost'}</w:ins>{run('b')}</w:p>"
    assert _text(tmp_path, both, "accept") == _text(tmp_path, both, "reject") == "ab"
    assert _pairs(tmp_path, both) == []


def test_a_deleted_paragraph_mark_joins_two_paragraphs(tmp_path: Path) -> None:
    body = f"<w:p>{DELETED_MARK}{run('The buyer ')}{GONE % 'pays.'}</w:p><w:p>{GONE % 'The seller '}{run('delivers.')}</w:p>"
    assert _text(tmp_path, body, "accept") == "The buyer delivers."
    assert _text(tmp_path, body, "reject") == "The buyer pays.\n\nThe seller delivers."
    assert _pairs(tmp_path, body) == [("The buyer pays.\nThe seller delivers.", "The buyer delivers.")]


def test_an_inserted_paragraph_mark_splits_one(tmp_path: Path) -> None:
    body = f"<w:p>{INSERTED_MARK}{run('One. ')}</w:p><w:p>{run('Two.')}</w:p>"
    assert _text(tmp_path, body, "accept") == "One.\n\nTwo."
    assert _text(tmp_path, body, "reject") == "One. Two."
    assert _pairs(tmp_path, body) == [("One. Two.", "One. \nTwo.")]


def test_whole_paragraphs_that_come_or_go_are_pairs_with_an_empty_side(tmp_path: Path) -> None:
    body = (f"<w:p>{run('Before.')}</w:p><w:p>{DELETED_MARK}{GONE % 'Gone.'}</w:p><w:p>{INSERTED_MARK}{NEW % 'Came.'}</w:p>"
            f"<w:p>{run('After.')}</w:p>")
    assert _text(tmp_path, body, "accept") == "Before.\n\nCame.\n\nAfter."
    assert _text(tmp_path, body, "reject") == "Before.\n\nGone.\n\nAfter."
    assert _pairs(tmp_path, body) == [("Gone.", ""), ("", "Came.")]


def test_the_last_paragraph_may_lose_its_mark(tmp_path: Path) -> None:
    body = f"<w:p>{run('A.')}</w:p><w:p>{DELETED_MARK}{run('B.')}{GONE % ' C.'}</w:p>"
    assert _text(tmp_path, body, "accept") == "A.\n\nB."
    assert _pairs(tmp_path, body) == [("B. C.", "B.")]


def test_rows_and_cells_of_tables_come_and_go(tmp_path: Path) -> None:
    def row(name: str, change: str = "", cell: str = "") -> str:
        return (f"<w:tr><w:trPr>{change}</w:trPr><w:tc>{paragraph(name)}</w:tc>"
                f"<w:tc><w:tcPr>{cell}</w:tcPr>{paragraph(name.lower())}</w:tc></w:tr>")

    table = f"<w:tbl>{row('A')}{row('B', f'<w:del {BY}/>')}{row('C', f'<w:ins {BY}/>')}{row('D', cell=f'<w:cellDel {BY}/>')}</w:tbl>"
    assert _text(tmp_path, table, "accept") == "A | a\nC | c\nD"
    assert _text(tmp_path, table, "reject") == "A | a\nB | b\nD | d"
    assert _pairs(tmp_path, table) == [("B", ""), ("b", ""), ("", "C"), ("", "c"), ("d", "")]


def test_deleted_paragraphs_do_not_count_and_old_properties_come_back(tmp_path: Path) -> None:
    """The second paragraph is deleted; the third was in no list before a change of its properties."""
    numbering = lists({"0": level(0, "decimal", "%1.")}, {"1": "0"})
    listed = '<w:numPr><w:ilvl w:val="0"/><w:numId w:val="1"/></w:numPr>'
    body = (paragraph("A", num="1", level=0) + f"<w:p><w:pPr>{listed}<w:rPr><w:del {BY}/></w:rPr></w:pPr>{GONE % 'B'}</w:p>"
            + f"<w:p><w:pPr>{listed}<w:pPrChange {BY}><w:pPr/></w:pPrChange></w:pPr>{run('C')}</w:p>" + paragraph("D", num="1", level=0))
    assert _text(tmp_path, body, "accept", numbering=numbering) == "1. A\n\n2. C\n\n3. D"
    assert _text(tmp_path, body, "reject", numbering=numbering) == "1. A\n\n2. B\n\nC\n\n3. D"


@pytest.mark.parametrize("mode", ["accept", "reject", "pairs"])
def test_a_file_without_changes_reads_the_same_in_every_mode(tmp_path: Path, mode: TrackedChanges) -> None:
    assert _text(tmp_path, paragraph("Same.") + paragraph("Again."), mode) == "Same.\n\nAgain."
