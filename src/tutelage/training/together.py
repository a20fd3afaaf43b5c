"""Several processes that share each step: what they have in common, and the two ways of torch, whole copies (DDP) and shards (FSDP2)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from signal import Signals
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from tutelage.training.adapters import trainable
from tutelage.training.batches import by_length
from tutelage.training.bodies import bare
from tutelage.training.objectives import Measured, Objective
from tutelage.training.rows import R, TrainingRow
from tutelage.training.targets import layer_names
from tutelage.training.team import LARGEST_NORM, Alone


class Whole(torch.nn.Module):
    """What is wrapped to be shared: the model, with rows going in and their loss (or their worth) coming out."""

    def __init__(self, model: torch.nn.Module, objective: Callable[[], Objective[Any]]) -> None:
        super().__init__()
        self.model = model
        self._make = objective

    def forward(self, rows: Sequence[Any], tokens: int | None = None) -> torch.Tensor | Measured:
        """The sum of the loss over all units of the rows; with `tokens`, what they are worth."""
        objective = self._make()
        return objective.loss(rows) if tokens is None else objective.measure(rows, tokens=tokens)


class Together(Alone[R], ABC):
    """Processes that hold the same weights and rows, and compute a part of each step. All call the same methods in the same order.

    Each process has as many micro-batches as the one with most: where rows are lacking, one row is computed with a weight of 0,
    as all must take part in every exchange of weights and gradients. What comes out is what one process computes, but for rounding.
    `stop_file` holds the name of a signal once all shall stop. `plain`: the objective uses the model's own layers; `loads_on_gpu`:
    the model stands on the GPU, if there is one, before it is shared.
    """

    plain: bool
    loads_on_gpu: bool

    def __init__(self, model: torch.nn.Module, objective: Callable[[], Objective[R]], *, rate: float, stop_file: Path) -> None:
        self._whole: Any
        self._whole, made = self._spread(model, objective, rate)
        super().__init__(model, made, rate=rate)
        self._device = next(model.parameters()).device
        self._stop_file = stop_file
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    @property
    def model(self) -> torch.nn.Module:
        """The model that is trained."""
        return self._model

    @property
    def objective(self) -> Objective[R]:
        """What is learned."""
        return self._objective

    @abstractmethod
    def _spread(self, model: torch.nn.Module, objective: Callable[[], Objective[R]],
                rate: float) -> tuple[torch.nn.Module, Objective[R]]:
        """`Whole` of the model, shared among the processes, and an objective."""

    @abstractmethod
    def _learn(self, rows: Sequence[R], factor: float, *, is_last: bool) -> torch.Tensor:
        """Add the gradient of `factor` times the rows' loss, which is given. After the last rows of a step the gradients are exchanged."""

    def agreed(self, asked: str) -> str:
        """The signal that any of the processes was told, or that stands in the stop file."""
        if not asked and self._stop_file.exists():
            asked = self._stop_file.read_text("utf-8")
        told = torch.tensor(float(Signals[asked].value if asked else 0), device=self._device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return Signals(int(told)).name if told else ""

    def gradients(self, rows: Sequence[R], *, tokens: int, step: int, check: Callable[[], None]) -> float:
        """Leave the gradient of the mean loss a unit over the rows of all processes, and give that loss."""
        torch.manual_seed(step * self.size + self.rank)  # what dropout switches off differs among processes, and is the same after a kill
        units, groups = self._objective.count(rows), self._own(rows, tokens=tokens)
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        for number, (group, weight) in enumerate(groups, 1):
            factor = weight * self.size / units  # the mean over processes is taken of gradients
            total += self._learn(group, factor, is_last=number == len(groups)) / self.size
        dist.all_reduce(total)
        return float(total)

    @torch.no_grad()
    def measure(self, rows: Sequence[R], *, tokens: int) -> Measured:
        """What the rows are worth, each process measuring a part of them."""
        sums, measured = torch.zeros(6, dtype=torch.float64, device=self._device), None
        for group, weight in self._own(by_length(rows), tokens=tokens):
            measured = self._whole(group, tokens)
            counts = (self._objective.count(group), sum(row.reply_bytes for row in group if isinstance(row, TrainingRow)), len(group))
            values = (measured.loss, measured.bits_per_byte or 0.0, measured.score or 0.0)
            sums += weight * sums.new_tensor([*counts, *(count * value for count, value in zip(counts, values, strict=True))])
        assert measured is not None
        dist.all_reduce(sums)
        units, size_bytes, count, loss, bits, score = sums.tolist()
        return Measured(loss=loss / units, bits_per_byte=None if measured.bits_per_byte is None else bits / max(1, size_bytes),
                        score=None if measured.score is None else score / count)

    def _own(self, rows: Sequence[R], *, tokens: int) -> list[tuple[Sequence[R], float]]:
        """This process's micro-batches with their weights."""
        parts = [self._objective.micro_batches(part, tokens=tokens) for part in deal(rows, self.size)]
        own: list[tuple[Sequence[R], float]] = [(group, 1.0) for group in parts[self.rank]]
        return own + [(rows[:1], 0.0)] * (max(len(part) for part in parts) - len(own))

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the learned weights on the processor; empty but for the first process."""
        whole = {name: _gathered(weight.detach()) for name, weight in trainable(self._model).items()}
        return {name: weight.cpu().clone() for name, weight in whole.items()} if self.rank == 0 else {}

    @torch.no_grad()
    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Give the learned weights these values, which all processes have."""
        for name, weight in trainable(self._model).items():
            weight.copy_(_as(weight, weights[name]))

    def memory(self) -> dict[str, Any]:
        """What the optimiser remembers, as one process alone would remember it."""
        memory = self._optimiser.state_dict()
        return {**memory, "state": {number: {key: _gathered(value) for key, value in state.items()}
                                    for number, state in memory["state"].items()}}

    def recall(self, memory: dict[str, Any]) -> None:
        """Give the optimiser that memory back, whatever number of processes it comes from."""
        learned = list(trainable(self._model).values())
        state = {number: {key: _as(learned[number], value) if value.dim() else value for key, value in known.items()}
                 for number, known in memory["state"].items()}
        self._optimiser.load_state_dict({**memory, "state": state})

    def finish(self, best: Mapping[str, torch.Tensor]) -> None:
        """Nothing: the best weights are in the checkpoint, from which the process that started these reads them."""


class Copies(Together[R]):
    """Each process holds the whole model: torch's DistributedDataParallel. Gradients are exchanged once a step."""

    plain, loads_on_gpu = False, True

    def _spread(self, model: torch.nn.Module, objective: Callable[[], Objective[R]],
                rate: float) -> tuple[torch.nn.Module, Objective[R]]:
        made = objective()  # once: it may keep what frozen layers compute
        return DistributedDataParallel(Whole(model, lambda: made), broadcast_buffers=False), made

    def _learn(self, rows: Sequence[R], factor: float, *, is_last: bool) -> torch.Tensor:
        with nullcontext() if is_last else self._whole.no_sync():  # without: gradients are only summed up in this process
            loss: torch.Tensor = self._whole(rows) * factor
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()


class Shards(Together[R]):
    """Each process holds a part of every weight, and the optimiser's memory of it: torch's FSDP2. A layer is whole while it computes."""

    plain, loads_on_gpu = True, False

    def _spread(self, model: torch.nn.Module, objective: Callable[[], Objective[R]],
                rate: float) -> tuple[torch.nn.Module, Objective[R]]:
        whole = Whole(model, objective)  # asked for in each forward: only there the weights are whole
        base, kind = bare(model), dist.get_backend()
        mesh = init_device_mesh("cuda" if kind == "nccl" else "cpu", (dist.get_world_size(),))
        for module in (*(base.get_submodule(name) for name in layer_names(base, "all", setting="layers")), whole):
            sharded = fully_shard(module, mesh=mesh)
            assert isinstance(sharded, FSDPModule)
            if kind == "gloo":
                sharded.set_force_sum_reduction_for_comms(True)  # gloo knows no mean
        return whole, objective()

    def _learn(self, rows: Sequence[R], factor: float, *, is_last: bool) -> torch.Tensor:
        loss: torch.Tensor = self._whole(rows) * factor
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    def update(self, rate: float) -> float:
        """Take an optimiser step; the norm is that of the whole gradient."""
        learned = trainable(self._model).values()
        norm: Any = torch.nn.utils.get_total_norm([weight.grad for weight in learned if weight.grad is not None])
        total = norm.full_tensor() if isinstance(norm, DTensor) else norm
        torch.nn.utils.clip_grads_with_norm_(learned, LARGEST_NORM, total)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._optimiser.step()
        self.forget()
        return float(total)


def deal(rows: Sequence[R], size: int) -> list[list[R]]:
    """The rows, shortest first, dealt to so many processes there and back, longest first, so that each has about the same tokens."""
    parts: list[list[R]] = [[] for _ in range(size)]
    for place, row in enumerate(reversed(rows)):
        turn, seat = divmod(place, size)
        parts[seat if turn % 2 == 0 else size - 1 - seat].append(row)
    return [part[::-1] for part in parts]


def _gathered(value: torch.Tensor) -> torch.Tensor:
    """The whole of a tensor, whether or not it is sharded."""
    return value.full_tensor() if isinstance(value, DTensor) else value


def _as(weight: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A whole value as the weight is kept: on its device, and sharded as that is. All processes have the value: nothing is sent."""
    value = value.to(weight.device, weight.dtype)
    return distribute_tensor(value, weight.device_mesh, weight.placements, src_data_rank=None) if isinstance(weight, DTensor) else value
