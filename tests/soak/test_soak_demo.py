"""The real demo as a user runs it, from the Makefile; too long for CI."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.soak
def test_make_demo_without_serving_ends_with_a_verdict(tmp_path):
    ended = subprocess.run(["make", "demo", "SERVE=0", f"WORK={tmp_path / 'work'}"], cwd=ROOT, check=False, timeout=1800)
    assert ended.returncode == 0
    assert list(tmp_path.glob("work/scores/[!.]*/gate.json"))
