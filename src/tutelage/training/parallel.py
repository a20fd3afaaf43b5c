"""Several processes for one training: how many, and the one decision how they share the model."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.language import text
from tutelage.core.memory import MB, room_mb
from tutelage.training.methods import METHODS
from tutelage.training.settings import TrainingSettings

TRAINED_BYTES = 16  # of a parameter in fp32: itself, its gradient, and two numbers that AdamW remembers
SHARE = 0.7  # of the memory that weights may take; the rest is for what a step computes
NAMES = {"ddp": "DDP", "fsdp": "FSDP2", "zero2": "ZeRO-2", "zero3": "ZeRO-3"}
BY_DEEPSPEED = ("zero2", "zero3")


@dataclass(frozen=True)
class Machine:
    """What a training can be spread over: the memory of each GPU in bytes, or, without one, that of the machine (None: unknown)."""

    gpus: tuple[int, ...]
    room: float | None


@dataclass(frozen=True)
class Plan:
    """How many processes train, on how many machines, how they share the model ("one", "ddp" ...), and why, in the run's language."""

    processes: int
    sharing: str
    why: str
    machines: int = 1

    @property
    def here(self) -> int:
        """Processes on each machine."""
        return self.processes // self.machines


def this_machine() -> Machine:
    """What there is here."""
    if torch.cuda.is_available():
        return Machine(tuple(torch.cuda.get_device_properties(number).total_memory for number in range(torch.cuda.device_count())), None)
    room = room_mb()
    return Machine((), None if room is None else room * MB)


def decide(settings: TrainingSettings, machine: Machine, *, parameters: Callable[[], int], language: str) -> Plan:
    """How many processes train and how they share a model, whose parameters are counted only where it matters.

    Raises InputError for more processes than GPUs, or than rows in a step, and ExtraMissing if DeepSpeed is asked for and not installed.
    """
    asked = settings.devices
    here = (len(machine.gpus) or 1) if asked.processes == "all" else asked.processes
    if (processes := here * asked.machines) == 1:
        return Plan(1, "one", "")
    _require(settings, here, processes, machine)
    a_weight = TRAINED_BYTES if METHODS[settings.method].trains_base else (2 if machine.gpus else 4)
    room = min(machine.gpus) if machine.gpus else (None if machine.room is None else machine.room / here)
    if asked.sharing != "auto":
        if asked.sharing in BY_DEEPSPEED and find_spec("deepspeed") is None:
            raise ExtraMissing(f"training.devices.sharing: is {asked.sharing}, which needs DeepSpeed, and that is not installed. Run "
                               "`pip install tutelage[deepspeed]`, or set sharing: fsdp, which saves the same memory without it.")
        return Plan(processes, asked.sharing, text("training.why_sharing_asked", language), asked.machines)
    needed = parameters() * a_weight
    is_small = room is None or needed <= SHARE * room
    why = text("training.why_ddp" if is_small else "training.why_fsdp", language, needed=f"{needed / 1e9:.1f}",
               room="?" if room is None else f"{room / 1e9:.1f}")
    return Plan(processes, "ddp" if is_small else "fsdp", why, asked.machines)


def count_parameters(folder: Path) -> int:
    """Number of weights in the safetensors files of a model folder, by their headers."""
    total = 0
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        shapes = [entry["shape"] for name, entry in header.items() if name != "__metadata__"]
        total += sum(int(torch.Size(shape).numel()) for shape in shapes)
    return total


def _require(settings: TrainingSettings, here: int, processes: int, machine: Machine) -> None:
    if machine.gpus and here > len(machine.gpus):
        raise InputError(f"training.devices.processes: is {here}; this machine has {len(machine.gpus)} GPU"
                         f"{'' if len(machine.gpus) == 1 else 's'}, and each process needs its own. Set it to all, or to at most "
                         f"{len(machine.gpus)}.")
    if settings.batch_rows < processes:
        raise InputError(f"training.batch_rows: is {settings.batch_rows}; {processes} processes need at least a row each. Raise batch_rows "
                         f"to {processes}, or lower training.devices.processes.")
