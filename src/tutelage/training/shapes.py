"""What the packed path must know of a decoder, read from transformers' model: one description for all families that it knows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from tutelage.training.packed_parts import Before, GeluGate, Norm, SiluGate, Stack

SILU = SiluGate()


@dataclass(frozen=True)
class Stacks:
    """The linear layers of one layer."""

    queries_keys_values: Stack
    output: Stack
    gate_up: Stack
    down: Stack


@dataclass(frozen=True)
class Layer:
    """One layer. Norms are the model's own weights, None where a family has none there.

    `theta` is the base of its rotary positions; `window` how many tokens up to itself a position sees, None for all.
    """

    stacks: Stacks
    before_attention: torch.Tensor
    queries: torch.Tensor | None
    keys: torch.Tensor | None
    after_attention: torch.Tensor | None
    before_gate: torch.Tensor
    after_down: torch.Tensor | None
    theta: float
    window: int | None

    @property
    def learned(self) -> list[torch.Tensor]:
        """What of it gets a gradient."""
        stacks = (self.stacks.queries_keys_values, self.stacks.output, self.stacks.gate_up, self.stacks.down)
        norms = (self.before_attention, self.queries, self.keys, self.after_attention, self.before_gate, self.after_down)
        return [tensor for stack in stacks for tensor in stack.learned] + [
            norm for norm in norms if norm is not None and norm.requires_grad]


@dataclass(frozen=True)
class Shape:
    """A decoder: `heads` of queries and `groups` of keys, each `size` wide; scores are scaled by `attention_scale`."""

    heads: int
    groups: int
    size: int
    norm: Norm
    attention_scale: float
    embedding: torch.Tensor
    embedding_scale: float
    final_norm: torch.Tensor
    gate: Before
    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class _Kind:
    """A family: where its norms stand in a layer, and what of it differs by configuration.

    `is_plain`: the configuration asks for nothing that the packed path does not compute. `thetas` and `windows` have one value a
    layer.
    """

    is_plain: Callable[[Any], bool]
    thetas: Callable[[Any], list[float]]
    windows: Callable[[Any], list[int | None]]
    before_gate: str = "post_attention_layernorm"
    after_attention: str = ""
    after_down: str = ""
    has_head_norms: bool = False
    gate: Before = SILU
    norm_offset: float = 0.0


def is_known(config: Any) -> bool:
    """Whether `read_shape` describes models of this configuration wholly."""
    return config.model_type in KINDS and not config.attention_dropout and KINDS[config.model_type].is_plain(config)


def linear_layers(decoder: Any) -> Iterator[list[Any]]:
    """The linear layers of a decoder of a known family, by the stacks that they form."""
    for layer in decoder.layers:
        attention, gated = layer.self_attn, layer.mlp
        yield [attention.q_proj, attention.k_proj, attention.v_proj]
        yield [attention.o_proj]
        yield [gated.gate_proj, gated.up_proj]
        yield [gated.down_proj]


def read_shape(decoder: Any) -> Shape:
    """The shape of a decoder of a known family. Its weights become views of the stacks."""
    config, kind = decoder.config, KINDS[decoder.config.model_type]
    stacks = iter([Stack(layers) for layers in linear_layers(decoder)])
    layers = tuple(
        Layer(stacks=Stacks(*(next(stacks) for _ in range(4))), before_attention=layer.input_layernorm.weight,
              queries=layer.self_attn.q_norm.weight if kind.has_head_norms else None,
              keys=layer.self_attn.k_norm.weight if kind.has_head_norms else None,
              after_attention=_weight(layer, kind.after_attention), before_gate=layer.get_submodule(kind.before_gate).weight,
              after_down=_weight(layer, kind.after_down), theta=theta, window=window)
        for layer, theta, window in zip(decoder.layers, kind.thetas(config), kind.windows(config), strict=True))
    is_gemma = config.model_type == "gemma3_text"
    attention = decoder.layers[0].self_attn
    return Shape(heads=config.num_attention_heads, groups=config.num_key_value_heads, size=attention.head_dim, gate=kind.gate,
                 norm=Norm(float(config.rms_norm_eps), kind.norm_offset), attention_scale=float(attention.scaling), layers=layers,
                 embedding=decoder.embed_tokens.weight, embedding_scale=float(decoder.embed_tokens.embed_scale) if is_gemma else 1.0,
                 final_norm=decoder.norm.weight)


def _weight(layer: Any, name: str) -> torch.Tensor | None:
    return layer.get_submodule(name).weight if name else None


def _has_plain_rotary(config: Any) -> bool:
    return bool(config.hidden_act == "silu" and config.rope_parameters["rope_type"] == "default")


def _gemma3_is_plain(config: Any) -> bool:
    return bool(config.hidden_activation == "gelu_pytorch_tanh" and not config.attn_logit_softcapping
                and not config.use_bidirectional_attention
                and all(rotary["rope_type"] == "default" for rotary in config.rope_parameters.values()))


def _one_theta(config: Any) -> list[float]:
    return [float(config.rope_parameters["rope_theta"])] * config.num_hidden_layers


def _theta_by_type(config: Any) -> list[float]:
    return [float(config.rope_parameters[kind]["rope_theta"]) for kind in config.layer_types]


def _no_windows(config: Any) -> list[int | None]:
    return [None] * config.num_hidden_layers


def _one_window(config: Any) -> list[int | None]:
    return [config.sliding_window] * config.num_hidden_layers


def _windows_by_type(config: Any) -> list[int | None]:
    return [config.sliding_window if kind == "sliding_attention" else None for kind in config.layer_types]


KINDS = {
    "llama": _Kind(_has_plain_rotary, _one_theta, _no_windows),
    "mistral": _Kind(_has_plain_rotary, _one_theta, _one_window),
    "qwen2": _Kind(_has_plain_rotary, _one_theta, _windows_by_type),
    "qwen3": _Kind(_has_plain_rotary, _one_theta, _windows_by_type, has_head_norms=True),
    "gemma3_text": _Kind(_gemma3_is_plain, _theta_by_type, _windows_by_type, before_gate="pre_feedforward_layernorm",
                         after_attention="post_attention_layernorm", after_down="post_feedforward_layernorm", has_head_norms=True,
                         gate=GeluGate(), norm_offset=1.0)}
