"""Zip files as sources."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from reading import problem_of, rows_of
from word_files import paragraph, word_file
from zip_files import zipped

from tutelage.documents.readers import read
from tutelage.documents.rows import ReadOptions, Row
from tutelage.documents.settings import Source
from tutelage.documents.sources import find


def _said(rows: list[Row]) -> dict[str, str]:
    return {row.name: row.problem.reason if row.problem else row.text for row in rows}


def test_members_are_read_as_files_below_the_archive(tmp_path: Path) -> None:
    content = zipped({"a.txt": "A", "inner/b.docx": word_file(paragraph("B")), "inner/c.jsonl": '{"text": "C"}\n{"text": "D"}',
                      "inner/": "", "x.xls": "x", ".hidden/e.txt": "no", "__MACOSX/a.txt": "no"})
    rows = rows_of(tmp_path, "all.zip", content)
    assert _said(rows) == {"all.zip/a.txt": "A", "all.zip/inner/b.docx": "B", "all.zip/inner/c.jsonl:1": "C",
                           "all.zip/inner/c.jsonl:2": "D", "all.zip/x.xls": "no reader"}
    assert {row.source for row in rows} == {"contracts"}
    assert [row.text for row in rows_of(tmp_path, "b.zip", zipped({"a.csv": "text,label\nA,x\n"}), row_format="text")] == ["A"]


def test_an_archive_inside_a_folder_is_read_with_the_folder(tmp_path: Path) -> None:
    (tmp_path / "contracts" / "old").mkdir(parents=True)
    (tmp_path / "contracts" / "a.txt").write_text("A")
    (tmp_path / "contracts" / "old" / "all.zip").write_bytes(zipped({"in/b.txt": "B"}))
    for path in ("contracts", "contracts/*/*.zip"):
        [found] = find([Source(path=path)], tmp_path)
        read_rows = [row for file in found.files for row in read(file)]
        assert _said(read_rows)["contracts/old/all.zip/in/b.txt"] == "B"


@pytest.mark.parametrize(("name", "reason"), [
    ("../up.txt", "dangerous name"), ("/etc/passwd.txt", "dangerous name"), ("a/../../b.txt", "dangerous name"),
    ("..\\up.txt", "dangerous name"),
    ("C:\\x.txt", "dangerous name"), ("inner.zip", "zip in a zip"), ("Inner.ZIP", "zip in a zip")])
def test_names_that_lead_out_and_archives_inside_are_refused_and_the_rest_is_read(tmp_path: Path, name: str, reason: str) -> None:
    rows = rows_of(tmp_path, "all.zip", zipped({name: "x", "good.txt": "good"}))
    assert [row.problem.reason if row.problem else row.text for row in rows] == [reason, "good"]
    assert rows[0].name.startswith("all.zip/")


def test_a_locked_member_a_link_and_a_name_that_comes_twice_are_refused(tmp_path: Path) -> None:
    plain = zipped({"a.txt": "locked", "b.txt": "open"})
    # Bit 0 of the flags, in the local header (at 6) and in the central directory (at 8).
    at, central = plain.index(b"PK\3\4"), plain.index(b"PK\1\2")
    locked = bytearray(plain)
    locked[at + 6] |= 1
    locked[central + 8] |= 1
    assert _said(rows_of(tmp_path, "a.zip", bytes(locked))) == {"a.zip/a.txt": "encrypted", "a.zip/b.txt": "open"}

    def as_link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    assert _said(rows_of(tmp_path, "b.zip", zipped({"a.txt": "/etc/passwd"}, as_link))) == {"b.zip/a.txt": "link"}
    twice = zipped({"a.txt": "one", "b.txt": "two"}).replace(b"b.txt", b"a.txt")
    assert _said(rows_of(tmp_path, "c.zip", twice)) == {"c.zip/a.txt": "one", "c.zip/a.txt (again)": "member twice"}


def test_a_member_that_swells_is_a_bomb(tmp_path: Path) -> None:
    rows = rows_of(tmp_path, "a.zip", zipped({"bomb.txt": b"0" * 20_000_000, "good.txt": "good"}))
    assert _said(rows) == {"a.zip/bomb.txt": "zip bomb", "a.zip/good.txt": "good"}
    assert rows[0].problem is not None
    assert rows[0].problem.expected == "at most 200 times the packed size"
    assert rows_of(tmp_path, "b.zip", zipped({"small.txt": b"0" * 900_000}))[0].problem is None


def test_a_header_that_states_too_small_a_size_does_not_get_around_the_limits(tmp_path: Path) -> None:
    plain = zipped({"bomb.txt": b"0" * 20_000_000})
    lying = plain.replace((20_000_000).to_bytes(4, "little"), (100).to_bytes(4, "little"))
    assert lying != plain
    assert problem_of(rows_of(tmp_path, "a.zip", lying)).reason == "broken zip member"


def test_all_members_together_have_a_limit_and_so_has_their_number(tmp_path: Path) -> None:
    content = zipped({f"{n}.txt": f"{n}" * 40 for n in range(5)})
    rows = rows_of(tmp_path, "a.zip", content, ReadOptions(max_bytes_unpacked=100))
    assert list(_said(rows).values()) == ["0" * 40, "1" * 40, "too large", "too large", "too large"]
    problem = problem_of(rows_of(tmp_path, "a.zip", content, ReadOptions(max_members=4)))
    assert (problem.reason, problem.suggestion) == ("too many members", "It has 5 members; 4 are allowed. Divide it.")


def test_a_truncated_or_garbled_archive_says_so(tmp_path: Path) -> None:
    content = zipped({"a.txt": bytes(range(256)) * 99})
    problem = problem_of(rows_of(tmp_path, "a.zip", content[:-30]))
    assert problem.reason == "broken zip file"
    assert problem.suggestion.startswith("It is no zip file, or cut off (")
    garbled = bytearray(content)
    garbled[60] ^= 0xFF
    assert problem_of(rows_of(tmp_path, "b.zip", bytes(garbled))).reason == "broken zip member"
    assert problem_of(rows_of(tmp_path, "c.zip", zipped({}))).reason == "empty"
    assert problem_of(rows_of(tmp_path, "d.zip", b"")).reason == "broken zip file"


def test_names_that_old_chinese_windows_wrote_are_readable(tmp_path: Path) -> None:
    """It writes names in GBK and sets no flag; the zip module reads them as code page 437."""
    content = zipped({"aaaaaa.txt": "text"}).replace(b"aaaaaa", "合同书".encode("gbk"))
    assert _said(rows_of(tmp_path, "a.zip", content)) == {"a.zip/合同书.txt": "text"}


def test_an_unknown_way_of_packing_is_a_broken_member(tmp_path: Path) -> None:
    plain = bytearray(zipped({"a.txt": "x"}))
    for place, offset in ((b"PK\3\4", 8), (b"PK\1\2", 10)):
        plain[plain.index(place) + offset] = 97
    assert problem_of(rows_of(tmp_path, "a.zip", bytes(plain))).reason == "broken zip member"


def test_pictures_beside_a_data_file_are_found_inside_the_archive(tmp_path: Path) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (3, 2)).save(picture, "PNG")
    row = '{"messages": [{"role": "user", "content": "<image>What?"}, {"role": "assistant", "content": "Dark."}], "images": ["%s"]}\n'
    content = zipped({"set/rows.jsonl": row % "pics/a.png" + row % "pics/none.png" + row % "../../a.png",
                      "set/pics/a.png": picture.getvalue()})
    rows = rows_of(tmp_path, "a.zip", content)[:3]
    assert [row.problem.reason if row.problem else (row.images[0].width, row.images[0].height) for row in rows] == [
        (3, 2), "picture missing", "picture elsewhere"]


def test_every_garbled_archive_gives_rows_and_no_error(tmp_path: Path) -> None:
    """Each byte of a small archive changed, one at a time."""
    content = zipped({"a.txt": "text " * 9, "b.jsonl": '{"text": "x"}'})
    reasons = set()
    for position in range(len(content)):
        garbled = bytearray(content)
        garbled[position] ^= 0x55
        reasons |= {row.problem.reason if row.problem else "" for row in rows_of(tmp_path, "a.zip", bytes(garbled))}
    assert "reader failed" not in reasons
    assert {"", "broken zip file", "broken zip member"} <= reasons
