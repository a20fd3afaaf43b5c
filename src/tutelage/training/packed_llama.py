"""A faster, exact forward for Llama-shaped models with LoRA: no padding, additions merged once a step, shared beginnings once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from peft import PeftModel
from peft.tuners.lora import Linear as LoraLinear

from tutelage.training.batches import MicroBatch

ADAPTER = "default"  # PEFT's name of the only adapter


class _MergedLinear(torch.autograd.Function):
    """y = x (W + s B A)^T by the merged weight; gradients for x, and for A and B of each of the stacked layers."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, merged: torch.Tensor, scale: float, *factors: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(x, merged, *factors)
        ctx.scale = scale
        return torch.mm(x, merged.T)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        x, merged, *factors = ctx.saved_tensors
        downs, ups = factors[0::2], factors[1::2]
        dx = torch.mm(dy, merged) if ctx.needs_input_grad[0] else None
        xa = torch.mm(x, torch.cat(downs).T).mul_(ctx.scale)
        gradients: list[torch.Tensor | None] = []
        row = column = 0
        dxa = torch.empty_like(xa)
        for up in ups:
            part = dy[:, row : row + up.shape[0]]
            torch.mm(part, up, out=dxa[:, column : column + up.shape[1]])
            gradients += [None, torch.mm(part.T, xa[:, column : column + up.shape[1]])]
            row, column = row + up.shape[0], column + up.shape[1]
        dxa.mul_(ctx.scale)
        gradients[0::2] = torch.split(torch.mm(dxa.T, x), [down.shape[0] for down in downs])
        return (dx, None, None, *gradients)


class _Gated(torch.autograd.Function):
    """silu(gate) * up for the stacked [gate, up]; keeps its input alone."""

    @staticmethod
    def forward(ctx: Any, stacked: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(stacked)
        gate, up = stacked.chunk(2, -1)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> torch.Tensor:
        stacked: torch.Tensor = ctx.saved_tensors[0]
        gate, up = stacked.chunk(2, -1)
        sigmoid = torch.sigmoid(gate)
        gradient: torch.Tensor = torch.empty_like(stacked)
        dgate, dup = torch.chunk(gradient, 2, -1)
        torch.mul(gate, sigmoid, out=dup)
        torch.mul(dup, sigmoid, out=dgate)
        torch.sub(dup, dgate, out=dgate)  # silu' = sigmoid + silu (1 - sigmoid)
        dgate.add_(sigmoid).mul_(up).mul_(dy)
        dup.mul_(dy)
        return gradient


class _Norm(torch.autograd.Function):
    """Root-mean-square norm with a frozen weight."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
        inverse = torch.linalg.vector_norm(x, dim=-1, keepdim=True).square_().div_(x.shape[-1]).add_(epsilon).rsqrt_()
        ctx.save_for_backward(x, weight, inverse)
        scaled: torch.Tensor = x * inverse
        return scaled.mul_(weight)

    @staticmethod
    def backward(ctx: Any, dy: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        x, weight, inverse = ctx.saved_tensors
        dn = dy * weight
        along = (dn * x).mean(-1, keepdim=True).mul_(inverse.square()).neg_()
        return dn.addcmul_(x, along).mul_(inverse), None, None


class _Stack:
    """Linear layers with the same input, as one: their frozen weights stacked, and the merged weight of this step."""

    def __init__(self, layers: list[LoraLinear]) -> None:
        self._scale = float(layers[0].scaling[ADAPTER])
        self._factors: list[torch.Tensor] = []
        frozen: list[torch.nn.Parameter] = []
        for layer in layers:
            inner: Any = layer
            self._factors += [inner.lora_A[ADAPTER].weight, inner.lora_B[ADAPTER].weight]
            frozen.append(inner.base_layer.weight)
        self._frozen = torch.cat([weight.detach() for weight in frozen])
        self._merged = self._frozen.clone()
        row = 0
        for weight in frozen:  # the model's own weights become views of the stack: nothing is held twice
            size = weight.shape[0]
            weight.data = self._frozen[row : row + size]
            row += size

    @torch.no_grad()
    def refresh(self) -> None:
        row = 0
        for down, up in zip(self._factors[0::2], self._factors[1::2], strict=True):
            size = up.shape[0]
            torch.addmm(self._frozen[row : row + size], up, down, alpha=self._scale, out=self._merged[row : row + size])
            row += size

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = _MergedLinear.apply(x, self._merged, self._scale, *self._factors)  # type: ignore[no-untyped-call]
        return result


@dataclass(frozen=True)
class _Layer:
    before_attention: torch.Tensor
    queries_keys_values: _Stack
    output: _Stack
    before_gate: torch.Tensor
    gate_up: _Stack
    down: _Stack


@dataclass(frozen=True)
class _Plan:
    """What all layers share for one micro-batch: rotations, where rows lie, and what each may look at."""

    cos: torch.Tensor
    sin: torch.Tensor
    shared: int
    lengths: tuple[int, ...]
    masks: dict[int, torch.Tensor]


def fits(model: PeftModel) -> bool:
    """Whether the packed path computes this model exactly: plain Llama on a processor, LoRA on all linear layers, no dropout."""
    base: Any = model.get_base_model()
    lora: Any = model.peft_config[ADAPTER]
    config = base.config
    plain = (config.model_type == "llama" and config.hidden_act == "silu" and not config.attention_bias and not config.mlp_bias
             and config.rope_parameters["rope_type"] == "default")
    names = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    return bool(plain and model.device.type == "cpu" and set(lora.target_modules) == names and lora.lora_dropout == 0
                and not lora.use_dora and not lora.use_rslora)


class PackedLlama:
    """A Llama-shaped decoder on packed rows. It reads and trains the weights of the PEFT model that it is made from."""

    name = "packed"

    def __init__(self, model: PeftModel) -> None:
        base: Any = model.get_base_model()
        decoder = base.get_decoder()
        config = decoder.config
        self._heads, self._groups, self._size = config.num_attention_heads, config.num_key_value_heads, config.head_dim
        self._epsilon = float(config.rms_norm_eps)
        self._embedding = decoder.embed_tokens.weight.detach()
        self._final_norm = decoder.norm.weight.detach()
        even = torch.arange(0, self._size, 2, dtype=torch.float64)
        self._frequencies = 1.0 / config.rope_parameters["rope_theta"] ** (even / self._size)
        self._layers = [
            _Layer(before_attention=layer.input_layernorm.weight.detach(),
                   queries_keys_values=_Stack([layer.self_attn.q_proj, layer.self_attn.k_proj, layer.self_attn.v_proj]),
                   output=_Stack([layer.self_attn.o_proj]), before_gate=layer.post_attention_layernorm.weight.detach(),
                   gate_up=_Stack([layer.mlp.gate_proj, layer.mlp.up_proj]), down=_Stack([layer.mlp.down_proj]))
            for layer in decoder.layers]

    def refresh(self) -> None:
        """Merge the changed adapter into the weights that the forward uses."""
        for layer in self._layers:
            for stack in (layer.queries_keys_values, layer.output, layer.gate_up, layer.down):
                stack.refresh()

    def hidden(self, batch: MicroBatch) -> torch.Tensor:
        """Hidden states at the positions that predict `batch.targets`, in that order. Shape (learned, width)."""
        plan, keep = self._plan(batch), batch.packed_positions
        states = self._embedding[batch.packed_ids]
        for number, layer in enumerate(self._layers):
            attended = self._attention(layer.queries_keys_values(self._norm(states, layer.before_attention)), plan)
            if number == len(self._layers) - 1:  # from here on positions no longer see each other
                attended, states = attended[keep], states[keep]
            states = states + layer.output(attended)
            gated: torch.Tensor = _Gated.apply(layer.gate_up(self._norm(states, layer.before_gate)))  # type: ignore[no-untyped-call]
            states = states + layer.down(gated)
        return self._norm(states, self._final_norm)

    def _norm(self, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = _Norm.apply(states, weight, self._epsilon)  # type: ignore[no-untyped-call]
        return result

    def _plan(self, batch: MicroBatch) -> _Plan:
        angles = batch.packed_places[:, None] * self._frequencies
        angles = torch.cat((angles, angles), -1)[:, None]
        dtype, shared = self._embedding.dtype, batch.shared
        masks = {length: torch.full((length, shared + length), -torch.inf, dtype=dtype).triu_(shared + 1)
                 for length in set(batch.lengths)} if shared else {}
        return _Plan(angles.cos().to(dtype), angles.sin().to(dtype), shared, batch.lengths, masks)

    def _attention(self, stacked: torch.Tensor, plan: _Plan) -> torch.Tensor:
        """Causal attention of each row on itself and on the shared beginning. Shape (packed, heads * size)."""
        tokens, size = len(stacked), self._size
        turned, values = torch.split(stacked, [(self._heads + self._groups) * size, self._groups * size], 1)
        both = self._rotate(turned.view(tokens, -1, size), plan)
        queries, keys = torch.split(both, [self._heads, self._groups], 1)
        values = values.view(tokens, -1, size)
        sizes = ([plan.shared] if plan.shared else []) + list(plan.lengths)
        first_key = first_value = None
        outputs = []
        pieces = (torch.split(part, sizes) for part in (queries, keys, values))
        for number, (query, key, value) in enumerate(zip(*pieces, strict=True)):
            if plan.shared and number == 0:
                first_key, first_value = key, value
            elif first_key is not None and first_value is not None:
                key, value = torch.cat((first_key, key)), torch.cat((first_value, value))
            mask = plan.masks[len(query)] if len(key) > len(query) else None
            outputs.append(self._attend(query, key, value, mask))
        return torch.cat(outputs)

    def _attend(self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        spread = self._heads // self._groups
        keys, values = (part.transpose(0, 1).repeat_interleave(spread, 0)[None] for part in (key, value))
        result = F.scaled_dot_product_attention(query.transpose(0, 1)[None], keys, values, attn_mask=mask, is_causal=mask is None)
        return result[0].transpose(0, 1).flatten(1)

    @staticmethod
    def _rotate(x: torch.Tensor, plan: _Plan) -> torch.Tensor:
        left, right = x.chunk(2, -1)
        return x * plan.cos + torch.cat((-right, left), -1) * plan.sin
