"""Errors of the command line are told in the language that was asked for, with the exit code that they have in any language."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tutelage.cli.tongue import tongue_of

MISTAKEN = """language: zh
name: pilot
documents:
  sources: [contracts]
training:
  base: smollm2-135m-instruct
  rank: 0
  learning_rat: 2
"""


def tutelage(*words: str, place: Path) -> tuple[int, str]:
    """Exit code and stderr of a command."""
    ran = subprocess.run([sys.executable, "-m", "tutelage", *words], cwd=place, capture_output=True, text=True, check=False,
                         env={**os.environ, "PYTHONIOENCODING": "utf-8"})
    return ran.returncode, ran.stderr


@pytest.mark.parametrize(("words", "tongue"), [
    ([], "en"), (["make", "none.yaml"], "en"), (["make", "r.yaml", "--language", "zh"], "zh"), (["make", "r.yaml", "--language=zh"], "zh"),
    (["make", "r.yaml", "--set", "language=zh"], "zh"), (["make", "r.yaml", "--set=language=zh"], "zh"),
    (["make", "r.yaml", "--set", "language=zh", "--language", "en"], "en"), (["make", "r.yaml", "--language"], "en"),
    (["make", "r.yaml", "--language", "fr"], "en"), (["make", "r.yaml", "--set", "name=zh"], "en"), (["make", "mistaken.yaml"], "zh"),
    (["make", "mistaken.yaml", "--language", "en"], "en"), (["make", "bytes.yaml"], "en")])
def test_the_language_is_that_of_the_option_else_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str],
                                                               tongue: str) -> None:
    (tmp_path / "r.yaml").write_text("name: r\nlanguage: en\n", "utf-8")
    (tmp_path / "mistaken.yaml").write_text(MISTAKEN, "utf-8")
    (tmp_path / "bytes.yaml").write_bytes(b"language: zh\n\xff\xfe")
    monkeypatch.chdir(tmp_path)
    assert tongue_of(words) == tongue


def test_all_mistakes_of_a_chinese_recipe_are_told_in_chinese_by_line(tmp_path: Path) -> None:
    (tmp_path / "mistaken.yaml").write_text(MISTAKEN, "utf-8")
    assert tutelage("check", "mistaken.yaml", place=tmp_path) == (
        2, "mistaken.yaml:7: training.rank：必须大于或等于 1（当前为 0）\n"
           "mistaken.yaml:8: training.learning_rat：没有这项设置。您是否想写 `learning_rate`？\n")


def test_an_error_that_only_english_has_is_told_with_its_kind_in_chinese(tmp_path: Path) -> None:
    code, told = tutelage("show", "nothing", "--language", "zh", place=tmp_path)
    assert (code, told.splitlines()[0]) == (2, "配方、文档或参数无法使用（以下为英文说明）：")
    assert "nothing: no such stage or artifact in work" in told
    code, english = tutelage("show", "nothing", place=tmp_path)
    assert (code, english) == (2, told.partition("\n")[2])
