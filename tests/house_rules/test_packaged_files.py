"""What a wheel takes along: every file of the package that is no Python file, by the patterns of pyproject.toml."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "tutelage"


def test_every_file_of_the_package_that_is_no_code_goes_into_the_wheel():
    patterns = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"]["tutelage"]
    taken = {path for pattern in patterns for path in PACKAGE.glob(pattern) if path.is_file()}
    there = {path for path in PACKAGE.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert sorted(str(path.relative_to(PACKAGE)) for path in there - taken) == []
    assert len(there) >= 55
