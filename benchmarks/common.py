"""What all benchmarks share: the machine, the versions, the bars, and the one result line."""

from __future__ import annotations

import json
import os
import platform
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tutelage.core.store import installed_versions

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Bar:
    """A figure must be at least or at most `limit`."""

    figure: str
    limit: float
    is_floor: bool

    def holds(self, figures: Mapping[str, object]) -> bool:
        """Whether the figure is there and on the right side."""
        value = figures.get(self.figure)
        if not isinstance(value, int | float):
            return False
        return value >= self.limit if self.is_floor else value <= self.limit


def at_least(figure: str, limit: float) -> Bar:
    """A floor."""
    return Bar(figure, limit, True)


def at_most(figure: str, limit: float) -> Bar:
    """A ceiling."""
    return Bar(figure, limit, False)


def machine() -> dict[str, object]:
    """What the figures were taken on."""
    return {"cores": os.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 2**30, 1), "architecture": platform.machine(),
            "system": platform.system(), "python": platform.python_version()}


def finish(name: str, figures: Mapping[str, object], bars: list[Bar]) -> None:
    """Write results/<name>.json, print one JSON line, and exit 1 when a bar is missed."""
    held = {f"{bar.figure} {'>=' if bar.is_floor else '<='} {bar.limit:g}": bar.holds(figures) for bar in bars}
    result = {"name": name, "figures": dict(figures), "bars": held, "ok": all(held.values()), "machine": machine(),
              "versions": installed_versions(), "taken": time.strftime("%Y-%m-%d", time.gmtime())}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(json.dumps({key: result[key] for key in ("name", "figures", "bars", "ok")}, ensure_ascii=False))
    sys.exit(0 if result["ok"] else 1)


class PeakMemory(threading.Thread):
    """Watches the resident memory of a process and its children, twice a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._process = psutil.Process(pid)
        self._stop_asked = threading.Event()
        self.peak_bytes = 0

    def run(self) -> None:
        """Watch until stopped or the process ends."""
        while not self._stop_asked.wait(0.5):
            try:
                family = [self._process, *self._process.children(recursive=True)]
                self.peak_bytes = max(self.peak_bytes, sum(member.memory_info().rss for member in family))
            except psutil.NoSuchProcess:
                continue

    def stop(self) -> float:
        """Peak in GiB."""
        self._stop_asked.set()
        self.join()
        return round(self.peak_bytes / 2**30, 2)
