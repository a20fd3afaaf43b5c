"""The rules that a linter cannot say. A rule nobody checks is a wish."""

import ast
import json
import re
from pathlib import Path

import pytest

from tutelage.core.language import LANGUAGES, blanks, catalogue
from tutelage.pipeline.stages import STAGES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tutelage"
FILES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
ROOMS = sorted(path.name for path in PACKAGE.iterdir() if (path / "make.py").exists())
LABELS = ("proven", "real but not run here", "request validated")


def test_the_rules_see_the_house():
    assert len(FILES) > 60
    assert ROOMS == ["dataset", "documents", "drafting", "endpoint", "model", "reviews", "scores", "training"]


@pytest.mark.parametrize("path", FILES + TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_fits_in_one_reading(path):
    assert len(path.read_text("utf-8").splitlines()) < 400


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_every_file_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "start the file with one line: what is it for?"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_function_fits_on_one_screen(path):
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert not [f"{node.name} ({node.end_lineno - node.lineno + 1} lines)" for node in nodes if node.end_lineno - node.lineno >= 60]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_setting_is_read_from_the_environment_and_nothing_is_unfinished(path):
    text = path.read_text("utf-8")
    assert not re.search(r"\b(TODO|FIXME|XXX|NotImplementedError)\b", text)
    assert not re.search(r"os\.(environ\.get|getenv)\(\s*[\"']TUTELAGE_(?!DESK)", text)


@pytest.mark.parametrize("room", ROOMS)
def test_every_stage_has_settings_tests_and_a_page(room):
    assert (PACKAGE / room / "settings.py").exists()
    assert list((ROOT / "tests" / room).glob("test_*.py"))
    assert (ROOT / "docs" / "stages" / f"{room}.md").stat().st_size > 800


def test_the_stage_table_and_the_rooms_agree():
    assert {stage.name for stage in STAGES} | {"reviews"} == set(ROOMS)
    names = [stage.name for stage in STAGES]
    for index, stage in enumerate(STAGES):
        assert set(stage.takes) <= set(names[:index]), f"{stage.name} takes a later stage"


def test_every_text_is_there_in_both_languages_with_the_same_blanks():
    texts = catalogue()
    assert len(texts) > 150
    for key, translations in texts.items():
        assert set(translations) == set(LANGUAGES), key
        assert blanks(translations["en"]) == blanks(translations["zh"]), key


def test_every_text_of_the_catalogue_is_used_somewhere():
    source = "\n".join(path.read_text("utf-8") for path in PACKAGE.rglob("*") if path.suffix in (".py", ".html", ".js"))
    families = set(re.findall(r"f[\"']([a-z_]+(?:\.[a-z_]+)*\.?)\{", source))
    unused = [key for key in catalogue() if f'"{key}"' not in source and f"'{key}'" not in source
              and not any(key.startswith(family) for family in families if "." in family)]
    assert not unused


def test_every_claim_has_a_label_and_names_what_proves_it():
    rows = [line for line in (ROOT / "docs" / "claims.md").read_text("utf-8").splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 12
    for row in rows:
        _, claim, label, proof, _ = (cell.strip() for cell in row.split("|"))
        assert label in LABELS, claim
        for named in re.findall(r"`((?:tests|benchmarks)/[^`]+)`", proof):
            assert (ROOT / named).exists(), f"{claim}: {named}"
        assert "`" in proof, f"{claim}: names no proof"


def test_results_say_on_which_machine_they_were_taken():
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    for path in results:
        data = json.loads(path.read_text("utf-8"))
        assert {"machine", "versions", "bars", "ok"} <= set(data), path.name
