"""The program on docs/python.md runs as it stands there."""

import os
import re
import subprocess
import sys
from pathlib import Path

from small_flow import write_flow

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text("utf-8")


def test_the_program_of_the_page_runs_and_tells_what_was_made(tmp_path):
    write_flow(tmp_path).rename(tmp_path / "recipe.yaml")
    [program] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False,
                          env={**os.environ, "HF_HUB_OFFLINE": "1"})
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["documents", "dataset"]
    assert " texts read, " in done.stdout
    assert re.fullmatch(r"dataset [0-9a-f]+ \d+", lines[-1])


def test_each_function_of_the_page_is_there():
    for module, name in re.findall(r"`((?:pipeline|web)\.\w+)\.(\w+)`", PAGE):
        source = Path(__file__).parents[2] / "src" / "tutelage" / f"{module.replace('.', '/')}.py"
        assert f"def {name}(" in source.read_text("utf-8"), (module, name)
