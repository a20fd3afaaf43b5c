"""Log-probabilities by a faster, exact forward for known decoders: rows without padding, their common beginning computed once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F

from tutelage.core.records import TokenScore
from tutelage.engine.beginning import LEAST_SHARED, shared_beginning
from tutelage.engine.decoders import Decoder, DecoderLayer, attend, hidden_from, is_known, linear_layers, read_decoder, stack

PACK_TOKENS = 1024  # tokens of a batch
WORDS = 2048  # of the vocabulary at once: logits stay in the processor's cache
LONGEST_SHARING = 2048  # what stands after a kept beginning needs a mask of its length squared; a longer row is computed whole
Known = list[tuple[torch.Tensor, torch.Tensor]]
# oneDNN's product: 100 to 106 GFLOP/s with one thread where torch.mm has 88 to 98 (Zen 4, 512 and 1,024 rows of SmolLM2's layers). It has
# no public name, so it is looked up; where it is missing, F.linear does the same.
HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
ONEDNN: Any = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if HAS_ONEDNN else None


def product(source: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None) -> torch.Tensor:
    """source @ weight.T + bias. Shapes (rows, width), (outputs, width), (outputs,) -> (rows, outputs). Without gradients."""
    if ONEDNN is None or source.dtype != torch.float32:
        return F.linear(source, weight, bias)
    result: torch.Tensor = ONEDNN(source, weight, bias, "none", [], "")
    return result


def is_exact(model: Any) -> bool:
    """Whether the packed forward computes this model: a known decoder on a processor, in plain linear layers, and all that it holds is
    known: the embedding, linear layers, norms and the output layer.
    """
    config, head = model.config, model.get_output_embeddings()
    if not is_known(config) or model.device.type != "cpu" or type(head) is not torch.nn.Linear:
        return False
    decoder = model.get_decoder()
    groups = list(linear_layers(decoder))
    if any(type(layer) is not torch.nn.Linear for group in groups for layer in group) or any(
            len({layer.bias is None for layer in group}) > 1 for group in groups):
        return False
    known = [decoder.embed_tokens, head, *(layer for group in groups for layer in group),
             *(module for module in decoder.modules() if type(module).__name__.endswith("RMSNorm"))]
    weights = {id(weight) for module in known for weight in module.parameters()}
    return all(id(weight) in weights for weight in model.parameters())


@dataclass(frozen=True)
class _Linear:
    """Linear layers with the same input, as one."""

    weight: torch.Tensor
    bias: torch.Tensor | None

    def __call__(self, source: torch.Tensor) -> torch.Tensor:
        """The outputs side by side."""
        return product(source, self.weight, self.bias)


@dataclass(frozen=True)
class _Layer:
    """A layer ready to be computed."""

    of: DecoderLayer
    queries_keys_values: _Linear
    output: _Linear
    gate_up: _Linear
    down: _Linear


@dataclass(frozen=True)
class _Pack:
    """Rows that are computed at once: their tokens one after the other, each row's `lengths`, and `keep`, where what is scored is foretold.

    `before` tokens stand before each row and are known already.
    """

    ids: torch.Tensor
    lengths: tuple[int, ...]
    before: int
    keep: torch.Tensor


@dataclass
class _Room:
    """Memory for numbers of a layer that the next one no longer needs: fresh memory costs as much as what is written into it."""

    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    def take(self, name: str, rows: int, width: int, like: torch.Tensor) -> torch.Tensor:
        """Room for (rows, width) numbers; what was in it is lost."""
        there = self.tensors.get(name)
        if there is None or len(there) < rows * width:
            there = self.tensors[name] = like.new_empty(rows * width)
        return there[:rows * width].view(rows, width)


class PackedScorer:
    """Scores rows by the weights of a model, which become views of stacked ones; a later change of them is seen."""

    def __init__(self, model: Any) -> None:
        self._of: Decoder = read_decoder(model.get_decoder())
        self._layers = [_Layer(layer, *(_stacked(group) for group in layer.linear)) for layer in self._of.layers]
        self._head = _stacked([model.get_output_embeddings()])
        self._room = _Room()
        self._scoring = threading.Lock()  # of the room, which is one for all
        self._beginning: tuple[int, ...] = ()
        self._known: Known = []

    @torch.inference_mode()
    def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        """Scores of each row's tokens from its start (>= 1) on. Safe with threads, one after the other."""
        with self._scoring:
            return self._score(rows, starts)

    def _score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
        found: list[list[TokenScore]] = [[] for _ in rows]
        asked = [number for number, row in enumerate(rows) if starts[number] < len(row)]
        shared = self._begin([rows[number] for number in asked], [starts[number] for number in asked])
        for batch in _batches(asked, [len(rows[number]) - 1 - shared for number in asked]):
            pack = _pack([rows[number] for number in batch], [starts[number] for number in batch], shared)
            targets = torch.tensor([token for number in batch for token in rows[number][starts[number]:]])
            logprobs, highest = (iter(told.tolist()) for told in self._logprobs(self._hidden(pack), targets))
            for number in batch:
                found[number] = [TokenScore(token_id=token, logprob=next(logprobs), highest=next(highest))
                                 for token in rows[number][starts[number]:]]
        return found

    def _begin(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> int:
        """How many tokens the rows share whose keys and values are known now; those of the last call are used again if they do."""
        if not rows or max(map(len, rows)) > LONGEST_SHARING:
            return 0
        shared = shared_beginning(rows, starts)
        length = len(self._beginning)
        if not (length <= shared < length + LEAST_SHARED and tuple(rows[0][:length]) == self._beginning):
            self._beginning = tuple(rows[0][:shared])
            self._known = self._keys_values(self._beginning) if shared else []
        return len(self._beginning)

    def _keys_values(self, beginning: Sequence[int]) -> Known:
        known: Known = []
        self._through(_Pack(torch.tensor(beginning), (len(beginning),), 0, torch.tensor([len(beginning) - 1])), [], known)
        return known

    def _hidden(self, pack: _Pack) -> torch.Tensor:
        """Hidden states at `pack.keep`. Shape (kept, width)."""
        return self._norm(self._through(pack, self._known if pack.before else [], None), self._of.final_norm)

    def _through(self, pack: _Pack, known: Known, told: Known | None) -> torch.Tensor:
        """States after the last layer at `pack.keep`. `known` are keys and values of what stands before; `told` gets those of the pack."""
        of = self._of
        states = F.embedding(pack.ids, of.embedding)
        if of.embedding_scale != 1:
            states.mul_(of.embedding_scale)
        rotations, masks = self._rotations(pack), self._masks(pack)
        for number, layer in enumerate(self._layers):
            turned, values = self._turned(layer, states, rotations[layer.of.theta])
            if told is not None:
                told.append((turned[:, of.heads:].clone(), values.clone()))
            attended = self._attended(turned, values, pack.lengths, known[number] if known else None, masks[layer.of.window])
            if number == len(self._layers) - 1:  # behind the last attention positions no longer see each other
                attended, states = attended[pack.keep], states[pack.keep]
            states = self._added(states, layer.output, attended, layer.of.after_attention)
            states = self._added(states, layer.down, self._gated(layer, states), layer.of.after_down)
        return states

    def _turned(self, layer: _Layer, states: torch.Tensor, rotation: tuple[torch.Tensor, torch.Tensor]
                ) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries and keys, turned by their places, shape (tokens, heads + groups, size); and values, shape (tokens, groups, size)."""
        of, tokens = self._of, len(states)
        stacked = layer.queries_keys_values(self._norm(states, layer.of.before_attention)).view(tokens, -1, of.size)
        plain, values = stacked[:, :of.heads + of.groups], stacked[:, of.heads + of.groups:]
        for part, weight in ((plain[:, :of.heads], layer.of.queries), (plain[:, of.heads:], layer.of.keys)):
            if weight is not None:
                part.mul_(self._inverse(part)).mul_(weight + of.norm_offset)
        turned = self._room.take("turned", tokens, (of.heads + of.groups) * of.size, states).view(tokens, -1, of.size)
        (cos, sin), half = rotation, of.size // 2
        left, right = plain[..., :half], plain[..., half:]
        torch.mul(left, cos, out=turned[..., :half]).addcmul_(right, sin, value=-1)
        torch.mul(right, cos, out=turned[..., half:]).addcmul_(left, sin)
        return turned, values

    def _attended(self, turned: torch.Tensor, values: torch.Tensor, lengths: Sequence[int],
                  known: tuple[torch.Tensor, torch.Tensor] | None, mask: torch.Tensor | None) -> torch.Tensor:
        """Causal attention of each row on what stands before it and on itself. Shape (tokens, heads * size)."""
        heads, before = self._of.heads, len(known[0]) if known else 0
        attended = self._room.take("attended", len(turned), heads * self._of.size, turned)
        pieces = (torch.split(part, list(lengths)) for part in (attended, turned, values))
        for place, row, value in zip(*pieces, strict=True):
            key = row[:, heads:]
            if known:
                key, value = torch.cat((known[0], key)), torch.cat((known[1], value))
            seen = None if mask is None else mask[:len(row), :before + len(row)]
            place.copy_(attend(self._of, row[:, :heads], key, value, seen))
        return attended

    def _gated(self, layer: _Layer, states: torch.Tensor) -> torch.Tensor:
        gate, up = layer.gate_up(self._norm(states, layer.of.before_gate)).chunk(2, -1)
        if self._of.gate == "silu":
            F.silu(gate, inplace=True)
        else:
            gate.copy_(F.gelu(gate, approximate="tanh"))
        return gate.mul_(up)

    def _added(self, states: torch.Tensor, linear: _Linear, source: torch.Tensor, norm: torch.Tensor | None) -> torch.Tensor:
        """The states with what the layer makes of the source added, normed before where the family does so."""
        made = linear(source)
        return states.add_(made if norm is None else made.mul_(self._inverse(made)).mul_(norm + self._of.norm_offset))

    def _norm(self, states: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        normed = self._room.take("normed", len(states), states.shape[1], states)
        return torch.mul(states, self._inverse(states), out=normed).mul_(weight + self._of.norm_offset)

    def _inverse(self, states: torch.Tensor) -> torch.Tensor:
        """1 over the root of the mean square of each last dimension."""
        length: torch.Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
        return length.square_().div_(states.shape[-1]).add_(self._of.epsilon).rsqrt_()

    def _rotations(self, pack: _Pack) -> dict[float, tuple[torch.Tensor, torch.Tensor]]:
        """Cosines and sines of each token's place, by the base of the rotation: in 32 bits whatever the weights are, as transformers has
        them. Shape (tokens, 1, size / 2) each.
        """
        size, dtype = self._of.size, self._of.embedding.dtype
        places = torch.tensor([pack.before + place for length in pack.lengths for place in range(length)], dtype=torch.float32)
        found = {}
        for theta in {layer.theta for layer in self._of.layers}:
            angles = places[:, None, None] * (1.0 / theta ** (torch.arange(0, size, 2, dtype=torch.float32) / size))
            found[theta] = (angles.cos().to(dtype), angles.sin().to(dtype))
        return found

    def _masks(self, pack: _Pack) -> dict[int | None, torch.Tensor | None]:
        """By the window of a layer what the longest row may not look at; a shorter one needs the upper left part."""
        return {window: hidden_from(max(pack.lengths), pack.before, window, self._of.embedding.dtype)
                for window in {layer.window for layer in self._of.layers}}

    def _logprobs(self, hidden: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The log-probability of each target given its hidden state, and the highest in its place. Shape (n,) each, float64.

        Source: the online softmax of Milakov and Gimelshein 2018, arXiv:1805.02867.
        """
        weight, bias = self._head.weight, self._head.bias
        highest = hidden.new_full((len(hidden), 1), -torch.inf)
        mass = hidden.new_zeros((len(hidden), 1), dtype=torch.float64)
        for start in range(0, len(weight), WORDS):
            part = _Linear(weight[start:start + WORDS], None if bias is None else bias[start:start + WORDS])
            logits = part(hidden)
            top = torch.maximum(highest, logits.amax(1, keepdim=True))
            mass.mul_((highest - top).exp_()).add_(logits.sub_(top).exp_().sum(1, keepdim=True))
            highest = top
        wanted = (hidden.double() * weight[targets].double()).sum(1)
        if bias is not None:
            wanted += bias[targets]
        total = mass.log()
        return wanted - (highest.double() + total)[:, 0], -total[:, 0]


def _stacked(layers: Sequence[Any]) -> _Linear:
    return _Linear(stack([layer.weight for layer in layers]), None if layers[0].bias is None else stack([layer.bias for layer in layers]))


def _batches(numbers: Sequence[int], lengths: Sequence[int]) -> list[list[int]]:
    """Rows by length, the longest first, in batches of at most `PACK_TOKENS` tokens; a longer row stands alone."""
    batches: list[list[int]] = []
    tokens = 0
    for length, number in sorted(zip(lengths, numbers, strict=True), key=lambda one: (-one[0], one[1])):
        if not batches or tokens + length > PACK_TOKENS:
            batches.append([])
            tokens = 0
        batches[-1].append(number)
        tokens += length
    return batches


def _pack(rows: Sequence[Sequence[int]], starts: Sequence[int], shared: int) -> _Pack:
    """The rows' inputs after what they share; the last token of a row foretells nothing that is asked."""
    inputs = [row[shared:-1] for row in rows]
    keep: list[int] = []
    offset = 0
    for row, start in zip(inputs, starts, strict=True):
        keep += range(offset + start - 1 - shared, offset + len(row))
        offset += len(row)
    return _Pack(torch.tensor([token for row in inputs for token in row]), tuple(map(len, inputs)), shared, torch.tensor(keep))
