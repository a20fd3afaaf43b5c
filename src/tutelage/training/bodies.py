"""From rows to the hidden states that predict learned tokens: the path for any decoder, and the choice of the faster one."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from peft import PeftModel

from tutelage.core.errors import InputError
from tutelage.training.batches import MicroBatch
from tutelage.training.packed import PackedBody, fits


class Body(Protocol):
    """A model without its output layer."""

    name: str

    def refresh(self) -> None:
        """Take over changed adapter weights: to be called before the first use and after each optimiser step."""
        ...

    def hidden(self, batch: MicroBatch) -> torch.Tensor:
        """Hidden states at the positions that predict `batch.targets`, in that order. Shape (learned, width)."""
        ...


class PaddedBody:
    """Any causal decoder of transformers, by its own layers and PEFT's, on rows padded on the right.

    No attention mask is needed: a causal model's real positions never look at what stands right of them.
    """

    name = "padded"

    def __init__(self, model: torch.nn.Module) -> None:
        base = bare(model)
        self._decoder = base.get_decoder()
        self._device = base.device

    def refresh(self) -> None:
        """Nothing to do: the layers read their weights themselves."""

    def hidden(self, batch: MicroBatch) -> torch.Tensor:
        """Hidden states at the positions that predict `batch.targets`, in that order. Shape (learned, width)."""
        states: torch.Tensor = self._decoder(input_ids=batch.padded_ids.to(self._device), use_cache=False).last_hidden_state
        return states.reshape(-1, states.shape[-1])[batch.padded_positions.to(self._device)]


def bare(model: torch.nn.Module) -> Any:
    """The model of transformers itself, whether or not PEFT stands around it."""
    return model.get_base_model() if isinstance(model, PeftModel) else model


def choose_body(model: torch.nn.Module) -> Body:
    """The packed path where it is exact (a known decoder on a processor, no dropout), else the padded one."""
    return PackedBody(model) if fits(model) else PaddedBody(model)


def head_weight(model: torch.nn.Module) -> torch.Tensor:
    """The output layer's weight, shape (vocabulary, width).

    Raises InputError for a model whose logits are more than hidden states times this weight.
    """
    base = bare(model)
    head = base.get_output_embeddings()
    capped = "final_logit_softcapping" in base.config.to_dict() and base.config.final_logit_softcapping
    if head is None or head.bias is not None or capped:
        raise InputError(f"training.base: the output layer of {base.config.model_type!r} models has a bias or a cap, or there is none; "
                         "only a plain one can be trained against. Choose another base.")
    weight: torch.Tensor = head.weight
    return weight if weight.requires_grad else weight.detach()
