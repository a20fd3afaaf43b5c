"""How soon the page is up: the first `serve` on a fresh work folder, and a later one.

`make bench NAME=start`. The bars: two minutes for the first, ten seconds for a later one.
"""

from __future__ import annotations

import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from common import at_most, finish

ROOT = Path(__file__).parents[1]
ROUNDS = 3


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def seconds_until_up(work: Path) -> float:
    """Seconds from the command until the sign-in page answers."""
    port = free_port()
    command = [sys.executable, "-m", "tutelage", "serve", str(ROOT / "recipes" / "demo.yaml"), "--port", str(port), "--work", str(work)]
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while time.monotonic() - started < 180:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/sign-in", timeout=5) as answer:
                    assert answer.status == 200
                    return time.monotonic() - started
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        return time.monotonic() - started
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def main() -> None:
    """Three rounds of a first and a second start."""
    first, second = [], []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            first.append(seconds_until_up(Path(folder)))
            second.append(seconds_until_up(Path(folder)))
    figures = {"seconds_first": round(statistics.median(first), 2), "seconds_second": round(statistics.median(second), 2), "rounds": ROUNDS}
    finish("start", figures, [at_most("seconds_first", 120), at_most("seconds_second", 10)])


if __name__ == "__main__":
    main()
