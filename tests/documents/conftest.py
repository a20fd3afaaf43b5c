"""A folder that stands for the recipe's."""

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "recipe"
    folder.mkdir()
    return folder
