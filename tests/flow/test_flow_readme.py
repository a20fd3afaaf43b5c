"""Every command of both READMEs: `tutelage` and `curl` run on a small flow under the demo's name, `make` dry (for real in soak)."""

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from small_flow import command, write_flow

ROOT = Path(__file__).parents[2]
PORT = 8765


def commands(name: str) -> list[str]:
    """The command lines of all sh blocks."""
    text = (ROOT / name).read_text("utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    return [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if line.strip()]


LINES = commands("README.md")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A folder in which the demo's recipe is a small flow."""
    folder = tmp_path_factory.mktemp("checkout")
    recipe = write_flow(folder / "recipes")
    recipe.rename(folder / "recipes" / "demo.yaml")
    return folder


def run(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", **more}
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False, env=environment)


def test_both_readmes_name_the_same_commands():
    assert len(LINES) >= 12
    assert [line.replace(" DEMO_LANGUAGE=zh", "") for line in commands("README.zh-CN.md")] == LINES


@pytest.mark.parametrize("line", [line for line in LINES if line.startswith("make")])
def test_every_make_command_has_its_target(line):
    shown = run([*shlex.split(line), "-n", f"VENV={Path(sys.executable).parents[1]}"], ROOT)
    assert shown.returncode == 0, shown.stderr


def test_every_tutelage_command_runs_in_order(checkout):
    lines = [line for line in LINES if line.startswith("tutelage") and " serve " not in line]
    assert len(lines) >= 6
    for line in lines:
        shown = run(shlex.split(line), checkout)
        # The tiny model knows nothing: its gate may be closed, which `make` tells by exit code 3.
        assert shown.returncode in ((0, 3) if " make " in line else (0,)), f"{line}\n{shown.stderr}"


def test_the_curl_example_gets_clauses_with_their_source(checkout):
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    line = next(line for line in LINES if line.startswith("curl"))
    assert f"tutelage serve {(Path('recipes') / 'demo.yaml')}" in LINES
    recipe, work = str(checkout / "recipes" / "demo.yaml"), str(checkout / "served")
    words = command("serve", recipe, "--demo-users", "--port", str(PORT), "--work", work)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert process.stdout is not None
        found = next((match for text in process.stdout if (match := re.search(r"key for the API\s+(\S+)", text))), None)
        assert found is not None, "the server did not start; is port 8765 in use?"
        shown = run(["bash", "-c", line], checkout, KEY=found.group(1))
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert shown.returncode == 0, shown.stderr
    assert "保密" in shown.stdout
    assert "Tutelage starting library" in shown.stdout


def test_the_systems_own_language_variable_does_not_reach_the_demo():
    shown = run(["make", "-n", "demo", f"VENV={Path(sys.executable).parents[1]}"], ROOT, LANGUAGE="en_US:en")
    assert "--language en\n" in shown.stdout
