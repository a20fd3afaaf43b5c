"""Log-probabilities of given tokens in PyTorch; the head sees only the scored positions, and few of them at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch

from tutelage.core.records import TokenScore
from tutelage.engine.beginning import shared_beginning

BATCH_TOKENS = 512  # tokens of a batch with its padding; 2,048 are half as fast, as fresh memory costs more than full batches save
HEAD_POSITIONS = 256  # positions that go through the head at once: 256 x 49,152 logits take 50 MB
FEW_POSITIONS = 32  # as above where all logits are kept for a while: 32 x 262,144 take 34 MB
Body = Callable[[torch.Tensor], torch.Tensor]
After = Callable[[Sequence[int]], Body]


def score_rows(after: After, head: Body, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
    """Scores of each row's tokens from its start on. Tokens that all rows begin with go through the model once.

    `after` maps the ids of a beginning, which may be empty, to a body: that maps the ids that follow (rows, length) to hidden states
    (rows, length, width). `head` maps hidden states (n, width) to logits.
    """
    shared = shared_beginning(rows, starts)
    body = after(rows[0][:shared]) if rows else None
    return _score_rows(body, head, [row[shared:] for row in rows], [start - shared for start in starts]) if body else []


def _score_rows(body: Body, head: Body, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
    found: list[list[TokenScore]] = [[] for _ in rows]
    for batch in batches_by_length([len(row) for row in rows], BATCH_TOKENS):
        longest = max(len(rows[number]) for number in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)
        for place, number in enumerate(batch):
            ids[place, :len(rows[number])] = torch.tensor(rows[number])
        with torch.inference_mode():
            # Padding stands on the right, where no real position looks: no mask is needed.
            hidden = body(ids[:, :-1]) if longest > 1 else torch.zeros(len(batch), 0, 0)
            for place, number in enumerate(batch):
                targets = ids[place, starts[number]:len(rows[number])]
                found[number] = _scores(head, hidden[place, starts[number] - 1:len(rows[number]) - 1], targets)
    return found


def foretell(body: Body, head: Body, row: Sequence[int], start: int) -> Iterator[np.ndarray]:
    """Logits for each token of a row from `start` (>= 1) on, each given all before it: shape (vocabulary,), fp32."""
    with torch.inference_mode():
        hidden = body(torch.tensor([list(row[:-1])]))[0, start - 1:]
    for states in torch.split(hidden, FEW_POSITIONS):
        with torch.inference_mode():
            logits = head(states).float().numpy()
        yield from logits


def batches_by_length(lengths: Sequence[int], tokens: int) -> list[list[int]]:
    """Numbers of rows in batches of similar length, longest first, so that rows x longest stays within `tokens`."""
    batches: list[list[int]] = []
    width = 0
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        if not batches or (len(batches[-1]) + 1) * width > tokens:
            batches.append([])
            width = lengths[number]
        batches[-1].append(number)
    return batches


def _scores(head: Body, hidden: torch.Tensor, targets: torch.Tensor) -> list[TokenScore]:
    scores: list[TokenScore] = []
    for states, tokens in zip(torch.split(hidden, HEAD_POSITIONS), torch.split(targets, HEAD_POSITIONS), strict=True):
        logits = head(states).float()
        total = logits.logsumexp(1)
        logprobs, highest = logits.gather(1, tokens[:, None])[:, 0] - total, logits.amax(1) - total
        scores += [TokenScore(token_id=token, logprob=logprob, highest=best) for token, logprob, best in
                   zip(tokens.tolist(), logprobs.tolist(), highest.tolist(), strict=True)]
    return scores
