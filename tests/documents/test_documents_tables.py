"""CSV and Parquet files."""

import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet
from reading import problem_of, rows_of, turns

from tutelage.documents.rows import ReadOptions, Row, Unreadable


def _said(rows: list[Row]) -> list[tuple[str, str]]:
    """Where each row stands, and its text or its problem."""
    return [(row.name.partition(":")[2], row.problem.reason if row.problem else row.text) for row in rows]


def _parquet(columns: dict[str, list[object]], **options: int) -> bytes:
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.table(columns), sink, **options)
    return bytes(sink.getvalue())


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_rows_of_a_csv_file_are_named_by_the_line_where_they_begin(tmp_path: Path, delimiter: str) -> None:
    lines = ["text,title", '"a ""b""', 'c",T1', "", '"d,;\t|e",T2', "f,T3"]
    content = "\r\n".join(lines).replace(",", delimiter).replace(f"d{delimiter};", "d,;")
    rows = rows_of(tmp_path, "a.csv", content)
    assert _said(rows) == [("2", 'a "b"\r\nc'), ("5", "d,;\t|e"), ("6", "f")]
    assert [row.title for row in rows] == ["T1", "T2", "T3"]


def test_a_csv_row_with_too_few_or_many_fields_is_a_problem_of_that_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.csv", "text,label\nok,1\nshort\na,b,c\nfine,2\n")
    assert _said(rows) == [("2", "ok"), ("3", "wrong number of fields"), ("4", "wrong number of fields"), ("5", "fine")]
    assert rows[2].problem == Unreadable("wrong number of fields", "It has 3 fields. Is a quotation mark missing around a text with the "
                                         "delimiter in it?", expected="2 fields, as the first line names")


def test_quotes_inside_a_text_that_are_not_doubled_are_a_problem_of_that_row(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.csv", 'text,n\n"the "fee" is",1\n"fine",2\n')
    assert _said(rows) == [("2", "bad CSV"), ("3", "fine")]


def test_a_quote_that_is_never_closed_is_told_where_it_opens(tmp_path: Path) -> None:
    content = 'text,n\nfine,1\n"open,2\n' + "more,3\n" * 50
    assert _said(rows_of(tmp_path, "a.csv", content)) == [("2", "fine"), ("3", "unclosed quote")]
    small = ReadOptions(max_characters_a_row=100)
    rows = rows_of(tmp_path, "a.csv", content, small)
    assert [row.problem.reason if row.problem else row.text for row in rows][:2] == ["fine", "too large"]


def test_a_csv_line_that_goes_on_and_on_is_a_problem_and_the_next_is_read(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.csv", "text\na\n" + "x" * 500 + "\nb\n", ReadOptions(max_characters_a_row=100))
    assert _said(rows) == [("2", "a"), ("3", "too large"), ("4", "b")]


def test_cells_may_hold_whole_contracts(tmp_path: Path) -> None:
    """The csv module of the standard library stops at 131,072 characters unless told otherwise."""
    [row] = rows_of(tmp_path, "a.csv", 'text\n"' + "Clause. \n" * 30_000 + '"\n')
    assert len(row.text) == 270_000


@pytest.mark.parametrize(("content", "problem"), [
    ("text,text\na,b\n", Unreadable("repeated key", "The first line names a field twice, and nobody knows which is meant. Rename one.",
                                    "text", "each field once")),
    ("text\n", Unreadable("empty", "There is no row in it.")),
    ("\n", Unreadable("empty", "There is no row in it.")),
])
def test_a_csv_file_without_a_usable_first_line_or_rows_is_one_problem(tmp_path: Path, content: str, problem: Unreadable) -> None:
    assert problem_of(rows_of(tmp_path, "a.csv", content)) == problem


def test_a_table_without_the_fields_of_its_format_is_one_problem_and_not_one_a_row(tmp_path: Path) -> None:
    unknown = problem_of(rows_of(tmp_path, "a.csv", "a,b\n1,2\n3,4\n"))
    assert unknown.suggestion.startswith("It has the fields a, b. Rename the fields")
    forced = problem_of(rows_of(tmp_path, "a.parquet", _parquet({"instruction": ["Q"] * 9, "reply": ["A"] * 9}), row_format="alpaca"))
    assert forced == Unreadable("missing field", "It has the fields instruction, reply. The field output is missing.", "output",
                                "instruction and output (also input, system, history)")


def test_an_empty_cell_of_a_needed_field_is_a_problem_of_its_row_only(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.parquet", _parquet({"text": ["a", None, "b"]}))
    assert _said(rows) == [("1", "a"), ("2", "missing field"), ("3", "b")]


def test_conversations_in_cells_are_read_as_json(tmp_path: Path) -> None:
    cell = '[{""role"": ""user"", ""content"": ""Q""}, {""role"": ""assistant"", ""content"": ""A""}]'
    [row] = rows_of(tmp_path, "a.csv", f'messages,id\n"{cell}",7\n')
    assert (turns(row), row.metadata) == ([("user", "Q"), ("assistant", "A")], (("id", "7"),))
    [row, bad] = rows_of(tmp_path, "a.csv", f'messages,id\n"{cell}",7\n"[{{",8\n')
    assert bad.problem is not None
    assert (bad.name, bad.problem.field) == ("a.csv:3", "messages")


def test_a_csv_file_in_gb18030_is_read_as_a_guess(tmp_path: Path) -> None:
    text = "甲方应当在收到发票之日起三十日内支付全部费用。"
    [row] = rows_of(tmp_path, "a.csv", f"text,label\n{text},付款\n".encode("gb18030"))
    assert (row.kind, row.text, row.label, row.encoding, row.is_guess) == ("clause", text, "付款", "gb18030", True)


def test_parquet_rows_are_read_over_all_row_groups(tmp_path: Path) -> None:
    content = _parquet({"text": [f"t{n}" for n in range(1000)], "price": [Decimal("1.5")] * 1000, "raw": [b"x"] * 1000}, row_group_size=99)
    rows = rows_of(tmp_path, "a.parquet", content)
    assert _said(rows) == [(str(n + 1), f"t{n}") for n in range(1000)]
    assert {row.metadata for row in rows} == {(("price", "1.5"),)}


def test_parquet_holds_lists_of_turns(tmp_path: Path) -> None:
    talk = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "A"}]
    [row] = rows_of(tmp_path, "a.parquet", _parquet({"messages": [talk], "label": [False]}))
    assert (row.kind, row.label, turns(row)) == ("feedback", "false", [("user", "Q"), ("assistant", "A")])


def test_a_row_of_a_parquet_file_that_is_too_long_is_a_problem(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.parquet", _parquet({"text": ["a", "x" * 500]}), ReadOptions(max_characters_a_row=100))
    assert _said(rows) == [("1", "a"), ("2", "too large")]


def test_a_truncated_or_garbled_parquet_file_says_so(tmp_path: Path) -> None:
    content = _parquet({"text": ["甲方" * 50] * 500})
    assert problem_of(rows_of(tmp_path, "a.parquet", content[:-20])).reason == "broken Parquet file"
    problem = problem_of(rows_of(tmp_path, "a.parquet", b"PAR1" + b"\xff" * 100 + b"PAR1"))
    assert problem.reason == "broken Parquet file"
    assert problem.suggestion.endswith("Write it anew.")
    garbled = content[:40] + b"\xff" * 60 + content[100:]
    assert rows_of(tmp_path, "a.parquet", garbled)[-1].problem is not None


def test_without_pyarrow_a_parquet_file_names_the_extra(tmp_path: Path) -> None:
    """In a process of its own, in which pyarrow cannot be imported."""
    (tmp_path / "a.parquet").write_bytes(_parquet({"text": ["a"]}))
    code = ("import sys; sys.modules['pyarrow'] = None\n"
            "from pathlib import Path; from tutelage.documents.readers import read; from tutelage.documents.sources import SourceFile\n"
            f"print([row.problem for row in read(SourceFile('a.parquet', 's', Path({str(tmp_path / 'a.parquet')!r})))])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Parquet files need the package pyarrow. Run `pip install tutelage[data]`." in done.stdout
