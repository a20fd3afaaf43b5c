"""Looks up in /proc which processes of a shared training run, and what they were told."""

from __future__ import annotations

from pathlib import Path


def workers_of(scratch: Path) -> list[int]:
    """Process ids of the training's processes that still run."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"tutelage.training.worker" in words and str(scratch).encode() in b" ".join(words):
            found.append(int(folder.name))
    return sorted(found)


def environment_of(process: int) -> dict[str, str]:
    """The environment that a process was started with."""
    lines = Path(f"/proc/{process}/environ").read_bytes().decode().split("\0")
    return dict(line.split("=", 1) for line in lines if "=" in line)
