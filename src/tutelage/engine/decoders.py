"""What a faster forward must know of a decoder, read from transformers' model: one description for all families that are known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch

Gate = Literal["silu", "gelu"]  # gelu by its tanh formula


@dataclass(frozen=True)
class DecoderLayer:
    """One layer. `linear` are its linear layers by their input: queries, keys and values; output; gate and up; down.

    Norms are the model's own weights, None where a family has none there. `theta` is the base of its rotary positions; `window` how many
    tokens up to itself a position sees, None for all.
    """

    linear: tuple[list[Any], list[Any], list[Any], list[Any]]
    before_attention: torch.Tensor
    queries: torch.Tensor | None
    keys: torch.Tensor | None
    after_attention: torch.Tensor | None
    before_gate: torch.Tensor
    after_down: torch.Tensor | None
    theta: float
    window: int | None


@dataclass(frozen=True)
class Decoder:
    """A decoder: `heads` of queries and `groups` of keys, each `size` wide; scores are scaled by `attention_scale`.

    Norms are root-mean-square norms with this epsilon, times their weight + `norm_offset`.
    """

    heads: int
    groups: int
    size: int
    epsilon: float
    norm_offset: float
    attention_scale: float
    embedding: torch.Tensor
    embedding_scale: float
    final_norm: torch.Tensor
    gate: Gate
    layers: tuple[DecoderLayer, ...]


@dataclass(frozen=True)
class _Kind:
    """A family: where its norms stand in a layer, and what of it differs by configuration.

    `is_plain`: the configuration asks for nothing that the description leaves out. `thetas` and `windows` have one value a layer.
    """

    is_plain: Callable[[Any], bool]
    thetas: Callable[[Any], list[float]]
    windows: Callable[[Any], list[int | None]]
    before_gate: str = "post_attention_layernorm"
    after_attention: str = ""
    after_down: str = ""
    has_head_norms: bool = False
    gate: Gate = "silu"
    norm_offset: float = 0.0


def is_known(config: Any) -> bool:
    """Whether `read_decoder` describes models of this configuration wholly."""
    return config.model_type in KINDS and not config.attention_dropout and KINDS[config.model_type].is_plain(config)


def linear_layers(decoder: Any) -> Iterator[list[Any]]:
    """The linear layers of a decoder of a known family, those with the same input together."""
    for layer in decoder.layers:
        yield from _linear(layer)


def read_decoder(decoder: Any) -> Decoder:
    """The description of a decoder of a known family."""
    config, kind = decoder.config, KINDS[decoder.config.model_type]
    layers = tuple(
        DecoderLayer(linear=_linear(layer), before_attention=layer.input_layernorm.weight,
                     queries=layer.self_attn.q_norm.weight if kind.has_head_norms else None,
                     keys=layer.self_attn.k_norm.weight if kind.has_head_norms else None,
                     after_attention=_weight(layer, kind.after_attention), before_gate=layer.get_submodule(kind.before_gate).weight,
                     after_down=_weight(layer, kind.after_down), theta=theta, window=window)
        for layer, theta, window in zip(decoder.layers, kind.thetas(config), kind.windows(config), strict=True))
    attention = decoder.layers[0].self_attn
    return Decoder(heads=config.num_attention_heads, groups=config.num_key_value_heads, size=attention.head_dim, gate=kind.gate,
                   epsilon=float(config.rms_norm_eps), norm_offset=kind.norm_offset, attention_scale=float(attention.scaling),
                   layers=layers, embedding=decoder.embed_tokens.weight, final_norm=decoder.norm.weight,
                   embedding_scale=float(decoder.embed_tokens.embed_scale) if config.model_type == "gemma3_text" else 1.0)


def stack(tensors: Sequence[torch.nn.Parameter]) -> torch.Tensor:
    """The tensors as one; the model's own become views of it, so that nothing is held twice and a change of one is seen in the other."""
    if len(tensors) == 1:
        return tensors[0].detach()
    stacked = torch.cat([tensor.detach() for tensor in tensors])
    row = 0
    for tensor in tensors:
        tensor.data = stacked[row : row + len(tensor)]
        row += len(tensor)
    return stacked


def hidden_from(length: int, before: int, window: int | None, dtype: torch.dtype) -> torch.Tensor | None:
    """What `length` positions after `before` others may not look at (-inf): what comes later, and what left the window.

    None where plain causality says it all. Shape (length, before + length); a shorter row with as many before it needs its upper left part.
    """
    if before == 0 and (window is None or length <= window):
        return None
    mask = torch.full((length, before + length), -torch.inf, dtype=dtype).triu_(before + 1)
    if window is not None and before + length > window:
        mask += torch.full_like(mask, -torch.inf).tril_(before - window)
    return mask


def attend(decoder: Decoder, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Attention of one row: causal, or as the mask says. Shapes: query (positions, heads, size), key and value (all positions up to the
    last, groups, size), mask (positions, all positions) -> (positions, heads * size).
    """
    spread = decoder.heads // decoder.groups  # queries that look at the same keys
    queries = query.reshape(len(query), decoder.groups, spread, decoder.size).permute(1, 2, 0, 3)
    keys, values = (part.transpose(0, 1)[:, None].expand(-1, spread, -1, -1) for part in (key, value))
    result = torch.nn.functional.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, is_causal=mask is None,
                                                              scale=decoder.attention_scale)
    return result.permute(2, 0, 1, 3).flatten(1)


def _linear(layer: Any) -> tuple[list[Any], list[Any], list[Any], list[Any]]:
    attention, gated = layer.self_attn, layer.mlp
    return ([attention.q_proj, attention.k_proj, attention.v_proj], [attention.o_proj], [gated.gate_proj, gated.up_proj],
            [gated.down_proj])


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
                         gate="gelu", norm_offset=1.0)}
