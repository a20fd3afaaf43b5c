"""vLLM, started here for a model folder: its command line, and its process, started again when it ends."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tutelage.core.errors import ExtraMissing, ServiceUnavailable

PROGRAM = "vllm.entrypoints.openai.api_server"
INSTALL = "pip install tutelage[vllm]"
KEY = "VLLM_API_KEY"  # vLLM takes its key from here, so that no list of processes shows it
START_SECONDS = 900.0  # large models are read, compiled and warmed
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds before a new start; doubled while it goes on ending
STEADY_SECONDS = 300.0
CLOSE_SECONDS = 20.0
LOOK_SECONDS = 0.2
STDERR = 2  # its log goes where ours goes: stdout holds results only

Tell = Callable[[str, dict[str, object]], None]


def vllm_command(folder: Path, *, model: str, port: int, context_length: int, parallel: int, gpus: int) -> list[str]:
    """The command that serves a model folder under one name. Raises ExtraMissing where vLLM is not installed.

    Prompts are not logged (vLLM's own default since 0.10), and what one key's prompts began with is not kept for another's.
    """
    if importlib.util.find_spec("vllm") is None:
        raise ExtraMissing("endpoint.engine is vllm, and the package vllm is not installed here. Install it with "
                           f"`{INSTALL}` on a machine with a GPU, or name services that run elsewhere in endpoint.urls.")
    return [sys.executable, "-m", PROGRAM, *vllm_options(folder, model=model, port=port, context_length=context_length, parallel=parallel,
                                                         gpus=gpus)]


def vllm_options(folder: Path, *, model: str, port: int, context_length: int, parallel: int, gpus: int) -> list[str]:
    """The options, by vLLM's names."""
    return ["--model", str(folder), "--served-model-name", model, "--host", "127.0.0.1", "--port", str(port),
            "--max-model-len", str(context_length), "--max-num-seqs", str(parallel), "--tensor-parallel-size", str(gpus),
            "--no-enable-prefix-caching"]


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServiceProcess:
    """A service as a child process. `tell` hears of each end and each new start; who asks it sees by its health when it is back."""

    def __init__(self, command: Sequence[str], *, name: str, key: str, tell: Tell, pause: float = FIRST_PAUSE) -> None:
        self._command, self._name, self._key, self._tell, self._pause = list(command), name, key, tell, pause
        self._closing = threading.Event()
        self._starting = threading.Lock()
        self._restarts = 0
        self._process = self._start()
        threading.Thread(target=self._watch, name="service", daemon=True).start()

    @property
    def pid(self) -> int:
        """Number of the process."""
        return self._process.pid

    def restarts(self) -> int:
        """How often it ended and was started again."""
        return self._restarts

    def wait(self, is_up: Callable[[], bool], *, seconds: float = START_SECONDS) -> None:
        """Wait until it answers. Raises ServiceUnavailable if it ends before, or takes longer."""
        ends = time.monotonic() + seconds
        while not is_up():
            if self._restarts or self._process.poll() is not None:
                raise ServiceUnavailable(f"{self._name}: the service ended before it answered ({_how(self._process)}): "
                                         f"{' '.join(self._command)}. Look at its last lines above.")
            if time.monotonic() > ends:
                raise ServiceUnavailable(f"{self._name}: the service did not answer within {seconds:g} seconds: "
                                         f"{' '.join(self._command)}. Look at its last lines above.")
            time.sleep(LOOK_SECONDS)

    def close(self) -> None:
        """End it, with all that it started."""
        with self._starting:
            self._closing.set()
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        except ProcessLookupError:
            return

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=STDERR, start_new_session=True,
                                env={**os.environ, KEY: self._key})

    def _watch(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            self._process.wait()
            if self._closing.is_set():
                return
            if time.monotonic() - began > STEADY_SECONDS:
                self._pause = FIRST_PAUSE
            self._tell("run.engine_died", {"name": self._name, "why": _how(self._process), "seconds": self._pause})
            if self._closing.wait(self._pause):
                return
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            with self._starting:
                if self._closing.is_set():
                    return
                self._process = self._start()
            self._restarts += 1


def _how(process: subprocess.Popen[bytes]) -> str:
    """How a process ended."""
    code = process.poll()
    if code is None:
        return "it is being started again"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
