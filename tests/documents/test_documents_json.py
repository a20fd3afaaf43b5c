"""JSON files and JSON lines, read object by object."""

import io
import json
import random
from pathlib import Path

import pytest
from reading import problem_of, rows_of
from shared_data import shared_data

from tutelage.documents.readers import read
from tutelage.documents.readers.json_rows import CHUNK_CHARACTERS
from tutelage.documents.rows import ReadOptions, Unreadable
from tutelage.documents.sources import SourceFile

SMALL = ReadOptions(max_characters_a_row=200)
OBJECT = 'one JSON object a row, such as {"text": "..."}'


def _texts(folder: Path, name: str, content: str | bytes, options: ReadOptions | None = None) -> list[str]:
    """The text of each row, or its problem."""
    return [row.problem.reason if row.problem else row.text for row in rows_of(folder, name, content, options)]


@pytest.mark.parametrize("content", [
    '[{"text": "a"}, {"text": "b"}]', '\ufeff [\n{"text": "a"}\n,\n{"text": "b"}\n]\n', '{"text": "a"}\n{"text": "b"}\n',
    '{"text": "a"}{"text": "b"}', '{"text":\n "a"}\n\n{"text": "b"}'])
def test_a_json_file_is_a_list_or_objects_one_after_the_other(tmp_path: Path, content: str) -> None:
    rows = rows_of(tmp_path, "a.json", content)
    assert [(row.name, row.text) for row in rows] == [("a.json:1", "a"), ("a.json:2", "b")]


def test_elements_are_found_wherever_the_pieces_that_are_read_end(tmp_path: Path) -> None:
    """Texts with brackets, quotes and escapes, of random lengths around the size of a piece; json.loads says what they are."""
    random.seed(7)
    rows = [{"text": random.choice(['["', "\\", "}{", "甲方", '\\"', "\n"]) * random.choice((1, 40, 5_000, CHUNK_CHARACTERS // 3)), "n": n}
            for n in range(40)]
    content = json.dumps(rows, ensure_ascii=False)
    assert len(content) > 3 * CHUNK_CHARACTERS
    assert _texts(tmp_path, "a.json", content) == [row["text"] for row in json.loads(content)]


@pytest.mark.parametrize(("content", "expected", "suggestion"), [
    ('[{"text": "a"}, {"text": "b"', ["a", "bad JSON"], "Line 1: Expecting ',' delimiter at character 13. Correct the row. Nothing after"),
    ('[{"text": "a"},\n {"text": "b}\n]', ["a", "bad JSON"], "Line 2: Invalid control character"),
    ('[{"text": "a"}\n {"text": "b"}]', ["a", "bad JSON"], "Line 2: a comma is missing. Nothing after it is read."),
    ('[{"text": "a"}', ["a", "truncated"], "The list ends without ] after 1 elements: the file is cut off. Nothing after it is read."),
    ('[{"text": "a"}] {"text": "b"}', ["a", "bad JSON"], "Line 1: after the list something else follows."),
    ('{"text": "a"}\n]', ["a", "bad JSON"], "Line 2: Expecting value"),
    ('[{"text": "a"}, 12]', ["a", "bad JSON"], "It is no object but a int."),
])
def test_a_broken_list_gives_its_first_elements_and_says_where_it_breaks(tmp_path: Path, content: str, expected: list[str],
                                                                       suggestion: str) -> None:
    rows = rows_of(tmp_path, "a.json", content)
    assert [row.problem.reason if row.problem else row.text for row in rows] == expected
    assert rows[-1].problem is not None
    assert suggestion in rows[-1].problem.suggestion


def test_an_empty_list_and_blank_lines_are_empty_files(tmp_path: Path) -> None:
    for name, content in (("a.json", "[ ]"), ("b.jsonl", "\n\n"), ("c.json", " ")):
        assert problem_of(rows_of(tmp_path, name, content)) == Unreadable("empty", "There is no row in it.")


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_a_key_that_stands_twice_is_refused_with_its_name(tmp_path: Path, name: str) -> None:
    problem = problem_of(rows_of(tmp_path, name, '{"text": "a", "meta": {"id": 1, "id": 2}}'))
    assert problem == Unreadable("repeated key", problem.suggestion, "id", "each key once")
    assert "stands twice in one object" in problem.suggestion


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
@pytest.mark.parametrize(("content", "suggestion"), [
    ('{"text": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ('{"a":' * 100_000 + "1" + "}" * 100_000, "nested too deeply"),
    ('{"text": "a", "n": ' + "9" * 5_000 + "}", "Exceeds the limit")])
def test_deep_nesting_and_endless_numbers_are_problems_of_their_row(tmp_path: Path, name: str, content: str, suggestion: str) -> None:
    problem = problem_of(rows_of(tmp_path, name, content))
    assert problem.reason == "bad JSON"
    assert suggestion in problem.suggestion


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_half_a_character_is_refused_and_a_whole_pair_is_read(tmp_path: Path, name: str) -> None:
    content = '{"text": "\\ud83d\\ude00 fine"}\n{"text": "broken \\ud83d"}\n{"text": "\\udcff"}\n{"text": "\\u0041\\u0000"}'
    assert _texts(tmp_path, name, content) == ["\U0001f600 fine", "broken character", "broken character", "A\0"]


def test_a_line_that_goes_on_and_on_is_refused_and_the_next_one_read(tmp_path: Path) -> None:
    content = '{"text": "a"}\n{"text": "' + "x" * 500 + '"}\n{"text": "b"}\n'
    assert _texts(tmp_path, "a.jsonl", content, SMALL) == ["a", "too large", "b"]
    rows = rows_of(tmp_path, "a.jsonl", content, SMALL)
    assert rows[1].problem is not None
    assert (rows[1].name, rows[1].problem.expected) == ("a.jsonl:2", "at most 200 characters")
    assert _texts(tmp_path, "a.jsonl", content[:-1] + "x" * 500, SMALL) == ["a", "too large", "too large"]


def test_an_element_that_goes_on_and_on_ends_the_file(tmp_path: Path) -> None:
    content = '[{"text": "a"}, {"text": "' + "x" * 500 + '"}, {"text": "b"}]'
    assert _texts(tmp_path, "a.json", content, SMALL) == ["a", "too large"]
    assert _texts(tmp_path, "a.json", '[{"text": "' + "x" * 3_000_000, SMALL) == ["too large"]


@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_one_line_in_another_encoding_is_one_bad_row(tmp_path: Path, name: str) -> None:
    content = '{"text": "甲方"}\n'.encode() + '{"text": "乙方"}\n'.encode("gb18030") + '{"text": "丙方"}\n'.encode()
    assert _texts(tmp_path, name, content) == ["甲方", "wrong encoding", "丙方"]


@pytest.mark.parametrize("encoding", ["gb18030", "big5hkscs", "utf-16", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("name", ["a.json", "a.jsonl"])
def test_other_encodings_are_read_and_a_guess_is_marked(tmp_path: Path, name: str, encoding: str) -> None:
    text = "合同終止後，甲方應當在收到發票之日起三十日內支付全部費用。"
    content = "".join(json.dumps({"text": f"{text}{n}"}, ensure_ascii=False) + "\n" for n in range(3)).encode(encoding)
    rows = rows_of(tmp_path, name, content)
    assert [row.text for row in rows] == [f"{text}{n}" for n in range(3)]
    assert {row.is_guess for row in rows} == {encoding in ("gb18030", "big5hkscs")}


def test_bytes_that_are_no_text_are_one_problem_of_the_file(tmp_path: Path) -> None:
    for name in ("a.json", "a.jsonl"):
        assert problem_of(rows_of(tmp_path, name, b"PK\3\4\0\0\0\0\1" * 9)).reason == "binary file"
        assert problem_of(rows_of(tmp_path, name, b"\x93NUMPY\xff\xfe\xfd\xfc\x80\x81" * 9)).reason == "wrong encoding"


def test_a_zero_byte_spoils_its_row_only(tmp_path: Path) -> None:
    content = '{"text": "a"}\n' * 50 + '{"text": "b\0"}\n' + '{"text": "c"}\n'
    assert _texts(tmp_path, "a.jsonl", content) == ["a"] * 50 + ["bad JSON", "c"]


def test_a_utf_16_file_that_is_cut_off_says_where(tmp_path: Path) -> None:
    content = b"\xff\xfe" + '{"text": "甲"}\n'.encode("utf-16-le") + b'{\0"\0t'
    rows = rows_of(tmp_path, "a.jsonl", content)
    assert [row.problem.reason if row.problem else row.text for row in rows] == ["甲", "wrong encoding"]
    assert rows[1].name == "a.jsonl:2"
    assert _texts(tmp_path, "a.json", content) == ["wrong encoding"]
    assert _texts(tmp_path, "a.jsonl", content[:-5] + b'{\0"\0\x00\xd8"\0:\x001\0}\0\n\0') == ["甲", "wrong encoding"]


def test_the_labelled_clauses_of_cuad_come_in_with_every_row_and_category() -> None:
    """8,965 rows in 41 categories by its README, counted here with json.loads."""
    count, labels = 0, set()
    for number in (1, 2):
        path = shared_data(f"cuad/clauses.part{number}.jsonl")
        rows = list(read(SourceFile(path.name, "cuad", path)))
        assert [row.label for row in rows] == [json.loads(line)["category"] for line in io.StringIO(path.read_text("utf-8"))]
        assert {row.kind for row in rows} == {"clause"}
        count, labels = count + len(rows), labels | {row.label for row in rows}
    assert (count, len(labels)) == (8965, 41)
