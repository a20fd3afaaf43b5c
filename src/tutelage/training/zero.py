"""Processes that share a model by DeepSpeed's ZeRO: the optimiser's memory is divided (stage 2), or the weights too (stage 3)."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F

from tutelage.training.adapters import trainable
from tutelage.training.bodies import bare
from tutelage.training.objectives import Objective
from tutelage.training.rows import R
from tutelage.training.team import LARGEST_NORM, adamw
from tutelage.training.together import Together, Whole

WHOLE_NUMBERS = 4000  # weights of at most so many numbers, such as norms, stay whole: to exchange them costs more than to keep them
MOMENTS = ("exp_avg", "exp_avg_sq")  # what AdamW remembers of a weight, by torch's names


def zero_config(stage: int) -> dict[str, object]:
    """DeepSpeed's configuration. Rows, their number and the rate are not its business: it is handed losses and takes steps when told."""
    return {"train_micro_batch_size_per_gpu": 1, "gradient_accumulation_steps": 1, "gradient_clipping": LARGEST_NORM,
            "zero_optimization": {"stage": stage, "stage3_param_persistence_threshold": WHOLE_NUMBERS}}


def _deepspeed() -> Any:
    """The package, before it has begun anything."""
    import deepspeed

    deepspeed.ops.__compatible_ops__ = {}  # else it compiles code for processors, a minute long, and waits for ever if that was killed
    return deepspeed


class Zero(Together[R]):
    """What the stages have in common: DeepSpeed's engine computes, exchanges and takes the steps.

    By the model's own layers: the packed path keeps weights in an order of its own, and so does DeepSpeed.
    """

    plain, stage = True, 0

    @abstractmethod
    def _put_one(self, weight: torch.nn.Parameter, value: torch.Tensor) -> None:
        """Give a learned weight this value, in what is computed with and in what the optimiser changes."""

    @abstractmethod
    def _remember(self, step: torch.Tensor, moments: Mapping[torch.nn.Parameter, Mapping[str, torch.Tensor]]) -> None:
        """Put the optimiser's memory into this process's part of it."""

    def _start(self, whole: Whole, model: torch.nn.Module, rate: float) -> Any:
        """DeepSpeed's engine."""
        return _deepspeed().initialize(model=whole, optimizer=adamw(model, rate), config=zero_config(self.stage))[0]

    def _make_optimiser(self, rate: float) -> torch.optim.Optimizer:
        made: torch.optim.Optimizer = self._whole.optimizer
        return made

    def _learn(self, rows: Sequence[R], factor: float, *, is_last: bool) -> torch.Tensor:
        self._whole.set_gradient_accumulation_boundary(is_last)
        loss: torch.Tensor = self._whole(rows) * factor
        self._whole.backward(loss)
        return loss.detach()

    def update(self, rate: float) -> float:
        """Take an optimiser step; DeepSpeed scales the gradients down to `LARGEST_NORM` and forgets them."""
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        self._whole.step()
        self.refresh()
        return float(self._whole.get_global_grad_norm())

    def weights(self) -> dict[str, torch.Tensor]:
        """A copy of the learned weights on the processor; empty but for the first process."""
        from deepspeed.utils import safe_get_full_fp32_param

        whole = {name: safe_get_full_fp32_param(weight) for name, weight in trainable(self._model).items()}
        return {name: weight.cpu().clone() for name, weight in whole.items()} if self.rank == 0 else {}

    @torch.no_grad()
    def put(self, weights: Mapping[str, torch.Tensor]) -> None:
        """Give the learned weights these values, which all processes have."""
        for name, weight in trainable(self._model).items():
            self._put_one(weight, weights[name].to(self._device))

    def memory(self) -> dict[str, Any]:
        """What the optimiser remembers, as one process alone would remember it."""
        from deepspeed.utils import safe_get_full_optimizer_state

        memory = adamw(self._model, 0.0).state_dict()
        known = list(self._inner().state.values())
        if known:
            memory["state"] = {number: {"step": known[0]["step"].cpu().clone(),
                                        **{key: safe_get_full_optimizer_state(weight, key).cpu().clone() for key in MOMENTS}}
                               for number, weight in enumerate(trainable(self._model).values())}
        return memory

    @torch.no_grad()
    def recall(self, memory: dict[str, Any]) -> None:
        """Give the optimiser that memory back, whatever number of processes it comes from."""
        if not memory["state"]:
            return
        learned = trainable(self._model).values()
        moments = {weight: {key: memory["state"][number][key].to(self._device) for key in MOMENTS} for number, weight in enumerate(learned)}
        self._remember(memory["state"][0]["step"], moments)

    def _inner(self) -> torch.optim.Optimizer:
        """The optimiser of torch that changes this process's parts, each a flat row of numbers."""
        inner: torch.optim.Optimizer = self._whole.optimizer.optimizer
        return inner

    def _begin_memory(self, parts: Sequence[torch.Tensor], step: torch.Tensor) -> None:
        """Let the optimiser remember nothing of these parts, after so many steps."""
        for part in parts:
            self._inner().state[part] = {"step": step.clone(), **{key: torch.zeros_like(part) for key in MOMENTS}}


class Zero2(Zero[R]):
    """Each process holds the whole model, and a part of the gradients and of what the optimiser remembers."""

    loads_on_gpu, stage = True, 2

    def _spread(self, model: torch.nn.Module, objective: Callable[[], Objective[R]],
                rate: float) -> tuple[torch.nn.Module, Objective[R]]:
        made: list[Objective[R]] = []
        engine = self._start(Whole(model, lambda: made[0]), model, rate)
        made.append(objective())  # once, as of whole copies, but after DeepSpeed has moved the weights
        return engine, made[0]

    def _put_one(self, weight: torch.nn.Parameter, value: torch.Tensor) -> None:
        from deepspeed.utils import safe_set_full_fp32_param

        weight.copy_(value)
        safe_set_full_fp32_param(weight, value)

    def _remember(self, step: torch.Tensor, moments: Mapping[torch.nn.Parameter, Mapping[str, torch.Tensor]]) -> None:
        from deepspeed.utils import safe_set_full_optimizer_state

        optimiser: Any = self._optimiser
        self._begin_memory(optimiser.single_partition_of_fp32_groups, step)
        optimiser._lazy_init_hp_params_optimizer_state()  # what the first step would do
        for weight, known in moments.items():
            for key, value in known.items():
                safe_set_full_optimizer_state(weight, value, key)


class Zero3(Zero[R]):
    """Each process holds a part of every weight too. A layer is whole while it computes."""

    loads_on_gpu, stage = False, 3

    def _spread(self, model: torch.nn.Module, objective: Callable[[], Objective[R]],
                rate: float) -> tuple[torch.nn.Module, Objective[R]]:
        deepspeed, whole = _deepspeed(), Whole(model, objective)  # the objective is asked for in each forward: only there weights are whole
        deepspeed.zero.Init(module=whole, config_dict_or_path=zero_config(self.stage))  # here, so that no process puts all on its GPU
        engine = self._start(whole, model, rate)
        if (head := bare(model).get_output_embeddings()) is not None:
            deepspeed.zero.register_external_parameter(whole, head.weight)  # the loss reads it outside of its layer
        return engine, objective()

    def _put_one(self, weight: torch.nn.Parameter, value: torch.Tensor) -> None:
        import deepspeed
        from deepspeed.utils import safe_set_local_fp32_param

        with deepspeed.zero.GatheredParameters([weight], modifier_rank=0):
            weight.copy_(value)
        safe_set_local_fp32_param(weight, self._part(weight, value))

    def _remember(self, step: torch.Tensor, moments: Mapping[torch.nn.Parameter, Mapping[str, torch.Tensor]]) -> None:
        from deepspeed.utils import safe_set_local_optimizer_state

        optimiser: Any = self._optimiser
        self._begin_memory(optimiser.fp32_partitioned_groups_flat, step)
        for weight, known in moments.items():
            for key, value in known.items():
                safe_set_local_optimizer_state(weight, self._part(weight, value), key)

    def _part(self, weight: Any, value: torch.Tensor) -> torch.Tensor:
        """This process's part of a weight's value; the last one is filled up."""
        count = weight.ds_tensor.numel()
        return F.pad(value.flatten(), (0, count * self.size - value.numel())).narrow(0, count * self.rank, count)
