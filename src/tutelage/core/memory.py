"""How much memory this process holds."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path

STATM = Path("/proc/self/statm")  # sizes in pages; the second is what is resident
MB = 1e6


def resident_mb() -> float:
    """Memory of this process in main memory now, in MB (10^6 bytes). Where the system does not tell it, the most there ever was."""
    if STATM.exists():
        return int(STATM.read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1 if sys.platform == "darwin" else 1024) / MB
