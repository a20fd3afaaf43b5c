"""Where the training computes: device, number format and threads."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Device:
    """A place to compute, and the number format of the frozen weights there."""

    name: str
    dtype: torch.dtype
    threads: int


def choose_device(threads: int | None) -> Device:
    """A GPU with bfloat16 if there is one, else all cores in fp32, which is the fastest format on ordinary processors.

    Sets the number of threads: sums are made in another order with another number, so it is fixed and recorded.
    """
    count = threads or os.cpu_count() or 1
    torch.set_num_threads(count)
    if torch.cuda.is_available() and torch.cuda.is_bf16_supported():
        return Device("cuda", torch.bfloat16, count)
    return Device("cpu", torch.float32, count)
