"""join: this machine takes part in a training that another one runs."""

from __future__ import annotations

from pathlib import Path

from tutelage.cli.terminal import Terminal
from tutelage.core.events import Events


def run_join(machine: int, *, work: Path, language: str) -> None:
    """Wait for a training of the work folder that wants several machines, and take part until it is over."""
    from tutelage.training.meeting import join

    with Terminal(language) as terminal:
        join(work, machine, Events(terminal))
