"""The memory of this process: against what the system says elsewhere, at its peak, and as far as it may grow."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tutelage.core.memory import PeakMemory, most_of_process_mb, resident_mb, room_mb


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


def test_the_peak_outlives_what_was_held():
    before = resident_mb()
    with PeakMemory() as memory:
        held = bytearray(b"x" * 80_000_000)
        time.sleep(0.2)
        del held
        time.sleep(0.1)
    assert memory.peak_mb - before == pytest.approx(80, abs=15)


def test_the_room_to_grow_is_what_the_system_has_and_no_more_than_the_container_may(tmp_path):
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal:       16000000 kB\nMemAvailable:    8000000 kB\nHugePages_Total:       0\n")
    # 8,000,000 kB are 8,192 MB of 10^6 bytes.
    assert room_mb(meminfo=meminfo, group=tmp_path) - resident_mb() == pytest.approx(8192, abs=5)
    (tmp_path / "memory.current").write_text("1000000000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert room_mb(meminfo=meminfo, group=tmp_path) - resident_mb() == pytest.approx(8192, abs=5)
    (tmp_path / "memory.max").write_text("4000000000\n")
    assert room_mb(meminfo=meminfo, group=tmp_path) - resident_mb() == pytest.approx(3000, abs=5)
    assert room_mb(meminfo=tmp_path / "none", group=tmp_path) is None


def test_the_most_that_another_process_held_is_told_while_it_lives(tmp_path):
    if not Path("/proc/self/status").exists():
        pytest.skip("only Linux tells it")
    script = "import sys; held = b'x' * 90_000_000; del held; print(1, flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        # The interpreter alone holds about 10 MB.
        assert most_of_process_mb(process.pid) == pytest.approx(100, abs=15)
        process.stdin.close()
    assert most_of_process_mb(process.pid) is None
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "status").write_text("Name:\tpython\nVmHWM:\t    2000 kB\n")
    assert most_of_process_mb(7, processes=tmp_path) == pytest.approx(2.048)
    (tmp_path / "7" / "status").write_text("Name:\tpython\n")
    assert most_of_process_mb(7, processes=tmp_path) is None
