"""Files to rows."""

import hashlib
from pathlib import Path

from tutelage.documents.readers import read
from tutelage.documents.rows import Row, Unreadable
from tutelage.documents.sources import SourceFile

OBJECT = 'one JSON object a row, such as {"text": "..."}'


def _read(folder: Path, name: str, content: str | bytes) -> list[Row]:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return list(read(SourceFile(name, "contracts", path)))


def test_front_matter_becomes_title_and_metadata_and_leaves_the_text(tmp_path: Path) -> None:
    content = ("---\nname: Demo License\nkey: demo-1.0\nversion: 1.10\nis_old: yes\nsince: 2020-01-31\nurls:\n  - https://example.com\n"
               "long: " + "x" * 301 + "\n---\n\nPermission is granted.\n")
    [row] = _read(tmp_path, "demo.LICENSE", content)
    assert row.text == "\nPermission is granted.\n"
    assert row.title == "Demo License"
    assert dict(row.metadata) == {"name": "Demo License", "key": "demo-1.0", "version": "1.1", "is_old": "True", "since": "2020-01-31"}
    assert row.source_sha256 == hashlib.sha256(content.encode()).hexdigest()
    assert (row.name, row.source, row.encoding, row.problem) == ("demo.LICENSE", "contracts", "utf-8", None)


def test_without_front_matter_the_first_line_is_the_title(tmp_path: Path) -> None:
    [row] = _read(tmp_path, "a.md", "\n## Supply agreement\n\nText.\n")
    assert (row.title, row.text, row.metadata) == ("Supply agreement", "\n## Supply agreement\n\nText.\n", ())


def test_a_text_that_begins_with_dashes_is_no_front_matter(tmp_path: Path) -> None:
    content = "---\nSection one says: nothing\nat all\n---\nSection two\n"
    for text in ("--- draft ---\nText\n", "---\njust a sentence\n---\nText\n", "---\nnever closed: true\nText\n"):
        assert _read(tmp_path, "a.txt", text)[0].text == text
    assert _read(tmp_path, "a.txt", content)[0].problem is not None


def test_broken_front_matter_is_a_problem_with_its_line(tmp_path: Path) -> None:
    [row] = _read(tmp_path, "a.md", "---\ntitle: A\nkey: [1, 2\n---\nText\n")
    assert row.problem is not None
    assert row.problem.reason == "bad front matter"
    assert row.problem.suggestion == "The YAML between the --- lines cannot be read (line 4). Correct it, or remove the block."


def test_each_line_of_a_json_lines_file_is_a_row_and_a_bad_line_a_problem(tmp_path: Path) -> None:
    lines = ['{"text": "One.", "title": "First", "part": 2}', "", "not json", '["text"]', '{"text": 5}', '{"text": "Two.\\nMore."}', ""]
    rows = _read(tmp_path, "a.jsonl", "\n".join(lines))
    assert [row.name for row in rows] == ["a.jsonl:1", "a.jsonl:3", "a.jsonl:4", "a.jsonl:5", "a.jsonl:6"]
    assert [row.problem.reason if row.problem else row.text for row in rows] == ["One.", "bad JSON", "bad JSON", "wrong field",
                                                                                       "Two.\nMore."]
    assert (rows[0].title, rows[0].metadata, rows[4].title) == ("First", (("title", "First"), ("part", "2")), "Two.")
    assert [row.problem for row in rows[1:4]] == [
        Unreadable("bad JSON", "Expecting value at character 1. Correct the row.", expected=OBJECT),
        Unreadable("bad JSON", "It is no object but a list.", expected=OBJECT),
        Unreadable("wrong field", "text is int '5'. Correct the row.", field="text", expected="a text")]
    assert len({row.id for row in rows}) == 5


def test_files_without_a_reader_or_that_cannot_be_read_are_rows_that_say_so(tmp_path: Path) -> None:
    [row] = _read(tmp_path, "a.xlsx", "x")
    assert row.problem is not None
    assert row.problem.suggestion == "Files ending in .xlsx are not read. Save each sheet as .csv, in UTF-8."
    [row] = _read(tmp_path, "a.msg", "x")
    assert row.problem is not None
    assert row.problem.reason == "no reader"
    assert row.problem.suggestion.startswith("Files ending in .msg are not read, only .txt, .md, ")
    assert row.problem.suggestion.endswith("Save it as .txt, or leave it out of documents.sources.")
    [row] = _read(tmp_path, "a.doc", "x")
    assert row.problem is not None
    assert row.problem.suggestion == "Files ending in .doc are not read. Open it in Word or LibreOffice and save it as .docx."
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere")
    [row] = list(read(SourceFile("gone.txt", "contracts", tmp_path / "gone.txt")))
    assert row.problem is not None
    assert row.problem.reason == "unreadable"
    assert row.problem.suggestion == "No such file or directory. Check that the file exists and may be read."


def test_the_id_of_a_row_depends_on_name_and_text(tmp_path: Path) -> None:
    [first], [second], [third] = (_read(tmp_path, name, text) for name, text in [("a.txt", "x"), ("b.txt", "x"), ("a.txt", "y")])
    assert len({first.id, second.id, third.id}) == 3
    assert all(len(row.id) == 12 for row in (first, second, third))
