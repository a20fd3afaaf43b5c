"""All that a training needs to go on after a kill, in one file written whole or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tutelage.core.errors import InputError
from tutelage.core.files import whole_file
from tutelage.core.records import Record

NAME = "checkpoint.pt"


class CurveRow(Record):
    """A line of `curve.jsonl`. Row 0 stands before the first step and has no training loss.

    Losses are nats a unit of the objective (a learned token, or a row); `tokens` counts all tokens of the rows trained on so far;
    `seconds` is the time so far, measurements and earlier checkpoints included. `validation_loss`, `bits_per_byte` and `score` are
    None where nothing was measured.
    `tokens_per_second` is the pace of this step; memory is what the process holds after it, and what it holds of a GPU (None without).
    """

    step: int
    tokens: int
    loss: float | None
    validation_loss: float | None
    bits_per_byte: float | None
    score: float | None
    learning_rate: float
    gradient_norm: float | None
    seconds: float
    tokens_per_second: float | None
    memory_mb: float
    gpu_memory_mb: float | None


@dataclass
class State:
    """How far a training is.

    `best_watched` is the lowest value of what is watched: of the validation loss, or of minus the score. `stale` counts the
    measurements since `gained`, the last value that was a gain. `micro_batch_tokens` are computed at once; `shrunk_at` has the steps
    at which memory ran out, so that they were halved.
    """

    micro_batch_tokens: int
    step: int = 0
    tokens: int = 0
    step_seconds: float = 0.0
    seconds: float = 0.0
    curve: list[CurveRow] = field(default_factory=list)
    best_step: int = 0
    best_watched: float = math.inf
    best: dict[str, torch.Tensor] = field(default_factory=dict)
    gained: float = math.inf
    stale: int = 0
    shrunk_at: list[int] = field(default_factory=list)
    random: torch.Tensor = field(default_factory=torch.get_rng_state)


def write_checkpoint(path: Path, state: State, weights: dict[str, torch.Tensor], memory: dict[str, Any], *, origin: str) -> None:
    """Write the state, the learned weights and the optimiser's memory. `origin` names what they were learned from."""
    fields = {**vars(state), "curve": [row.model_dump() for row in state.curve]}
    with whole_file(path) as file:
        torch.save({"origin": origin, "state": fields, "weights": weights, "optimiser": memory}, file)


def read_checkpoint(path: Path, *, origin: str) -> tuple[State, dict[str, torch.Tensor], dict[str, Any]]:
    """The state, the learned weights and the optimiser's memory of a checkpoint. Raises InputError for another `origin`."""
    data = torch.load(path, weights_only=True)
    if data["origin"] != origin:
        raise InputError(f"{path}: this checkpoint was learned from {data['origin'] or 'an unknown base'}, but the training starts from "
                         f"{origin or 'an unknown base'}; such weights do not fit. Delete {path.parent} to begin anew, or bring the base "
                         "back.")
    fields = {**data["state"], "curve": [CurveRow.model_validate(row) for row in data["state"]["curve"]]}
    return State(**fields), data["weights"], data["optimiser"]


def step_of(path: Path) -> int:
    """After which step a checkpoint was written."""
    return int(torch.load(path, weights_only=True)["state"]["step"])
