"""One start of processes that train together: this machine's part, by torch's own launcher (what torchrun calls), and how it ended."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from signal import Signals

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from tutelage.core.records import Record
from tutelage.training.checkpoint import NAME, step_of

JOB, LOGS = "job.pkl", "logs"
POLLED = 0.1  # seconds between two looks at what the processes told
GRACE = 5  # seconds that the others get to end when one has failed


class Call(Record):
    """Who takes part in a start: so many machines with so many processes each, which meet at `meeting` (host:port, "" for one machine).

    `start` is another for each start.
    """

    start: str
    machines: int
    processes: int
    meeting: str

    @property
    def all_processes(self) -> int:
        """Processes on all machines."""
        return self.machines * self.processes


class Launch(threading.Thread):
    """The launcher in a thread of its own: in the main thread it would take the signals that pause a training.

    `machine` counts from 0.
    """

    def __init__(self, scratch: Path, call: Call, *, machine: int = 0) -> None:
        super().__init__(daemon=True)
        self._scratch, self._call, self.logs = scratch, call, scratch / f"{LOGS}-{machine}"
        is_alone = call.machines == 1
        self._config = LaunchConfig(
            min_nodes=call.machines, max_nodes=call.machines, nproc_per_node=call.processes, run_id=call.start,
            rdzv_backend="c10d" if is_alone else "static", rdzv_endpoint="localhost:0" if is_alone else call.meeting,
            rdzv_configs={} if is_alone else {"rank": machine}, local_addr="localhost" if is_alone else None,
            max_restarts=0, shutdown_timeout=GRACE, monitor_interval=POLLED,
            logs_specs=DefaultLogsSpecs(log_dir=str(self.logs), redirects=Std.ALL))
        self.failure: Exception | None = None

    def run(self) -> None:
        """Start the processes and wait for their end. What the launcher logs of it is told by `told`."""
        logger = logging.getLogger("torch.distributed.elastic")
        level = logger.level
        logger.setLevel(logging.CRITICAL)
        self.logs.mkdir(exist_ok=True)
        try:
            elastic_launch(self._config, sys.executable)("-m", "tutelage.training.worker", str(self._scratch / JOB))
        except Exception as failure:  # noqa: BLE001  (raised by the main thread)
            self.failure = failure
        finally:
            logger.setLevel(level)

    def told(self) -> str:
        """What a person is told of a process that gave no error of its own."""
        assert self.failure is not None
        return told_of(self.failure, self._scratch, self.logs, self._call.all_processes)


def told_of(failure: Exception, scratch: Path, logs: Path, processes: int) -> str:
    """What a person is told of a failed start of so many processes, whose checkpoint is in `scratch`."""
    path = scratch / NAME
    kept = f"The state after step {step_of(path)} is saved" if path.exists() else "No checkpoint was written yet"
    again = f"{kept}. Run the same command again to go on from there."
    if not isinstance(failure, ChildFailedError):
        return f"training: the {processes} processes could not be started ({' '.join(str(failure).split())}). {again}"
    rank, first = min(failure.failures.items(), key=lambda one: (_follows(one[1].exitcode), one[0]))
    if first.exitcode < 0:
        return (f"training: process {rank} of {processes} (counted from 0) was ended by {Signals(-first.exitcode).name}. A system that is "
                "short of memory does so: if it comes again, lower training.micro_batch_tokens or training.devices.processes. "
                f"{again}")
    return (f"training: process {rank} of {processes} (counted from 0) broke off: {_last_line(logs, first)}. Its log is in {logs}. "
            f"{again}")


def _follows(exit_code: int) -> int:
    """How likely a process ended so because of another: a killed one breaks the others, and the launcher ends those by SIGTERM."""
    if exit_code == -Signals.SIGTERM:
        return 2
    return 0 if exit_code < 0 else 1


def _last_line(folder: Path, failure: ProcessFailure) -> str:
    """The last line that the process wrote of its error."""
    logs = sorted(folder.glob(f"*/attempt_0/{failure.local_rank}/stderr.log"))
    lines = [line for line in logs[-1].read_text("utf-8", "replace").splitlines() if line.strip()] if logs else []
    errors_told = [line for line in lines if "Error" in line and not line.startswith((" ", "["))]
    return (errors_told or lines or [f"it ended with the exit code {failure.exitcode}"])[-1].strip()
