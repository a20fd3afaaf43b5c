"""tutelage key: keys are made, listed and ended; each command line of docs/web.md runs."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tutelage.cli.keys import KeyWish, read_expiry, run_end_key, run_keys, run_new_key
from tutelage.core.errors import InputError
from tutelage.desk.desk import Desk, open_desk
from tutelage.desk.errors import DeskError, NotFound
from tutelage.desk.records import Limits

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
    limits = Limits(tokens_per_minute=20_000, parallel=2)
    wish = KeyWish(models=("tutelage-draft",), expires="90d", client="acme", matter="7", limits=limits)
    run_new_key(recipe, "editor", wish, work=tmp_path, language=None)
    shown = capsys.readouterr().out
    secret = re.search(r"key editor: (\S+)", shown)[1]
    found = desk_of(tmp_path).check_key(secret)
    assert (found.label, found.scopes, found.models) == ("editor", ("generate",), ("tutelage-draft",))
    assert timedelta(days=89) < found.expires_at - datetime.now(UTC) < timedelta(days=91)
    run_new_key(recipe, "prometheus", KeyWish(scopes=("metrics",)), work=tmp_path, language="zh")
    assert "密钥 prometheus：" in capsys.readouterr().out
    run_keys(recipe, work=tmp_path, language=None, as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["editor  may: generate  models: tutelage-draft  for: client:acme matter:7  limits: 20,000 tokens a minute, 2 at the "
                     f"same time  until: {found.expires_at.isoformat(sep=' ', timespec='minutes')}",
                     "prometheus  may: metrics  models: all  for: everyone  limits: none  until: no end"]
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
            run_new_key(recipe, "x", KeyWish(scopes=scopes), work=tmp_path, language=None)
    with pytest.raises(NotFound, match=r"there is no key 'x'\. See `tutelage key list`"):
        run_end_key(recipe, "x", work=tmp_path, language=None)


def test_a_key_is_for_whom_the_recipe_is_unless_it_says_otherwise(recipe, tmp_path):
    recipe.write_text(RECIPE + "audience: client:globex\n")
    run_new_key(recipe, "own", KeyWish(), work=tmp_path, language=None)
    run_new_key(recipe, "other", KeyWish(client="acme"), work=tmp_path, language=None)
    with pytest.raises(DeskError, match=r"the key is for nobody known: permission 'client:a/b': 'client:...' is not understood"):
        run_new_key(recipe, "wrong", KeyWish(client="a/b"), work=tmp_path, language=None)
    assert {key.label: key.permission for key in desk_of(tmp_path).keys()} == {"own": "client:globex", "other": "client:acme"}  # noqa: SIM118


def test_the_last_day_of_a_key_counts_whole():
    now = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert read_expiry("", now) is None
    assert read_expiry("90d", now) == now + timedelta(days=90)
    assert read_expiry("2026-11-24", now) == datetime(2026, 11, 25, tzinfo=UTC)
    for wanted in ("soon", "d", "2026-13-01", "99999999999d"):
        with pytest.raises(InputError, match=r"--expires: .* is no time; write a last day such as 2027-01-31"):
            read_expiry(wanted, now)
    for wanted in ("2026-11-23", "0d", "-1d"):
        with pytest.raises(InputError, match="has passed already"):
            read_expiry(wanted, now)


def test_the_command_lines_of_the_page_run(tmp_path):
    lines = re.findall(r"`tutelage (key [^`]+)`", (ROOT / "docs" / "web.md").read_text("utf-8"))
    assert len(lines) == 4
    for line in lines:
        words = [sys.executable, "-m", "tutelage", *line.split(), "--work", str(tmp_path)]
        ended = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        assert "LABEL" in ended.stdout
