"""Real data for tests: found by the environment variable TUTELAGE_DATA only; a test that needs it is skipped where it is absent."""

import os
from pathlib import Path

import pytest


def shared_data(name: str) -> Path:
    """A folder or file below TUTELAGE_DATA, or the test is skipped."""
    root = os.environ.get("TUTELAGE_DATA", "")
    if not root or not (Path(root) / name).exists():
        pytest.skip(f"TUTELAGE_DATA has no {name}")
    return Path(root) / name
