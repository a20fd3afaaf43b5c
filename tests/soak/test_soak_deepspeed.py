"""DeepSpeed in an environment of its own, which needs a package index: it is no part of `make setup`."""

import os
import site
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("deepspeed", "einops", "hjson", "msgpack", "ninja", "py-cpuinfo")  # what the extra brings beside what `make setup` has


@pytest.mark.soak
def test_the_tests_of_deepspeed_pass_where_it_is_installed(tmp_path):
    venv.create(tmp_path / "own", with_pip=True)
    python = tmp_path / "own" / "bin" / "python"
    [packages] = (tmp_path / "own").glob("lib/python3*/site-packages")
    (packages / "others.pth").write_text("\n".join(site.getsitepackages()))
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-c", ROOT / "constraints.txt", *PACKAGES], check=True)
    words = [python, "-m", "pytest", "-p", "no:xdist", "-rs", "tests/training/test_training_zero.py"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=1800,
                           env={**os.environ, "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"})
    assert ended.returncode == 0, ended.stdout[-3000:]
    assert "passed" in ended.stdout
    assert "skipped" not in ended.stdout


@pytest.mark.soak
@pytest.mark.parametrize("extra", ["trackers", "deepspeed", "qlora", "modelscope", "onnx", "data", "postgres", "gemma"])
def test_each_extra_can_be_installed_with_the_versions_of_the_project(extra):
    words = [sys.executable, "-m", "pip", "install", "--dry-run", "-q", "-c", "constraints.txt", f".[{extra}]"]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert ended.returncode == 0, ended.stderr[-2000:]
