"""A process that must not outlive the one that started it, however that ends."""

from __future__ import annotations

import os
import threading
import time

LOOKED = 0.5  # seconds between two looks whether the starter still lives


def end_with_starter() -> None:
    """End this process at once when the one that started it is gone; a thread watches it."""
    starter = os.getppid()

    def watch() -> None:
        while os.getppid() == starter:
            time.sleep(LOOKED)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
