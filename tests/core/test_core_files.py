"""Files written whole, rows read with clear errors."""

import pytest

from tutelage.core.errors import ArtifactError
from tutelage.core.files import file_sha256, read_rows, short_hash, write_rows, write_whole
from tutelage.core.records import TokenScore


def test_parts_of_a_hash_are_kept_apart():
    assert short_hash("ab", "c") != short_hash("a", "bc")
    assert len(short_hash("条款")) == 12


def test_the_hash_of_a_file_is_sha256(tmp_path):
    path = tmp_path / "a"
    write_whole(path, b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"  # FIPS 180-2, example 1


def test_rows_come_back_equal_and_nothing_else_is_left(tmp_path):
    rows = [TokenScore(token_id=1, logprob=-0.5), TokenScore(token_id=2, logprob=-1.25)]
    assert write_rows(tmp_path / "rows.jsonl", rows) == 2
    assert list(read_rows(tmp_path / "rows.jsonl", TokenScore)) == rows
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_a_row_of_another_shape_is_named_by_line_and_field(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"token_id": 1, "logprob": -1}\n{"token_id": "x", "logprob": -1}\n')
    with pytest.raises(ArtifactError, match=r"rows\.jsonl:2: token_id: .*expected a TokenScore"):
        list(read_rows(path, TokenScore))


def test_a_missing_file_names_the_next_step(tmp_path):
    with pytest.raises(ArtifactError, match="there is no such file; expected TokenScore rows"):
        list(read_rows(tmp_path / "none.jsonl", TokenScore))
