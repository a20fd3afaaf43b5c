"""The model as it stands before the first step: loaded, on its device, with the method's own weights to learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from tutelage.training.devices import Device
from tutelage.training.methods import METHODS
from tutelage.training.preflight import Ready
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import TASKS


def start_model(settings: TrainingSettings, ready: Ready[Any], *, folder: Path, device: Device) -> torch.nn.Module:
    """The base of `folder` with the method attached; the same seed gives the same first weights."""
    torch.manual_seed(settings.seed)
    method = METHODS[settings.method]
    base = TASKS[settings.task].load(folder, settings, ready)
    torch.nn.Module.to(base, torch.device(device.name), torch.float32 if method.trains_base else device.dtype)
    return method.attach(base, settings)
