"""Every change of every field can be replayed and undone, and places are found again in the cleaned text."""

from dataclasses import replace
from pathlib import Path

from documents_stage import CHINESE, LEASE, SUPPLY, make_documents, write
from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.edits import Edited, Placed, apply, revert
from tutelage.core.files import read_rows
from tutelage.core.records import Document, Message, Place
from tutelage.documents.clean import clean
from tutelage.documents.mask import mask_fields
from tutelage.documents.readers import read
from tutelage.documents.rows import Row
from tutelage.documents.settings import DocumentsSettings
from tutelage.documents.sources import SourceFile

SETTINGS = DocumentsSettings.model_validate({
    "sources": ("x",), "min_characters": 0, "repetition": False, "symbols": False, "simplified": True,
    "half_width": ("letters", "digits", "spaces"),
    "replace": ({"name": "stamp", "find": "ab+"}, {"name": "swap", "find": "(甲)(乙)", "replace": r"\2\1"})})
PIECES = st.lists(st.sampled_from([
    "the lease of", " ab", "abb", "甲乙", "違約", "\r\n", "\n\n\n\n", "\u200b", "０１", "Ｑ", "\u3000", "â€™", "e\u0301",
    "Page 1 of 2\n", "\n7\n", " \n", "Confidential\n", "me@example.org", "\ufeff"]), max_size=14).map("".join)
# Long enough to be English whatever follows.
ENGLISH = "The tenant shall pay the rent of the house to the landlord on the first day of each month and in the way that is stated. " * 3
ROW = Row(id="0123456789ab", name="a.txt", source="x", source_sha256="00", text="")


def _document(row: Row, settings: DocumentsSettings = SETTINGS) -> tuple[Document, dict[str, Edited]]:
    cleaned = clean(row, settings)
    assert isinstance(cleaned.outcome, Document), cleaned.outcome
    return cleaned.outcome, {edited.field: edited for edited in cleaned.edited}


@given(PIECES)
def test_the_text_of_a_document_is_rebuilt_from_its_source_and_its_edits(raw: str) -> None:
    text = f"{ENGLISH}{raw}is due"
    document, edits = _document(replace(ROW, text=text))
    steps = edits["text"].steps if "text" in edits else ()
    assert apply(text, steps) == document.text
    if "@" not in text:
        assert revert(document.text, steps) == text


@given(PIECES, PIECES, PIECES)
def test_so_is_every_message_of_a_conversation_and_the_rejected_reply(first: str, second: str, rejected: str) -> None:
    row = replace(ROW, kind="preference", rejected=f"no{rejected}x", messages=(
        Message(role="user", content=f"{ENGLISH}{first}x"), Message(role="assistant", content=f"the rent{second}x")))
    document, edits = _document(row)
    sources = {"message 0": row.messages[0].content, "message 1": row.messages[1].content, "rejected": row.rejected}
    cleaned = {"message 0": document.messages[0].content, "message 1": document.messages[1].content, "rejected": document.rejected}
    for field, raw in sources.items():
        assert apply(raw, edits[field].steps if field in edits else ()) == cleaned[field]
    assert document.text == "\n\n".join(cleaned.values())


@given(PIECES, PIECES)
def test_a_place_still_holds_what_is_left_of_it(first: str, second: str) -> None:
    text = f"OPENING {ENGLISH}{first} the word KEYSTONE {second} ENDING"
    start = text.index("KEYSTONE")
    places = (Place(start=start, end=start + 8, paragraph="p7"), Place(start=0, end=len(text), paragraph="all"))
    cleaned = clean(replace(ROW, text=text, places=places), SETTINGS)
    assert isinstance(cleaned.outcome, Document)
    word, whole = cleaned.places
    assert cleaned.outcome.text[word.start:word.end] == "KEYSTONE"
    assert cleaned.outcome.text[whole.start:whole.end].startswith("OPENING")
    assert (word.paragraph, whole.paragraph) == ("p7", "all")


def test_a_place_of_which_nothing_is_left_goes() -> None:
    text = "The rent is due on the first day of the month.\nConfidential\nThe deposit is returned."
    places = (Place(start=0, end=46, paragraph="1"), Place(start=47, end=59, paragraph="2"), Place(start=60, end=len(text), paragraph="3"))
    cleaned = clean(replace(ROW, text=text, places=places), SETTINGS)
    assert [(place.paragraph, place.start, place.end) for place in cleaned.places] == [("1", 0, 46), ("3", 47, 71)]


def test_an_address_has_one_number_in_the_whole_row_and_is_kept_in_no_edit() -> None:
    masked = mask_fields({"text": "a@b.example and c@d.example", "title": "To: C@D.example", "label": "none"})
    assert {name: one.text for name, one in masked.items()} == {
        "text": "[EMAIL_1] and [EMAIL_2]", "title": "To: [EMAIL_2]", "label": "none"}
    assert [(span.start, span.length) for span in masked["title"].spans] == [(4, 11)]
    assert masked["label"].steps == ()
    [step] = masked["title"].steps
    assert (step.rule, step.edits[0].before) == ("emails", None)
    assert apply("To: C@D.example", [step]) == "To: [EMAIL_2]"


def test_the_artifact_holds_the_edits_and_places_of_every_row_that_was_fit(root: Path, tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {
        "in/lease.txt": LEASE.replace(". ", ".\r\n\r\n\r\n\r\n\r\n"), "in/supply.md": f"Page 1 of 2\n{SUPPLY}",
        "in/zh.txt": CHINESE.replace("三十", "３０").encode("gb18030"), "in/copy.txt": LEASE + "\n\n", "in/short.txt": "x  "}
    write(root, files)
    made = make_documents(root, DocumentsSettings(sources=("in",)), tmp_path / "work").artifact
    edits = list(read_rows(made.file("edits.jsonl"), Edited))
    documents = {document.id: document for document in read_rows(made.file("documents.jsonl"), Document)}
    rows = {row.id: row for name in files for row in read(SourceFile(name, "in", root / name))}
    rebuilt = {edited.row: apply(rows[edited.row].text, edited.steps) for edited in edits if edited.field == "text"}
    assert {rows[row].name for row in rebuilt} == {"in/lease.txt", "in/supply.md", "in/zh.txt", "in/copy.txt"}
    assert all(documents[row].text == text for row, text in rebuilt.items() if row in documents)
    assert sum(row in documents for row in rebuilt) == 3
    for placed in read_rows(made.file("places.jsonl"), Placed):
        assert placed.row in rows
