"""Listener that tells events on stderr: a bar with time left on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from tutelage.core.events import Event, Fact
from tutelage.core.language import text

PLAIN_SECONDS = 15
TOLD_AT_THE_END = ("run.failed", "run.gate_closed")  # the command itself ends with the whole error
SHOWN_FACTS = ("loss", "validation_loss", "tokens_per_second")
HIDDEN_COUNTS = ("id", "is_new", "seconds", "exit_code")


def clock(seconds: float) -> str:
    """Minutes and seconds, such as 3:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def fact_text(value: Fact) -> str:
    """A figure as people write it."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.3f}" if isinstance(value, float) else value


class Shown:
    """A fact as a blank of a text shows it: by the blank's own format if it has one, else as people write it."""

    def __init__(self, value: Fact) -> None:
        self._value = value

    def __format__(self, form: str) -> str:
        return format(self._value, form) if form else fact_text(self._value)

    def __str__(self) -> str:
        return str(self._value)


class Terminal:
    """Tells events of a run in one language. Use it as a context manager so that the bar is put away."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._bar = Progress(TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.percentage:>3.0f} %"),
                             TimeElapsedColumn(), TextColumn("{task.fields[left]}"), TextColumn("{task.fields[facts]}"),
                             console=self._console, transient=True, disable=not self._console.is_terminal)
        self._task: TaskID | None = None
        self._started = 0.0
        self._last_plain = 0.0

    def __enter__(self) -> Terminal:
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Tell the event."""
        if event.kind == "step":
            self._step(event)
        elif event.kind == "plan":
            self._plan(event)
        elif event.kind == "started":
            self._start(event)
        else:
            self._tell(event)

    def _say(self, line: str) -> None:
        self._console.print(line, markup=False)

    def _text(self, key: str, **facts: object) -> str:
        return text(key, self._language, **facts)

    def _plan(self, event: Event) -> None:
        key = "run.plan_made" if event.facts["is_made"] else "run.plan_line"
        self._say(self._text(key, stage=f"{event.stage:<10}", id=event.facts["id"], time=clock(float(event.facts["rough_seconds"] or 0))))

    def _start(self, event: Event) -> None:
        self._started = self._last_plain = time.monotonic()
        rough = float(event.facts["rough_seconds"] or 0)
        self._say(self._text("run.started", stage=event.stage, time=clock(rough)))
        self._remove()
        self._task = self._bar.add_task(event.stage, total=1.0, left="", facts="")

    def _step(self, event: Event) -> None:
        done, total = float(event.facts["done"] or 0), float(event.facts["total"] or 0)
        share = done / total if total else 0.0
        left = self._left(event, share)
        facts = " ".join(f"{name}={fact_text(event.facts[name])}" for name in SHOWN_FACTS if event.facts.get(name) is not None)
        if self._task is not None:
            self._bar.update(self._task, completed=share, left=left, facts=facts)
        if not self._console.is_terminal and time.monotonic() - self._last_plain >= PLAIN_SECONDS:
            self._last_plain = time.monotonic()
            self._say(f"{event.stage} {share:.0%} {left} {facts}".rstrip())

    def _left(self, event: Event, share: float) -> str:
        told = event.facts.get("seconds_left")
        elapsed = time.monotonic() - self._started
        seconds = float(told) if isinstance(told, int | float) else elapsed * (1 - share) / share if share > 0 else None
        return "" if seconds is None else self._text("run.left", time=clock(seconds))

    def _remove(self) -> None:
        if self._task is not None:
            self._bar.remove_task(self._task)
            self._task = None

    def _tell(self, event: Event) -> None:
        if event.kind in ("finished", "failed"):
            self._remove()
        if event.key in TOLD_AT_THE_END:
            return
        facts: dict[str, object] = {name: Shown(value) for name, value in event.facts.items()}
        if event.key == "run.made":
            counts = ", ".join(f"{name} {fact_text(value)}" for name, value in event.facts.items() if name not in HIDDEN_COUNTS)
            facts = {**facts, "counts": counts, "time": clock(float(event.facts["seconds"] or 0))}
        if event.key == "run.finished":
            facts["time"] = clock(float(event.facts["seconds"] or 0))
        line = self._text(event.key, **{**facts, "stage": event.stage})
        mark = {"warning": self._text("run.warning") + " ", "failed": "", "finished": ""}.get(event.kind, "  ")
        self._say(mark + line)


def tell_result(line: str) -> None:
    """A result on stdout."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
