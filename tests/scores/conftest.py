"""A store in an empty folder."""

from pathlib import Path

import pytest

from tutelage.core.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "work")
