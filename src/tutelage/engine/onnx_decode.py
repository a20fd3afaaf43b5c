"""Decoding of a batch of prompts over ONNX Runtime in numpy, step by step, with rows that leave when they are finished."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tutelage.core.records import Sampling
from tutelage.engine.onnx_session import Batch, OnnxSession

SHARE_TO_LEAVE = 0.25  # finished rows are taken out of the batch once they are this share of it
LAST = np.array([-1])


def decode_steps(session: OnnxSession, prompts: Sequence[Sequence[int]], sampling: Sampling, finished: set[int], *,
                 window: int) -> Iterator[dict[int, int]]:
    """The next token of each row that is not finished, step after step.

    The reader adds rows to `finished`; iteration ends when all are. Prompts are padded on the left. Penalties look
    at the last `window` tokens.
    """
    rows = _Rows(prompts, sampling, window)
    cache = session.empty_cache(len(prompts))
    batch = rows.first()
    while True:
        logits, cache = session.logits(batch, cache, LAST + batch.ids.shape[1])
        tokens = [rows.choose(place, scores) for place, scores in enumerate(logits[:, 0])]
        yield {row: token for row, token in zip(rows.numbers, tokens, strict=True) if row not in finished}
        keep = [place for place, row in enumerate(rows.numbers) if row not in finished]
        if not keep:
            return
        if len(rows.numbers) - len(keep) >= SHARE_TO_LEAVE * len(rows.numbers):
            cache = session.keep_rows(cache, keep)
            tokens = [tokens[place] for place in keep]
            rows.keep(keep)
        batch = rows.next(tokens)


class _Rows:
    """The rows under way: their numbers, tokens so far, attention mask and random generators."""

    def __init__(self, prompts: Sequence[Sequence[int]], sampling: Sampling, window: int) -> None:
        self.numbers = list(range(len(prompts)))
        self._sampling = sampling
        self._window = window
        self._longest = max(map(len, prompts))
        self._seen = [list(prompt) for prompt in prompts]
        # One generator a row, all with the same seed: a row's answer does not depend on its neighbours.
        self._random = [np.random.default_rng(sampling.seed) for _ in prompts]
        self._mask = np.array([[0] * (self._longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])

    def first(self) -> Batch:
        """The prompts, padded on the left."""
        ids = np.array([[0] * (self._longest - len(seen)) + seen for seen in self._seen])
        return Batch(ids, np.maximum(self._mask.cumsum(1) - 1, 0), self._mask)

    def next(self, tokens: Sequence[int]) -> Batch:
        """The tokens just chosen, one a row, as the next input. Padding counts in no position."""
        for seen, token in zip(self._seen, tokens, strict=True):
            seen.append(token)
        self._mask = np.concatenate([self._mask, np.ones((len(tokens), 1), self._mask.dtype)], axis=1)
        return Batch(np.array(tokens)[:, None], np.array([[len(seen) - 1] for seen in self._seen]), self._mask)

    def keep(self, places: Sequence[int]) -> None:
        """Go on with these rows only."""
        self.numbers = [self.numbers[place] for place in places]
        self._seen = [self._seen[place] for place in places]
        self._random = [self._random[place] for place in places]
        self._mask = self._mask[list(places)]

    def choose(self, place: int, scores: np.ndarray) -> int:
        """The next token of a row. `scores` are its logits, shape (vocabulary,)."""
        sampling = self._sampling
        scores = scores.astype(np.float64)
        for token, bias in sampling.logit_bias:
            scores[token] += bias
        if sampling.repetition_penalty != 1.0 or sampling.presence_penalty or sampling.frequency_penalty:
            _penalise(scores, self._seen[place][-self._window:], sampling)
        if sampling.temperature <= 0:
            return int(scores.argmax())
        chances = np.exp((scores - scores.max()) / sampling.temperature)
        chances = _nucleus(chances / chances.sum(), sampling.top_p)
        return int(self._random[place].choice(len(chances), p=chances))


def _penalise(scores: np.ndarray, seen: Sequence[int], sampling: Sampling) -> None:
    """Lower the logits of tokens that were seen, as llama.cpp does."""
    tokens, counts = np.unique(seen, return_counts=True)
    told = scores[tokens]
    told = np.where(told > 0, told / sampling.repetition_penalty, told * sampling.repetition_penalty)
    scores[tokens] = told - counts * sampling.frequency_penalty - sampling.presence_penalty


def _nucleus(chances: np.ndarray, top_p: float) -> np.ndarray:
    """The likeliest tokens that together reach `top_p`, their chances summing to one; the others get 0. Shape (vocabulary,)."""
    if top_p < 1:
        order = np.argsort(-chances, kind="stable")
        before = chances[order].cumsum() - chances[order]
        chances[order[before >= top_p]] = 0.0
    kept: np.ndarray = chances / chances.sum()
    return kept
