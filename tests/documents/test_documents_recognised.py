"""Pages read from their pictures: lines out of boxes, and what is told where the packages are missing. The packages: tests/real."""

import sys
from pathlib import Path

import pytest
from documents_stage import make_documents, write

from tutelage.core.errors import ExtraMissing
from tutelage.core.records import Place
from tutelage.documents.readers.recognised import Box, lines_of_boxes, require_recogniser
from tutelage.documents.settings import DocumentsSettings


def _box(text: str, bottom: float, left: float = 72, *, width: float = 200, height: float = 10, confidence: float = 0.99) -> Box:
    return Box(left, left + width, bottom, bottom + height, text, confidence)


def test_boxes_become_lines_from_top_to_bottom_and_parts_of_a_line_are_joined() -> None:
    """The second part of the first line stands 1 point lower and is 12 points, less than two heights, to the right."""
    lines = lines_of_boxes([_box("2. Rent.", 700), _box("of this lease", 719, left=284, confidence=0.7), _box("1. The term", 720),
                            _box("Far away", 720, left=600)])
    assert [(line.text, line.left, line.confidence) for line in lines] == [
        ("1. The term of this lease", 72, 0.7), ("Far away", 600, 0.99), ("2. Rent.", 72, 0.99)]


def test_lines_whose_letters_are_lower_keep_the_usual_height_and_their_middle() -> None:
    """A line without tall letters has a lower box; a heading, twice as high, keeps its height."""
    usual = [_box("a", 650), _box("b", 630), _box("c", 610)]
    low, heading, *_ = lines_of_boxes([_box("sea", 722, height=7), _box("LEASE", 680, height=20), *usual])
    assert (low.height, low.base) == (10, 720.5)
    assert (heading.height, heading.base) == (20, 680)


def test_a_hyphen_at_the_end_of_a_recognised_line_is_one() -> None:
    first, second = lines_of_boxes([_box("the agree-", 720), _box("Annex 1-", 700)])
    assert (first.text, first.is_hyphenated) == ("the agree", True)
    assert (second.text, second.is_hyphenated) == ("Annex 1-", False)


def test_an_empty_page_has_no_line() -> None:
    assert lines_of_boxes([]) == []
    assert lines_of_boxes([_box("  ", 700)]) == []


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_whoever_asks_for_recognition_without_the_packages_is_told_before_any_work(root: Path, tmp_path: Path, package: str,
                                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ExtraMissing, match=r"documents.recognise is on, and .*not installed. Run `pip install tutelage\[ocr\]`"):
        require_recogniser()
    write(root, {"in/a.txt": "text"})
    with pytest.raises(ExtraMissing):
        make_documents(root, DocumentsSettings(sources=("in",), recognise=True), tmp_path / "work")  # type: ignore[arg-type]
    assert not list((tmp_path / "work").glob("documents/[!.]*"))


def test_a_place_tells_its_confidence_only_where_text_was_recognised() -> None:
    assert "confidence" not in Place(start=0, end=1).model_dump()
    assert Place(start=0, end=1, confidence=0.5).model_dump()["confidence"] == 0.5
