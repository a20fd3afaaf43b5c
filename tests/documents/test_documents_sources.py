"""The files behind a source, and their fingerprints."""

import os
import time
from pathlib import Path

import pytest

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.documents.settings import Source
from tutelage.documents.sources import Packaged, find, fingerprint, packaged_files


def of(*paths: str) -> list[Source]:
    return [Source(path=path) for path in paths]


def _write(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"text of {name}")


def test_a_file_a_folder_and_a_pattern_give_their_files_by_name_and_each_file_once(root: Path) -> None:
    _write(root, "one.txt", "contracts/b.md", "contracts/a/z.txt", "contracts/.hidden", "contracts/.git/x.txt", "more/c.md", "more/d.txt")
    found = find(of("one.txt", "contracts", "*/*.md"), root)
    assert [[file.name for file in source.files] for source in found] == [
        ["one.txt"], ["contracts/a/z.txt", "contracts/b.md"], ["more/c.md"]]
    assert [file.source for source in found for file in source.files] == ["one.txt", "contracts", "contracts", "*/*.md"]


def test_a_link_that_leads_nowhere_is_listed_so_that_it_becomes_a_row(root: Path) -> None:
    _write(root, "contracts/a.txt")
    (root / "contracts/b.txt").symlink_to(root / "nowhere")
    assert [file.name for file in find(of("contracts"), root)[0].files] == ["contracts/a.txt", "contracts/b.txt"]


def test_a_source_outside_the_recipe_s_folder_is_named_from_there(root: Path, tmp_path: Path) -> None:
    _write(tmp_path, "elsewhere/a.txt")
    for source in ("../elsewhere", str(tmp_path / "elsewhere"), str(tmp_path / "elsew*" / "*.txt")):
        assert [file.name for file in find(of(source), root)[0].files] == ["../elsewhere/a.txt"]


def test_a_source_that_matches_nothing_says_where_it_looked_and_what_to_do(root: Path) -> None:
    (root / "empty" / "sub").mkdir(parents=True)
    with pytest.raises(InputError, match=r"sources: the folder 'empty' has no files \(looked in .*recipe\)\. Put documents there"):
        find(of("empty"), root)
    with pytest.raises(InputError, match=r"'contract/\*\.md' matches no file and no folder .* relative to the recipe's folder"):
        find(of("contract/*.md"), root)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_may_not_be_listed_stops_the_run(root: Path) -> None:
    _write(root, "contracts/a.txt", "contracts/locked/b.txt")
    (root / "contracts/locked").chmod(0)
    try:
        with pytest.raises(InputError, match=r"locked cannot be listed \(Permission denied\)"):
            find(of("contracts"), root)
    finally:
        (root / "contracts/locked").chmod(0o700)


def test_an_unknown_or_missing_package_is_named_with_what_installs_it() -> None:
    with pytest.raises(InputError, match=r"'package:laws' names no package with texts; known are package:licensedcode\. For files"):
        find(of("package:laws"), Path())
    absent = Packaged("tutelage-no-such-data", "data", ".txt", "demo")
    with pytest.raises(ExtraMissing, match=r"tutelage-no-such-data, which is not installed\. Run `pip install tutelage\[demo\]`"):
        packaged_files("package:absent", absent)
    with pytest.raises(ExtraMissing, match=r"the package pytest .* has no files pytest/\*\.LAW"):
        packaged_files("package:other", Packaged("pytest", "pytest", ".LAW", "dev"))


def test_a_fingerprint_changes_with_bytes_and_names_of_the_files_and_nothing_else(root: Path) -> None:
    _write(root, "contracts/a.txt", "contracts/b.txt")
    before = fingerprint(of("contracts"), root)
    assert list(before) == ["contracts"]
    assert len(before["contracts"]) == 64
    os.utime(root / "contracts/a.txt", (1, 1))
    _write(root, "unrelated.txt", "contracts/.hidden")
    assert fingerprint(of("contracts"), root) == before
    (root / "contracts/a.txt").rename(root / "contracts/aa.txt")
    renamed = fingerprint(of("contracts"), root)
    (root / "contracts/aa.txt").write_text("other text")
    (root / "contracts/d.txt").symlink_to(root / "nowhere")
    assert len({before["contracts"], renamed["contracts"], fingerprint(of("contracts"), root)["contracts"]}) == 3


def test_fingerprints_of_thousands_of_files_take_under_two_seconds(root: Path) -> None:
    _write(root, *(f"contracts/{number}.txt" for number in range(2_300)))
    started = time.perf_counter()
    fingerprint(of("contracts"), root)
    assert time.perf_counter() - started < 2
