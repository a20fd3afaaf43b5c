"""The page on reading tells every ending, format and reason that the readers have."""

import re
from pathlib import Path
from typing import get_args

from tutelage.documents.readers.reading import ENDINGS
from tutelage.documents.settings import RowFormat

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "src" / "tutelage" / "documents"
PAGE = (ROOT / "docs" / "reading.md").read_text("utf-8")


def test_every_reason_for_which_a_row_is_not_read_is_explained() -> None:
    files = [ROOM / "decode.py", *sorted((ROOM / "readers").glob("*.py"))]
    reasons = {reason for path in files for reason in re.findall(r'Unreadable\(\s*"([^"]+)"', path.read_text("utf-8"))}
    assert len(reasons) >= 40
    assert sorted(reason for reason in reasons if f"`{reason}`" not in PAGE) == []


def test_every_ending_and_format_is_listed() -> None:
    assert [ending for ending in ENDINGS if f"`{ending}`" not in PAGE] == []
    assert [name for name in get_args(RowFormat) if name != "auto" and f"| `{name}` |" not in PAGE] == []
