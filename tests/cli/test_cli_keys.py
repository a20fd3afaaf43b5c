"""tutelage key: keys are made, listed and ended; each command line of docs/web.md runs."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tutelage.cli.keys import run_end_key, run_keys, run_new_key
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import DeskError, NotFound

ROOT = Path(__file__).parents[2]
RECIPE = "name: firm\ndocuments: {sources: [contracts]}\ntraining: {base: no-such-base}\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "firm.yaml"
    path.write_text(RECIPE)
    return path


def desk_of(work: Path) -> Desk:
    return open_desk(f"sqlite:///{work / 'desk.sqlite'}")


def test_a_key_is_shown_once_listed_without_its_secret_and_ended(recipe, tmp_path, capsys):
    run_new_key(recipe, "editor", scopes=("generate",), models=("tutelage-draft",), days=90, work=tmp_path, language=None)
    shown = capsys.readouterr().out
    secret = re.search(r"key editor: (\S+)", shown)[1]
    found = desk_of(tmp_path).check_key(secret)
    assert (found.label, found.scopes, found.models) == ("editor", ("generate",), ("tutelage-draft",))
    assert timedelta(days=89) < found.expires_at - datetime.now(UTC) < timedelta(days=91)
    run_new_key(recipe, "prometheus", scopes=("metrics",), models=(), days=None, work=tmp_path, language="zh")
    assert "密钥 prometheus：" in capsys.readouterr().out
    run_keys(recipe, work=tmp_path, language=None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"editor  may: generate  models: tutelage-draft  until: {found.expires_at.date()}",
                     "prometheus  may: metrics  models: all  until: no end"]
    run_keys(recipe, work=tmp_path, language=None, as_json=True)
    assert [json.loads(line)["label"] for line in capsys.readouterr().out.splitlines()] == ["editor", "prometheus"]
    run_end_key(recipe, "editor", work=tmp_path, language=None)
    assert capsys.readouterr().out == "the key editor opens nothing any more\n"
    assert desk_of(tmp_path).check_key(secret) is None
    assert [row.action for row in desk_of(tmp_path).audit()] == ["new key", "new key", "end key"]


def test_without_keys_the_next_step_is_told(recipe, tmp_path, capsys):
    run_keys(recipe, work=tmp_path, language=None, as_json=False)
    assert capsys.readouterr().out == f"there are no keys yet\nnext: tutelage key new {recipe} LABEL\n"


def test_an_unknown_scope_or_key_is_refused(recipe, tmp_path):
    for scopes in (("everything",), ()):
        with pytest.raises(DeskError, match="the scopes are generate, admin, metrics, and it needs at least one"):
            run_new_key(recipe, "x", scopes=scopes, models=(), days=None, work=tmp_path, language=None)
    with pytest.raises(NotFound, match=r"there is no key 'x'\. See `tutelage key list`"):
        run_end_key(recipe, "x", work=tmp_path, language=None)


def test_the_command_lines_of_the_page_run(tmp_path):
    lines = re.findall(r"`tutelage (key [^`]+)`", (ROOT / "docs" / "web.md").read_text("utf-8"))
    assert len(lines) == 3
    for line in lines:
        words = [sys.executable, "-m", "tutelage", *line.split(), "--work", str(tmp_path)]
        ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "LABEL" in ended.stdout
