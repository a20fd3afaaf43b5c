"""How much memory this process holds, how much it held at most, and how much it may hold."""

from __future__ import annotations

import os
import re
import resource
import sys
import threading
from pathlib import Path
from types import TracebackType

STATM = Path("/proc/self/statm")  # sizes in pages; the second is what is resident
MEMINFO = Path("/proc/meminfo")  # "MemAvailable: 123 kB": what programs can get without swapping
GROUP = Path("/sys/fs/cgroup")  # the limit of a container, in bytes or "max", and what it uses of it
MB = 1e6
WATCHED_EVERY = 0.02  # seconds


def resident_mb() -> float:
    """Memory of this process in main memory now, in MB (10^6 bytes). Where the system does not tell it, the most there ever was."""
    if STATM.exists():
        return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / MB


def most_of_process_mb(pid: int, *, processes: Path = Path("/proc")) -> float | None:
    """The most that a process ever held in main memory, in MB. None where the system does not tell it, or the process is gone."""
    try:
        told = re.search(r"^VmHWM:\s+(\d+) kB", (processes / str(pid) / "status").read_text("utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(told.group(1)) * 1024 / MB if told else None


def room_mb(*, meminfo: Path = MEMINFO, group: Path = GROUP) -> float | None:
    """How far this process can grow, in MB, what it holds now included. None where the system does not tell it."""
    if not meminfo.exists():
        return None
    told = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines() if ":" in line)
    free = int(told["MemAvailable"].split()[0]) * 1024
    limit = group / "memory.max"
    if limit.exists() and (most := limit.read_text("ascii").strip()) != "max":
        free = min(free, int(most) - int((group / "memory.current").read_text("ascii")))
    return resident_mb() + free / MB


class PeakMemory:
    """Context that watches the resident memory; `peak_mb` is the most so far."""

    def __init__(self) -> None:
        self.peak_mb = 0.0
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._watcher.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._watcher.join()

    def _watch(self) -> None:
        while True:
            self.peak_mb = max(self.peak_mb, resident_mb())
            if self._over.wait(WATCHED_EVERY):
                return
