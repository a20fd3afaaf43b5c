"""What the packed path must know of a decoder, read from transformers' model: one description for Llama and Gemma 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tutelage.training.packed_parts import Stack, gelu_gate, silu_gate


@dataclass(frozen=True)
class Stacks:
    """The linear layers of one layer."""

    queries_keys_values: Stack
    output: Stack
    gate_up: Stack
    down: Stack


@dataclass(frozen=True)
class Layer:
    """One layer. Norms are weights to multiply with, None where a family has none there.

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


@dataclass(frozen=True)
class Shape:
    """A decoder: `heads` of queries and `groups` of keys, each `size` wide; scores are scaled by `attention_scale`."""

    heads: int
    groups: int
    size: int
    epsilon: float
    attention_scale: float
    embedding: torch.Tensor
    embedding_scale: float
    final_norm: torch.Tensor
    gate: Callable[[torch.Tensor], torch.Tensor]
    layers: tuple[Layer, ...]


def is_known(config: Any) -> bool:
    """Whether `read_shape` describes models of this configuration wholly."""
    kind = config.model_type
    return kind in KINDS and not config.attention_bias and KINDS[kind][0](config)


def read_shape(decoder: Any) -> Shape:
    """The shape of a decoder with LoRA on all its linear layers. Its weights become views of the stacks."""
    return KINDS[decoder.config.model_type][1](decoder)


def _llama_is_plain(config: Any) -> bool:
    return bool(config.hidden_act == "silu" and not config.mlp_bias and config.rope_parameters["rope_type"] == "default")


def _gemma3_is_plain(config: Any) -> bool:
    return bool(config.hidden_activation == "gelu_pytorch_tanh" and not config.attn_logit_softcapping
                and not config.use_bidirectional_attention and not config.attention_dropout
                and all(rotary["rope_type"] == "default" for rotary in config.rope_parameters.values()))


def _llama(decoder: Any) -> Shape:
    config = decoder.config
    theta = float(config.rope_parameters["rope_theta"])
    layers = tuple(
        Layer(stacks=_stacks(layer), before_attention=layer.input_layernorm.weight.detach(), queries=None, keys=None, after_attention=None,
              before_gate=layer.post_attention_layernorm.weight.detach(), after_down=None, theta=theta, window=None)
        for layer in decoder.layers)
    return Shape(heads=config.num_attention_heads, groups=config.num_key_value_heads, size=config.head_dim,
                 epsilon=float(config.rms_norm_eps), attention_scale=config.head_dim ** -0.5, gate=silu_gate, layers=layers,
                 embedding=decoder.embed_tokens.weight.detach(), embedding_scale=1.0, final_norm=decoder.norm.weight.detach())


def _gemma3(decoder: Any) -> Shape:
    config = decoder.config
    layers = tuple(
        Layer(stacks=_stacks(layer), before_attention=_about_one(layer.input_layernorm), queries=_about_one(layer.self_attn.q_norm),
              keys=_about_one(layer.self_attn.k_norm), after_attention=_about_one(layer.post_attention_layernorm),
              before_gate=_about_one(layer.pre_feedforward_layernorm), after_down=_about_one(layer.post_feedforward_layernorm),
              theta=float(config.rope_parameters[kind]["rope_theta"]),
              window=config.sliding_window if kind == "sliding_attention" else None)
        for layer, kind in zip(decoder.layers, config.layer_types, strict=True))
    return Shape(heads=config.num_attention_heads, groups=config.num_key_value_heads, size=config.head_dim,
                 epsilon=float(config.rms_norm_eps), attention_scale=config.query_pre_attn_scalar ** -0.5, gate=gelu_gate, layers=layers,
                 embedding=decoder.embed_tokens.weight.detach(), embedding_scale=float(decoder.embed_tokens.embed_scale),
                 final_norm=_about_one(decoder.norm))


def _about_one(module: Any) -> torch.Tensor:
    """The weight of one of Gemma's norms, which is kept less one."""
    weight: torch.Tensor = 1.0 + module.weight.detach()
    return weight


def _stacks(layer: Any) -> Stacks:
    attention, gated = layer.self_attn, layer.mlp
    return Stacks(queries_keys_values=Stack([attention.q_proj, attention.k_proj, attention.v_proj]), output=Stack([attention.o_proj]),
                  gate_up=Stack([gated.gate_proj, gated.up_proj]), down=Stack([gated.down_proj]))


KINDS: dict[str, tuple[Callable[[Any], bool], Callable[[Any], Shape]]] = {
    "llama": (_llama_is_plain, _llama), "gemma3_text": (_gemma3_is_plain, _gemma3)}
