"""Decoding of a batch of prompts in PyTorch, step by step, with a key-value cache and rows that leave when they are finished."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

from tutelage.core.records import Sampling

GROWTH = 64  # tokens that keys and values have room for before they move
SHARE_TO_LEAVE = 0.25  # finished rows are taken out of the batch once they are this share of it


def decode_steps(model: PreTrainedModel, prompts: Sequence[Sequence[int]], sampling: Sampling,
                 finished: set[int], *, window: int) -> Iterator[dict[int, int]]:
    """The next token of each row that is not finished, step after step.

    The reader adds rows to `finished`; iteration ends when all are. Prompts are padded on the left. Penalties look
    at the last `window` tokens.
    """
    batch = _Batch(prompts, sampling, window)
    cache = roomy_cache(model)
    step = batch.first_input()
    while True:
        with torch.inference_mode():
            logits = model(input_ids=step, attention_mask=batch.mask, position_ids=batch.positions(step.shape[1]), past_key_values=cache,
                           use_cache=True, logits_to_keep=1).logits[:, -1].float()
        tokens = batch.choose(logits)
        yield {row: token for row, token in zip(batch.rows, tokens, strict=True) if row not in finished}
        keep = [place for place, row in enumerate(batch.rows) if row not in finished]
        if not keep:
            return
        if len(batch.rows) - len(keep) >= SHARE_TO_LEAVE * len(batch.rows):
            cache.batch_select_indices(torch.tensor(keep))
            tokens = [tokens[place] for place in keep]
            batch.keep(keep)
        step = batch.next_input(tokens)


def roomy_cache(model: PreTrainedModel) -> DynamicCache:
    """A cache of keys and values whose layers of full attention have room to grow."""
    cache = DynamicCache(config=model.config)
    cache.layers = [_RoomyLayer() if type(layer) is DynamicLayer else layer for layer in cache.layers]
    return cache


class _RoomyLayer(DynamicLayer):
    """Keys and values of one layer in memory with room to grow: a step writes its own beside the others, instead of copying all into
    fresh memory. Shapes: (rows, groups, tokens, size).
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Keep these, and give all back."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        keys, values = self._roomy(start, end, key_states, value_states)
        keys[..., start:end, :], values[..., start:end, :] = key_states, value_states
        self.keys, self.values = keys[..., :end, :], values[..., :end, :]
        return self.keys, self.values

    def _roomy(self, start: int, end: int, key_states: torch.Tensor, value_states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Memory for `end` tokens, with the first `start` in it."""
        if self._room is None or self._room[0].shape[-2] < end:
            keys, values = (states.new_empty((*states.shape[:-2], end + GROWTH, states.shape[-1])) for states in (key_states, value_states))
            if self.keys is not None and self.values is not None and start:
                keys[..., :start, :], values[..., :start, :] = self.keys, self.values
            self._room = keys, values
        return self._room

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Only keep these rows; they move to memory of their own."""
        super().batch_select_indices(indices)
        self._room = None


class _Batch:
    """The rows under way: their numbers, tokens so far, attention mask and random generators."""

    def __init__(self, prompts: Sequence[Sequence[int]], sampling: Sampling, window: int) -> None:
        self.rows = list(range(len(prompts)))
        self._sampling = sampling
        self._window = window
        self._longest = max(map(len, prompts))
        self._seen = [list(prompt) for prompt in prompts]
        # One generator a row, all with the same seed: a row's answer does not depend on its neighbours.
        self._random = [torch.Generator().manual_seed(sampling.seed) for _ in prompts]
        self.mask = torch.tensor([[0] * (self._longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def first_input(self) -> torch.Tensor:
        """The prompts, padded on the left. Shape (rows, longest)."""
        return torch.tensor([[0] * (self._longest - len(seen)) + seen for seen in self._seen])

    def next_input(self, tokens: Sequence[int]) -> torch.Tensor:
        """The tokens just chosen, one a row, as the next input. Shape (rows, 1)."""
        for seen, token in zip(self._seen, tokens, strict=True):
            seen.append(token)
        self.mask = torch.cat([self.mask, torch.ones(len(tokens), 1, dtype=self.mask.dtype)], dim=1)
        return torch.tensor(tokens)[:, None]

    def positions(self, width: int) -> torch.Tensor:
        """Positions of the last `width` columns; padding does not count."""
        return (self.mask.cumsum(1) - 1).clamp_(min=0)[:, -width:]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows only."""
        self.rows = [self.rows[place] for place in places]
        self._seen = [self._seen[place] for place in places]
        self._random = [self._random[place] for place in places]
        self.mask = self.mask[list(places)]

    @torch.inference_mode()
    def choose(self, logits: torch.Tensor) -> list[int]:
        """One token a row. `logits` has the shape (rows, vocabulary)."""
        for token, bias in self._sampling.logit_bias:
            logits[:, token] += bias
        self._penalise(logits)
        if self._sampling.temperature <= 0:
            return [int(token) for token in logits.argmax(-1)]
        probabilities = torch.softmax(logits / self._sampling.temperature, -1)
        return [int(torch.multinomial(_nucleus(row, self._sampling.top_p), 1, generator=random))
                for row, random in zip(probabilities, self._random, strict=True)]

    def _penalise(self, logits: torch.Tensor) -> None:
        """Lower the logits of tokens that were seen, as llama.cpp does."""
        sampling = self._sampling
        if sampling.repetition_penalty == 1.0 and not sampling.presence_penalty and not sampling.frequency_penalty:
            return
        for row, seen in enumerate(self._seen):
            counted = Counter(seen[-self._window:])
            tokens, counts = torch.tensor(list(counted)), torch.tensor(list(counted.values()))
            scores = logits[row, tokens]
            scores = torch.where(scores > 0, scores / sampling.repetition_penalty, scores * sampling.repetition_penalty)
            logits[row, tokens] = scores - counts * sampling.frequency_penalty - sampling.presence_penalty


def _nucleus(probabilities: torch.Tensor, top_p: float) -> torch.Tensor:
    """The likeliest tokens that together reach `top_p`; the others get 0. Shape (vocabulary,)."""
    if top_p >= 1:
        return probabilities
    ordered, places = probabilities.sort(descending=True)
    outside = ordered.cumsum(0) - ordered >= top_p
    return probabilities.masked_fill(torch.zeros_like(outside).scatter(0, places, outside), 0.0)
