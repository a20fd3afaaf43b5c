"""A listener that hands the figures of a training to the trackers of the recipe; each runs in a process of its own."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Literal, get_args

from tutelage.core.errors import ExtraMissing
from tutelage.core.events import Event, Events
from tutelage.core.settings import Settings

TrackerName = Literal["wandb", "mlflow", "tensorboard", "trackio"]
FOLDER = "trackers"
STAGE = "training"
STAYS = ("", "offline", "dryrun", "disabled")
# What is told of a step; whatever else an event may carry stays here.
FIGURES = ("loss", "validation_loss", "bits_per_byte", "score", "learning_rate", "gradient_norm", "tokens", "tokens_per_second",
           "memory_mb", "gpu_memory_mb")
FINISHING_SECONDS = 20.0  # that trackers get after a run; what they wrote until then stays on the disk
REASON_CHARACTERS = 300
# What a tracker sees of the environment besides its own variables: the way to programs, certificates and proxies.
NEEDED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "SSL_CERT_FILE", "SSL_CERT_DIR",
          "REQUESTS_CA_BUNDLE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True)
class Kind:
    """A tracker: its package and what to install for it.

    `away` are variables of the user's environment by which the tracker itself is told to send figures elsewhere, `own` the
    beginnings of the names of all its variables, `fixed` what is always set so that it reports nothing of its own.
    """

    title: str
    package: str
    install: str
    away: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    fixed: tuple[tuple[str, str], ...] = ()


TRACKERS: dict[TrackerName, Kind] = {
    "wandb": Kind("Weights & Biases", "wandb", "wandb", away=("WANDB_MODE",), own=("WANDB_",), fixed=(("WANDB_ERROR_REPORTING", "false"),)),
    "mlflow": Kind("MLflow", "mlflow", "mlflow-skinny", away=("MLFLOW_TRACKING_URI",), own=("MLFLOW_", "DATABRICKS_"),
                   fixed=(("MLFLOW_DISABLE_TELEMETRY", "true"), ("DO_NOT_TRACK", "true"))),
    "tensorboard": Kind("TensorBoard", "tensorboard", "tensorboard"),
    "trackio": Kind("Trackio", "trackio", "trackio", away=("TRACKIO_SPACE_ID", "TRACKIO_SERVER_URL"), own=("TRACKIO_",),
                    fixed=(("HF_HUB_DISABLE_TELEMETRY", "1"), ("GRADIO_ANALYTICS_ENABLED", "False"))),
}


def require(name: TrackerName) -> None:
    """Raise ExtraMissing if the tracker's package is not installed."""
    kind = TRACKERS[name]
    if find_spec(kind.package) is None:
        raise ExtraMissing(f"{kind.title} is not installed. Run `pip install {kind.install}`, or `pip install tutelage[trackers]` for "
                           f"all trackers, or leave {name} out.")


def leads_away(name: TrackerName) -> str:
    """The variable of the environment that lets the tracker send figures off this machine, or ""."""
    return next((variable for variable in TRACKERS[name].away if os.environ.get(variable, "") not in STAYS), "")


def known_settings(settings: Settings) -> dict[str, float | str]:
    """Settings that can say nothing of the user's own: numbers, switches, and words that stand in our own list of choices."""
    found: dict[str, float | str] = {}
    for name, info in type(settings).model_fields.items():
        value = getattr(settings, name)
        if isinstance(value, int | float) or (isinstance(value, str) and value in get_args(info.annotation)):
            found[name] = value
    return found


class Trackers:
    """Listener. It hears a training begin, starts the trackers, hands them each step, and ends them with the run.

    `tell` is where warnings go. A tracker that breaks or hangs is warned of and left behind: it never stops or delays a training.
    """

    def __init__(self, names: Sequence[TrackerName], *, work: Path, settings: Settings, tell: Events,
                 finishing_seconds: float = FINISHING_SECONDS) -> None:
        self._names, self._tell, self._finishing_seconds = tuple(dict.fromkeys(names)), tell, finishing_seconds
        self._folder, self._settings = work.resolve() / FOLDER, known_settings(settings)
        self._ids: dict[str, str] = {}
        self._feeds: dict[TrackerName, _Feed] = {}

    def __call__(self, event: Event) -> None:
        """Hand on what the event tells."""
        if event.kind == "plan":
            self._ids[event.stage] = str(event.facts["id"])
        elif event.stage == STAGE and event.kind == "started":
            for name in self._names:
                self._start(name, str(event.facts["id"]))
        elif event.stage == STAGE and event.kind == "step":
            figures = {figure: value for figure in FIGURES if isinstance(value := event.facts.get(figure), int | float)}
            self._send({"step": int(event.facts["done"] or 0), "at": event.at, "figures": figures})
        elif event.stage == STAGE and event.kind == "finished":
            self._end(0)
        elif event.stage == "run" and event.kind == "failed":
            self._end(int(event.facts["exit_code"] or 1))

    def close(self) -> None:
        """Wait until the trackers have written what they got; what takes too long is stopped with a warning."""
        until = time.monotonic() + self._finishing_seconds
        for name, feed in list(self._feeds.items()):
            feed.end()
            if not feed.wait(until):
                self._drop(name, f"it did not finish within {self._finishing_seconds:g} seconds")
            elif feed.code:
                self._drop(name, "")
        self._feeds.clear()

    def _start(self, name: TrackerName, training: str) -> None:
        folder, away = self._folder / name, leads_away(name)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._feeds[name] = _Feed(name, folder, training)
        except OSError as error:
            self._tell.warning(STAGE, "run.tracker_failed", tracker=TRACKERS[name].title, reason=str(error), log=str(folder))
            return
        if away:
            self._tell.note(STAGE, "run.tracker_away", tracker=TRACKERS[name].title, variable=away)
        else:
            self._tell.note(STAGE, "run.tracker_here", tracker=TRACKERS[name].title, folder=str(folder))
        ids = {f"{stage}_id": known for stage, known in self._ids.items() if stage in ("documents", "dataset")}
        self._send({"training": training, "folder": str(folder), "settings": self._settings | ids}, only=name)

    def _send(self, line: Mapping[str, object], *, only: TrackerName | None = None) -> None:
        for name, feed in list(self._feeds.items()):
            if only in (None, name):
                try:
                    feed.send(line)
                except OSError:
                    self._drop(name, "")

    def _end(self, exit_code: int) -> None:
        self._send({"exit_code": exit_code})
        for feed in self._feeds.values():
            feed.end()

    def _drop(self, name: TrackerName, reason: str) -> None:
        feed = self._feeds.pop(name)
        feed.stop()
        self._tell.warning(STAGE, "run.tracker_failed", tracker=TRACKERS[name].title, reason=reason or feed.last_words(), log=str(feed.log))


class _Feed:
    """A tracker's process and the lines that it has not taken yet. Nothing here waits for it, but `wait`."""

    def __init__(self, name: TrackerName, folder: Path, training: str) -> None:
        self.log = folder / f"{training}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "tutelage.pipeline.tracker_process", name], stdin=subprocess.PIPE,
                                             stdout=log, stderr=log, env=_environment(name, folder), start_new_session=True)
        assert self._process.stdin is not None
        self._pipe: IO[bytes] = self._process.stdin
        os.set_blocking(self._pipe.fileno(), False)
        self._waiting = bytearray()
        self._is_ending = False

    @property
    def code(self) -> int | None:
        """How the process ended, or None while it runs."""
        return self._process.poll()

    def send(self, line: Mapping[str, object]) -> None:
        """Hand over a line, or keep it until the process takes it; nothing after the end. Raises OSError when the process is gone."""
        if self._is_ending:
            return
        self._waiting += json.dumps(line).encode() + b"\n"
        self._push()

    def end(self) -> None:
        """Say that nothing follows, as soon as all is taken."""
        self._is_ending = True
        try:
            self._push()
        except OSError:
            self._waiting.clear()

    def wait(self, until: float) -> bool:
        """Wait for the process to take all and to end, until a moment of the monotonic clock. False if it did not."""
        while self.code is None and time.monotonic() < until:
            if self._waiting:
                select.select([], [self._pipe], [], 0.1)
                self.end()
                continue
            self._pipe.close()
            try:
                self._process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                return False
        return self.code is not None

    def stop(self) -> None:
        """End the process at once."""
        if self.code is None:
            self._process.kill()
            self._process.wait()
        self._waiting.clear()
        try:
            self._pipe.close()
        except OSError:
            return

    def last_words(self) -> str:
        """The last line that the process wrote."""
        lines = self.log.read_text("utf-8", "replace").split("\n")
        return next((line.strip()[:REASON_CHARACTERS] for line in reversed(lines) if line.strip()), f"it ended with code {self.code}")

    def _push(self) -> None:
        while self._waiting:
            try:
                del self._waiting[:os.write(self._pipe.fileno(), self._waiting)]
            except BlockingIOError:
                return
        if self._is_ending:
            self._pipe.close()


def _environment(name: TrackerName, folder: Path) -> dict[str, str]:
    """What the process of a tracker sees: no secret but its own, and no way out unless the user's environment says so."""
    kind = TRACKERS[name]
    kept = {key: value for key, value in os.environ.items() if key in NEEDED or key.startswith(kind.own or ("\0",))}
    kept |= dict(kind.fixed)
    if name == "trackio":
        kept = {"TRACKIO_DIR": str(folder), **kept}
        if leads_away(name):
            kept |= {key: value for key, value in os.environ.items() if key.startswith("HF_")}
        else:
            kept["HF_HUB_OFFLINE"] = "1"
    return kept
