"""Rows that show pictures: each is found beside the data file, opened and hashed."""

import hashlib
import io
import json
from pathlib import Path

import pytest
from PIL import Image
from reading import problem_of, rows_of, turns

from tutelage.core.records import Image as Shown
from tutelage.documents.rows import ReadOptions, Row

ANSWER = {"role": "assistant", "content": "A cat."}


def _picture(kind: str = "PNG", size: tuple[int, int] = (12, 7)) -> bytes:
    data = io.BytesIO()
    Image.effect_noise(size, 64).convert("RGB").save(data, kind)
    return data.getvalue()


def _rows(folder: Path, *objects: object, options: ReadOptions | None = None) -> list[Row]:
    return rows_of(folder, "rows.jsonl", "\n".join(map(json.dumps, objects)), options)


def _asking(content: object, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": content}, ANSWER], **fields}


@pytest.mark.parametrize("fields", [
    _asking("<image>What?", images=["pics/a.png"]), _asking("<image>What?", image="pics/a.png"),
    _asking([{"type": "image_url", "value": "pics/a.png"}, {"type": "text", "value": "What?"}]),
    _asking([{"type": "image_url", "image_url": {"url": "pics/a.png"}}, {"type": "text", "text": "What?"}]),
    _asking([{"type": "image", "image": "pics/a.png"}, {"type": "text", "text": "What?"}]),
    _asking([{"type": "input_image", "image_url": "pics/a.png"}, {"type": "input_text", "text": "What?"}]),
    {"prompt": "<image>What?", "completion": "A cat.", "images": ["pics/a.png"]},
    {"instruction": "<image>What?", "output": "A cat.", "images": '["pics/a.png"]'}])
def test_pictures_are_named_by_a_field_or_inside_the_turns(tmp_path: Path, fields: dict[str, object]) -> None:
    (tmp_path / "pics").mkdir()
    content = _picture()
    (tmp_path / "pics" / "a.png").write_bytes(content)
    [row] = _rows(tmp_path, fields)
    assert turns(row) == [("user", "<image>What?"), ("assistant", "A cat.")]
    assert row.images == (Shown(path="pics/a.png", sha256=hashlib.sha256(content).hexdigest(), width=12, height=7),)
    assert row.metadata == ()


@pytest.mark.parametrize(("path", "reason", "suggestion"), [
    ("none.png", "picture missing", "none.png is not there (looked beside rows.jsonl)"),
    ("../a.png", "picture elsewhere", "leads out of the folder of the data file"), ("/etc/hostname", "picture elsewhere", "leads out"),
    ("pics\\a.png", "picture elsewhere", "leads out"), ("C:/a.png", "picture elsewhere", "leads out"),
    ("https://example.com/a.png", "picture elsewhere", "is not fetched"),
    ("data:image/png;base64,AA", "picture elsewhere", "is not fetched"),
    ("text.png", "picture broken", "cannot be opened"), ("cut.png", "picture broken", "cannot be opened"),
    ("cut.jpg", "picture broken", "cannot be opened"), (".", "picture missing", "is not there"), (7, "wrong field", "is no path")])
def test_a_row_whose_picture_cannot_be_shown_is_dropped_and_says_which(tmp_path: Path, path: object, reason: str, suggestion: str) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "cut.png").write_bytes(_picture(size=(200, 200))[:5_000])
    (tmp_path / "cut.jpg").write_bytes(_picture("JPEG", (200, 200))[:5_000])
    (tmp_path / "good.png").write_bytes(_picture())
    rows = _rows(tmp_path, _asking("<image><image>What?", images=["good.png", path]), _asking("No picture."))
    assert rows[1].problem is None
    problem = problem_of(rows[:1])
    assert (problem.reason, problem.field) == (reason, "images[1]")
    assert suggestion in problem.suggestion


def test_there_must_be_a_mark_for_each_picture(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(_picture())
    problem = problem_of(_rows(tmp_path, _asking("What?", images=["a.png"])))
    assert (problem.field, problem.expected) == ("images", "as many marks <image> in the text as pictures")
    assert "1 pictures, 0 marks" in problem.suggestion


def test_a_page_about_html_is_no_row_with_pictures(tmp_path: Path) -> None:
    [row] = _rows(tmp_path, _asking("What does <image> mean in SVG?"))
    assert (row.problem, row.images) == (None, ())


def test_pictures_that_would_fill_the_memory_are_refused_before_they_are_decoded(tmp_path: Path) -> None:
    """A PNG of 8,000 x 8,000 black pixels takes 70 kB on the disk and 64 MB, or 192 MB in colour, decoded."""
    Image.new("1", (8_000, 8_000)).save(tmp_path / "large.png")
    assert (tmp_path / "large.png").stat().st_size < 100_000
    problem = problem_of(_rows(tmp_path, _asking("<image>", images=["large.png"])))
    assert (problem.reason, problem.expected) == ("picture too large", "at most 50,000,000 pixels")
    (tmp_path / "a.png").write_bytes(_picture(size=(100, 100)))
    problem = problem_of(_rows(tmp_path, _asking("<image>", images=["a.png"]), options=ReadOptions(max_bytes_a_document=1_000)))
    assert (problem.reason, "MB. Make it smaller." in problem.suggestion) == ("picture too large", True)


def test_a_picture_that_many_rows_show_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_picture())
    (tmp_path / "rows.jsonl").write_text(json.dumps(_asking("<image>", images=["a.png"])) + "\n", encoding="utf-8")
    rows = _rows(tmp_path, *[_asking("<image>", images=["a.png"])] * 300)
    assert {row.images for row in rows} == {rows[0].images}
    assert len(rows) == 300
