"""Where in a model a method works: its layers and the linear layers in them, found from the model itself and known by family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from tutelage.core.errors import InputError
from tutelage.training.settings import TrainingSettings

ATTENTION = "attention"  # the name in `targets` that stands for what makes queries, keys and values, whatever a family calls it
NEW_HEADS = ("classifier", "score", "classification_head")  # output layers that no base has: they are always learned


@dataclass(frozen=True)
class Places:
    """Names in a family's layers: what makes queries, keys and values; and the linear layers that end attentions and feed-forward part."""

    attention: tuple[str, ...]
    attention_ends: tuple[str, ...]
    feed_forward_end: str


_SEPARATE = Places(("q_proj", "k_proj", "v_proj"), ("self_attn.o_proj",), "mlp.down_proj")
_ENCODER = Places(("query", "key", "value"), ("attention.output.dense",), "output.dense")
FAMILIES: dict[str, Places] = {
    **dict.fromkeys(("llama", "mistral", "qwen2", "qwen3", "gemma3_text"), _SEPARATE),
    **dict.fromkeys(("bert", "roberta"), _ENCODER),
    "gpt2": Places(("c_attn",), ("attn.c_proj",), "mlp.c_proj"),
    "gpt_neox": Places(("query_key_value",), ("attention.dense",), "mlp.dense_4h_to_h"),
    "biogpt": Places(("q_proj", "k_proj", "v_proj"), ("self_attn.out_proj",), "fc2"),
    "t5": Places(("q", "k", "v"), ("SelfAttention.o", "EncDecAttention.o"), "DenseReluDense.wo"),
}


def layer_names(model: PreTrainedModel, wanted: Literal["all"] | int | tuple[int, ...], *, setting: str) -> tuple[str, ...]:
    """Full names of the layers that are wanted: "all", the last so many, or those of the given numbers, the first being 0.

    A model of encoder and decoder is counted in each. Raises InputError, naming `setting`, for layers that the model lacks.
    """
    found: list[str] = []
    for name, count in _stacks(model):
        numbers: Sequence[int]
        if isinstance(wanted, str):
            numbers = range(count)
        elif isinstance(wanted, int):
            numbers = range(count - wanted, count)
        else:
            numbers = wanted
        lacking = [number for number in numbers if not 0 <= number < count]
        if lacking:
            asked = f"the last {wanted}" if isinstance(wanted, int) else f"number {', '.join(map(str, lacking))}"
            raise InputError(f"training.{setting}: {asked} of the layers is asked for; this model has {count}, numbered 0 to {count - 1}. "
                             "Choose among these.")
        found += [f"{name}.{number}" for number in numbers]
    return tuple(found)


def target_modules(model: PreTrainedModel, settings: TrainingSettings) -> list[str]:
    """Names of the linear layers that LoRA adds to, as PEFT takes them: last parts where these say it all, else full names. Sorted.

    Raises InputError for a model without linear layers, and for a name or a layer that it lacks, with those that it has.
    """
    every = _linear_layers(model, layer_names(model, "all", setting="layers"))
    if not every:
        raise InputError(f"training.base: the architecture {model.config.model_type!r} has no linear layer to tune. Choose another base.")
    names = _wanted_names(model, settings.targets, sorted({_last(name) for name in every}))
    if settings.layers == "all":
        chosen = [name for name in every if _last(name) in names]
    else:
        chosen = [name for name in _linear_layers(model, layer_names(model, settings.layers, setting="layers")) if _last(name) in names]
    if not chosen:
        raise InputError(f"training.layers: the chosen layers have none of {', '.join(names)}. Choose other layers or targets.")
    also_matched = [name for name, _ in model.named_modules() if _last(name) in names and name not in chosen]
    return sorted(chosen) if also_matched else names


def adapter_places(model: PreTrainedModel, *, after_attention: bool) -> tuple[str, ...]:
    """Full names of the linear layers that bottleneck adapters stand behind: ends of feed-forward parts, and of attention if asked for.

    Raises InputError for a family whose layers are not known.
    """
    kind = model.config.model_type
    if kind not in FAMILIES:
        raise InputError(f"training.method: where adapters stand in {kind!r} models is not known; it is for {', '.join(sorted(FAMILIES))}. "
                         "Use the method lora, or another base.")
    places = FAMILIES[kind]
    found = []
    for name in _linear_layers(model, layer_names(model, "all", setting="layers")):
        ends_attention = name.endswith(tuple(f".{end}" for end in places.attention_ends))
        if (ends_attention and after_attention) or (not ends_attention and name.endswith(f".{places.feed_forward_end}")):
            found.append(name)
    return tuple(found)


def new_heads(model: torch.nn.Module) -> tuple[str, ...]:
    """Names of output layers that were made for a task and begin at random."""
    return tuple(name for name, _ in model.named_children() if name in NEW_HEADS)


def _stacks(model: torch.nn.Module) -> list[tuple[str, int]]:
    """The outermost lists of layers, each by its full name and length."""
    lists = [(name, len(module)) for name, module in model.named_modules() if isinstance(module, torch.nn.ModuleList)]
    return [(name, count) for name, count in lists if not any(name.startswith(f"{other}.") for other, _ in lists)]


def _linear_layers(model: torch.nn.Module, layers: tuple[str, ...]) -> list[str]:
    """Full names of the linear layers inside these layers."""
    heads = tuple(f"{name}." for name in layers)
    return [name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D)) and name.startswith(heads)]


def _wanted_names(model: PreTrainedModel, targets: tuple[str, ...], known: list[str]) -> list[str]:
    if not targets:
        return known
    kind = model.config.model_type
    family = FAMILIES.get(kind)
    wanted = {name for target in targets for name in (family.attention if family and target == ATTENTION else (target,))}
    if strange := sorted(wanted - set(known)):
        hint = f" What makes queries, keys and values is {', '.join(family.attention)} there." if family else ""
        raise InputError(f"training.targets: {', '.join(map(repr, strange))} is no linear layer of this {kind!r} model; it has "
                         f"{', '.join(known)}.{hint} Name some of these, or leave targets out for all of them.")
    return sorted(wanted)


def _last(name: str) -> str:
    return name.rsplit(".", 1)[-1]
