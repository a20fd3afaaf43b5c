"""Weights set to 0, freely or two of every four neighbours: the model keeps its shape, and gains nothing on a processor."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from tutelage.core.errors import InputError
from tutelage.engine.torch_base import load_causal
from tutelage.model.importance import mean_squares, training_rows
from tutelage.model.reshape import Fact, Given, Reshaping
from tutelage.model.shrink import ROWS, Heal, heal_cut, write_cut

NEIGHBOURS, ZEROS = 4, 2  # of the pattern "2_of_4"


def sparsity_step(heal: Heal) -> Reshaping:
    """The step that sets the weights that matter least to 0 and heals the others."""
    return Reshaping(name="sparsity", folder="sparse", is_wanted=lambda settings: bool(settings.sparsity),
                     margin=lambda settings: settings.drop_margin, make=partial(set_zeros, heal))


def set_zeros(heal: Heal, given: Given, folder: Path) -> dict[str, Fact]:
    """Write the model with zeros in all matrices of its layers to `folder`, healed as far as the settings ask.

    Raises InputError for a pattern that the rows of a matrix cannot have.
    """
    settings, making = given.settings, given.making
    model = load_causal(given.model)
    rows = training_rows(making, ROWS, given.model, given.chat_format)
    named, zeros, numbers = dict(model.named_parameters()), 0, 0
    for name, squares in mean_squares(model, rows).items():
        weight = named[name].detach()
        weight *= kept_weights(weight, squares, settings.sparsity, name=name)
        zeros, numbers = zeros + int((weight == 0).sum()), numbers + weight.numel()
    making.events.warning("model", "model.zeros_set", share=round(100 * zeros / numbers, 1), rows=len(rows))
    cut = write_cut(given, model, folder)
    del model, named
    facts: dict[str, Fact] = {"pattern": str(settings.sparsity), "zeros": zeros / numbers}
    return facts | heal_cut(heal, given, cut, folder, keep_zeros=True)


def kept_weights(weight: torch.Tensor, squares: np.ndarray, sparsity: Literal["2_of_4"] | float, *, name: str) -> torch.Tensor:
    """Which weights of a matrix stay: of each row those of the largest |W_ij| sqrt(E[x_j^2]), x being what enters the matrix.

    Shapes: weight (out, in), squares (in,), E[x^2] -> (out, in) of booleans. "2_of_4" leaves two of every four neighbours in a row.
    Raises InputError, naming the matrix, for rows that have no such fours. Source: Sun et al. 2023, arXiv:2306.11695, section 3.
    """
    scores = weight.abs().double() * torch.from_numpy(squares).sqrt()
    out, columns = weight.shape
    if not isinstance(sparsity, str):
        return _without_least(scores, int(sparsity * columns))
    if columns % NEIGHBOURS:
        raise InputError(f"model.sparsity: is 2_of_4, but the rows of {name!r} have {columns} numbers, no multiple of {NEIGHBOURS}. "
                         "Give a share such as 0.5.")
    return _without_least(scores.view(-1, NEIGHBOURS), ZEROS).view(out, columns)


def _without_least(scores: torch.Tensor, count: int) -> torch.Tensor:
    """True but for the `count` least scores of each row."""
    least = scores.argsort(dim=1, stable=True)[:, :count]
    return torch.ones_like(scores, dtype=torch.bool).scatter_(1, least, False)
