"""Which rows are learned together: batches in an order fixed by the seed, and micro-batches of rows of like length."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic

import torch

from tutelage.training.rows import R, TrainingRow

PADDING = 0  # any id will do: padding stands right of a row, where a causal model's other positions never look


@dataclass(frozen=True)
class MicroBatch:
    """Rows that are computed at once."""

    rows: tuple[TrainingRow, ...]

    @cached_property
    def targets(self) -> torch.Tensor:
        """The learned tokens of all rows, row after row. Shape (learned,)."""
        return torch.tensor([token for row in self.rows for token in row.targets])

    @cached_property
    def padded_ids(self) -> torch.Tensor:
        """The rows' inputs, filled up on the right to the longest. Shape (rows, longest)."""
        longest = max(len(row.inputs) for row in self.rows)
        return torch.tensor([[*row.inputs, *[PADDING] * (longest - len(row.inputs))] for row in self.rows])

    @cached_property
    def padded_positions(self) -> torch.Tensor:
        """Where in the flattened `padded_ids` the positions lie that predict `targets`. Shape (learned,)."""
        longest = self.padded_ids.shape[1]
        return torch.tensor([number * longest + place for number, row in enumerate(self.rows) for place in row.predicting])

    @cached_property
    def shared(self) -> int:
        """Length of the beginning that all rows have in common and that predicts nothing learned: it is computed once."""
        if len(self.rows) == 1:
            return 0
        limit = min(row.predicting[0] for row in self.rows)
        first = self.rows[0].inputs
        common = 0
        while common < limit and all(row.inputs[common] == first[common] for row in self.rows):
            common += 1
        return common

    @cached_property
    def lengths(self) -> tuple[int, ...]:
        """How many inputs each row has after the shared beginning."""
        return tuple(len(row.inputs) - self.shared for row in self.rows)

    @cached_property
    def packed_ids(self) -> torch.Tensor:
        """The shared beginning, then the rest of each row, without padding. Shape (packed,)."""
        beginning = self.rows[0].inputs[: self.shared]
        return torch.tensor([*beginning, *(token for row in self.rows for token in row.inputs[self.shared :])])

    @cached_property
    def packed_places(self) -> torch.Tensor:
        """The place of each packed token in its own row. Shape (packed,)."""
        places = [*range(self.shared)]
        for length in self.lengths:
            places += range(self.shared, self.shared + length)
        return torch.tensor(places)

    @cached_property
    def packed_positions(self) -> torch.Tensor:
        """Where in `packed_ids` the positions lie that predict `targets`. Shape (learned,)."""
        positions: list[int] = []
        start = self.shared
        for row, length in zip(self.rows, self.lengths, strict=True):
            positions += [start + place - self.shared for place in row.predicting]
            start += length
        return torch.tensor(positions)


class BatchOrder(Generic[R]):
    """The endless sequence of batches: each epoch goes through all rows once, in an order of its own.

    It depends on the rows, `batch_rows` and `seed` alone, so any step can be looked up again after a restart.
    """

    def __init__(self, rows: Sequence[R], *, batch_rows: int, seed: int) -> None:
        self._rows = tuple(rows)
        self._batch_rows = batch_rows
        self._seed = seed
        self.steps_per_epoch = -(-len(self._rows) // batch_rows)

    def batch(self, step: int) -> tuple[R, ...]:
        """The rows of a step (the first is 0), shortest first."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = list(range(len(self._rows)))
        random.Random(f"{self._seed}:{epoch}").shuffle(order)
        chosen = order[place * self._batch_rows : (place + 1) * self._batch_rows]
        return tuple(by_length([self._rows[index] for index in chosen]))


def by_length(rows: Sequence[R]) -> list[R]:
    """The rows, shortest first; rows of one length by id."""
    return sorted(rows, key=lambda row: (len(row.ids), row.id))


def cut_padded(rows: Sequence[R], *, tokens: int, length: Callable[[R], int] = lambda row: len(row.ids)) -> list[Sequence[R]]:
    """The rows, in their order, cut where the next one would make more than `tokens` padded tokens. A longer row stands alone.

    `length` counts the tokens that a row takes when no other is longer.
    """
    groups: list[list[R]] = []
    longest = 0
    for row in rows:
        if groups and max(longest, length(row)) * (len(groups[-1]) + 1) <= tokens:
            groups[-1].append(row)
            longest = max(longest, length(row))
        else:
            groups.append([row])
            longest = length(row)
    return list(groups)


def micro_batches(rows: Sequence[TrainingRow], *, tokens: int) -> list[MicroBatch]:
    """The rows in micro-batches of at most `tokens` padded tokens: see `cut_padded`."""
    return [MicroBatch(tuple(group)) for group in cut_padded(rows, tokens=tokens)]
