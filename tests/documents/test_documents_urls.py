"""Sources that are URLs, in fsspec's store in memory and on the disk."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest
from PIL import Image
from zip_files import zipped

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.documents.readers import read
from tutelage.documents.rows import Row
from tutelage.documents.settings import Source
from tutelage.documents.sources import SourceFile, find, fingerprint


@pytest.fixture
def bucket() -> Iterator[fsspec.AbstractFileSystem]:
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield store
    store.store.clear()


def _put(store: fsspec.AbstractFileSystem, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        store.pipe_file(f"/firm/{name}", content.encode() if isinstance(content, str) else content)


def _files(*sources: str | Source) -> list[SourceFile]:
    listed = [Source(path=source) if isinstance(source, str) else source for source in sources]
    return [file for found in find(listed, Path()) for file in found.files]


def _said(rows: list[Row]) -> dict[str, str]:
    return {row.name: row.problem.reason if row.problem else row.text for row in rows}


def test_a_folder_a_file_and_a_pattern_of_a_store_give_their_files_once(bucket: fsspec.AbstractFileSystem) -> None:
    _put(bucket, {"b.txt": "b", "a/c.md": "c", "a/d.txt": "d", ".hidden/x.txt": "no", "a/.y.txt": "no"})
    files = _files("memory://firm/b.txt", Source(path="memory://firm", permission="client:acme"), "memory://firm/*/*.txt")
    assert [(file.name, file.source, file.permission) for file in files] == [
        ("memory:///firm/b.txt", "memory://firm/b.txt", ""), ("memory:///firm/a/c.md", "memory://firm", "client:acme"),
        ("memory:///firm/a/d.txt", "memory://firm", "client:acme")]
    assert [row.text for file in files for row in read(file)] == ["b", "c", "d"]


def test_data_files_archives_and_pictures_of_a_store_are_read(bucket: fsspec.AbstractFileSystem) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (4, 5)).save(picture, "PNG")
    talk = '{"messages": [{"role": "user", "content": "<image>"}, {"role": "assistant", "content": "A"}], "images": ["p/a.png"]}'
    _put(bucket, {"rows.jsonl": '{"text": "one"}\n{"text": "two"}\n', "all.zip": zipped({"in/x.txt": "x"}), "talk.json": talk,
                  "p/a.png": picture.getvalue()})
    rows = [row for file in _files("memory://firm/*.*") for row in read(file)]
    assert _said(rows) == {"memory:///firm/all.zip/in/x.txt": "x", "memory:///firm/rows.jsonl:1": "one",
                           "memory:///firm/rows.jsonl:2": "two", "memory:///firm/talk.json:1": ""}
    assert [(image.path, image.width, image.height) for image in rows[-1].images] == [("p/a.png", 4, 5)]


def test_a_file_that_is_gone_when_it_is_read_is_a_row_that_says_so(bucket: fsspec.AbstractFileSystem) -> None:
    _put(bucket, {"a.txt": "a"})
    [file] = _files("memory://firm")
    bucket.rm("/firm/a.txt")
    [row] = read(file)
    assert row.problem is not None
    assert row.problem.reason == "unreadable"


def test_fingerprints_of_urls_change_with_their_content(bucket: fsspec.AbstractFileSystem) -> None:
    _put(bucket, {"a.txt": "a", "b.txt": "b"})
    listed = [Source(path="memory://firm")]
    before = fingerprint(listed, Path())
    _put(bucket, {"a.txt": "a"})
    assert fingerprint(listed, Path()) == before
    _put(bucket, {"a.txt": "x"})
    assert fingerprint(listed, Path()) != before


def test_a_store_on_the_disk_is_reached_by_its_url(tmp_path: Path) -> None:
    (tmp_path / "合同").mkdir()
    (tmp_path / "合同" / "a b.txt").write_text("甲方", encoding="utf-8")
    [file] = _files(f"file://{tmp_path}")
    assert file.name == f"file://{tmp_path}/合同/a b.txt"
    assert [row.text for row in read(file)] == ["甲方"]


def test_a_url_that_leads_nowhere_says_so(bucket: fsspec.AbstractFileSystem) -> None:
    for url in ("memory://firm", "memory://firm/*.txt", "memory://firm/a.txt"):
        with pytest.raises(InputError, match=r"matches no file\. Correct the URL; folders and patterns"):
            _files(url)
    with pytest.raises(InputError, match=r"'nope://x': nope:// cannot be used \(Protocol not known: nope\)\. Write it as for fsspec: s3://"):
        _files("nope://x")


def test_a_url_with_a_password_or_a_chain_is_refused_without_showing_it() -> None:
    with pytest.raises(InputError, match="a URL contains a password") as caught:
        _files("ftp://me:hunter2@host/a.txt")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(InputError, match="chains two URLs by '::'"):
        _files("simplecache::memory://firm/a.txt")


def test_a_protocol_whose_package_is_missing_names_it() -> None:
    """In a process of its own, in which the package cannot be imported whether it is installed or not."""
    code = ("import sys; sys.modules['s3fs'] = None\n"
            "from pathlib import Path; from tutelage.documents.settings import Source; from tutelage.documents.sources import find\n"
            "from tutelage.core.errors import ExtraMissing\n"
            "try: find([Source(path='s3://bucket/a.txt')], Path())\n"
            "except ExtraMissing as error: print(error)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("documents.sources: 's3://bucket/a.txt' needs a package that is not installed: Install s3fs to access "
                                   "S3. Install it with pip, then try again.")
    assert issubclass(ExtraMissing, InputError)


def test_nothing_of_this_is_loaded_before_it_is_used() -> None:
    code = ("import sys; import tutelage.documents.readers, tutelage.documents.sources\n"
            "print(sorted(set(sys.modules) & {'fsspec', 'lxml', 'pypdfium2', 'pyarrow', 'PIL', 'docx', 'aiohttp'}))")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
