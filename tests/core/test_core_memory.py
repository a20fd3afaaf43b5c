"""The memory of this process, against what the system says elsewhere."""

import re
from pathlib import Path

import pytest

from tutelage.core.memory import resident_mb


def test_the_resident_memory_is_what_the_system_says_and_grows_with_what_is_held():
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("only Linux tells it a second time, in /proc/self/status")
    before = resident_mb()
    told = int(re.search(r"VmRSS:\s+(\d+) kB", status.read_text()).group(1)) * 1024 / 1e6
    # The two are read one after the other and counted in blocks of pages.
    assert before == pytest.approx(told, rel=0.05)
    held = bytearray(b"x" * 50_000_000)
    assert resident_mb() - before == pytest.approx(50, abs=10)
    assert len(held) == 50_000_000
