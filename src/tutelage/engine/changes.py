"""Changed or added weights of a model, kept apart from it: written by training, and put on the base again wherever it is used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from tutelage.core.errors import InputError
from tutelage.core.files import write_whole
from tutelage.core.records import Record
from tutelage.engine.bottlenecks import NAME, add_bottlenecks

CONFIG = "change.json"
WEIGHTS = "change.safetensors"


class Change(Record):
    """`change.json`: which weights of which base stand in `change.safetensors`, and how they came about.

    `base_sha256` is `folder_sha256` of the base. `places` are the linear layers that bottleneck adapters of `width` stand behind;
    none for weights of the base itself.
    """

    method: str
    base: str
    base_sha256: str
    names: tuple[str, ...]
    width: int = 0
    places: tuple[str, ...] = ()


@dataclass(frozen=True)
class Applied:
    """Frobenius norms: of all changes together, and of the weights before; 0 where none of the base's own was changed."""

    change: Change
    update_norm: float
    base_norm: float


def write_change(folder: Path, change: Change, weights: Mapping[str, torch.Tensor]) -> None:
    """Write both files; the same weights always make the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / WEIGHTS, save({name: weights[name].detach().cpu().contiguous() for name in sorted(weights)}))
    write_whole(folder / CONFIG, change.model_dump_json(indent=1))


def read_change(folder: Path) -> Change:
    """What `change.json` says. Raises InputError if it cannot be read."""
    try:
        return Change.model_validate_json((folder / CONFIG).read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise InputError(f"{folder / CONFIG}: cannot be read ({str(error).splitlines()[0]}). Train again.") from None


@torch.no_grad()
def apply_change(model: torch.nn.Module, folder: Path) -> Applied:
    """Give the model the weights of `folder`, and the layers that they need. The model is changed in place.

    Raises InputError if they do not fit the model.
    """
    change = read_change(folder)
    try:
        add_bottlenecks(model, change.places, width=change.width)
        weights = load_file(folder / WEIGHTS)
        own = dict(model.named_parameters())
        update = before = 0.0
        for name in change.names:
            found, new = own[name], weights[name]
            if found.shape != new.shape:
                raise ValueError(f"{name} has the shape {tuple(new.shape)}, not {tuple(found.shape)}")
            if f".{NAME}." not in name:
                update += float((new.to(found.device).double() - found.double()).square().sum())
                before += float(found.double().square().sum())
            elif f".{NAME}.up." in name:  # these begin at 0
                update += float(new.double().square().sum())
            found.copy_(new)
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        raise InputError(f"{folder}: these weights do not fit the model ({str(error).splitlines()[0]}). Use the base that they were "
                         f"trained on, {change.base!r}.") from None
    return Applied(change, math.sqrt(update), math.sqrt(before))
