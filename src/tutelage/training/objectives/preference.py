"""Learning from preferences: DPO and ORPO on pairs of replies, KTO on replies that were wanted or not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from tutelage.core.files import read_rows, write_rows
from tutelage.core.records import Record
from tutelage.training.batches import MicroBatch, by_length, cut_padded, micro_batches
from tutelage.training.bodies import Body
from tutelage.training.losses import head_loss
from tutelage.training.objectives import Measured
from tutelage.training.objectives.preference_losses import dpo_loss, kto_loss, orpo_loss, share_right
from tutelage.training.pair_rows import JudgedRow, PairRow
from tutelage.training.rows import TrainingRow

S = TypeVar("S", PairRow, JudgedRow)
REFERENCE = "reference.jsonl"
Reference = Mapping[str, tuple[float, float]]  # for each row the log-probabilities of its two sequences


class ReferenceRow(Record):
    """A line of `reference.jsonl`: log-probabilities, in nats, that the untouched base gives to the row's two replies."""

    id: str
    logprobs: tuple[float, float]


@dataclass(frozen=True)
class Weighed:
    """What an objective says of rows: the loss of each, and by how much the better reply is ahead. Shapes: (rows,), (rows,)."""

    losses: torch.Tensor
    margins: torch.Tensor


Weigh = Callable[[Sequence[PairRow], torch.Tensor, torch.Tensor], Weighed]


def reply_logprobs(body: Body, weight: torch.Tensor, rows: Sequence[TrainingRow]) -> torch.Tensor:
    """The log-probability of each row's learned tokens together, in nats. Shape (rows,), float64, differentiable."""
    batch, lengths = MicroBatch(tuple(rows)), [row.trained for row in rows]
    hidden = torch.split(body.hidden(batch), lengths)
    targets = torch.split(batch.targets.to(weight.device), lengths)
    return torch.stack([-head_loss(part, weight, wanted) for part, wanted in zip(hidden, targets, strict=True)])


@torch.no_grad()
def reference_logprobs(path: Path, body: Body, weight: torch.Tensor, rows: Sequence[PairRow | JudgedRow], *, tokens: int) -> Reference:
    """What the model as it stands, which must be the base, gives to the replies of all rows: from the file, else computed once
    and written there.
    """
    if path.exists():
        return {row.id: row.logprobs for row in read_rows(path, ReferenceRow)}
    sequences = [one for row in rows for one in row.sequences]
    order = sorted(range(len(sequences)), key=lambda place: len(sequences[place].ids))
    groups = micro_batches([sequences[place] for place in order], tokens=tokens)
    values = torch.cat([reply_logprobs(body, weight, group.rows) for group in groups]).tolist()
    of_place = dict(zip(order, values, strict=True))
    found = {row.id: (of_place[2 * number], of_place[2 * number + 1]) for number, row in enumerate(rows)}
    write_rows(path, (ReferenceRow(id=name, logprobs=pair) for name, pair in found.items()))
    return found


def weigh_dpo(reference: Reference, *, beta: float) -> Weigh:
    """Direct preference optimisation. The margin is the difference of the implicit rewards, divided by beta."""
    def weigh(rows: Sequence[PairRow], chosen: torch.Tensor, rejected: torch.Tensor) -> Weighed:
        before = torch.tensor([reference[row.id] for row in rows], dtype=chosen.dtype, device=chosen.device)
        margins = (chosen - before[:, 0]) - (rejected - before[:, 1])
        return Weighed(dpo_loss(margins, beta=beta), margins.detach())
    return weigh


def weigh_orpo(*, weight: float) -> Weigh:
    """Odds ratio preference optimisation. The margin is the difference of the mean log-probabilities a token."""
    def weigh(rows: Sequence[PairRow], chosen: torch.Tensor, rejected: torch.Tensor) -> Weighed:
        means = [total / total.new_tensor([row.trained for row in part]) for total, part in
                 ((chosen, [row.chosen for row in rows]), (rejected, [row.rejected for row in rows]))]
        return Weighed(orpo_loss(means[0], means[1], weight=weight), (means[0] - means[1]).detach())
    return weigh


class PairObjective:
    """A loss of two replies to one prompt. The score is the share of pairs in which the chosen reply is ahead."""

    unit = "row"

    def __init__(self, body: Body, weight: torch.Tensor, weigh: Weigh) -> None:
        self._body, self._weight, self._weigh = body, weight, weigh
        self.path = body.name

    def refresh(self) -> None:
        """Take over changed weights."""
        self._body.refresh()

    def count(self, rows: Sequence[PairRow]) -> int:
        """Number of pairs."""
        return len(rows)

    def micro_batches(self, rows: Sequence[PairRow], *, tokens: int) -> list[Sequence[PairRow]]:
        """The pairs, in their order, cut where the next one would make more than `tokens` padded tokens."""
        return two_by_two(rows, tokens=tokens)

    def loss(self, rows: Sequence[PairRow]) -> torch.Tensor:
        """Sum of the pairs' losses. A float64 scalar."""
        chosen, rejected = self._logprobs(rows)
        return self._weigh(rows, chosen, rejected).losses.sum()

    @torch.no_grad()
    def measure(self, rows: Sequence[PairRow], *, tokens: int) -> Measured:
        """The mean loss, the bits a byte of the chosen replies, and the share of pairs that are right."""
        total, nats = 0.0, 0.0
        margins = []
        for group in self.micro_batches(by_length(rows), tokens=tokens):
            chosen, rejected = self._logprobs(group)
            weighed = self._weigh(group, chosen, rejected)
            total, nats = total + float(weighed.losses.sum()), nats - float(chosen.sum())
            margins.append(weighed.margins)
        return Measured(loss=total / len(rows), bits_per_byte=bits_a_byte(nats, [row.chosen for row in rows]),
                        score=share_right(torch.cat(margins)))

    def _logprobs(self, rows: Sequence[PairRow]) -> tuple[torch.Tensor, torch.Tensor]:
        both = reply_logprobs(self._body, self._weight, [one for row in rows for one in row.sequences]).view(-1, 2)
        return both[:, 0], both[:, 1]


class JudgedGroup(tuple[JudgedRow, ...]):
    """Rows that are computed at once, with the reference point z_0 of all rows of their step."""

    reference_point: float


class JudgedObjective:
    """KTO. The score is the share of replies whose reward is above the reference point if wanted, below if not.

    The reference point is the mean of log pi/pi_ref over the mismatched replies of all rows of a step, at least 0, without a
    gradient (Ethayarajh et al. 2024, section 4.1). It is found when the step's rows are grouped, so it does not change with the grouping.
    `weights` are those of wanted and of unwanted replies.
    """

    unit = "row"

    def __init__(self, body: Body, weight: torch.Tensor, reference: Reference, *, beta: float, weights: tuple[float, float]) -> None:
        self._body, self._weight, self._reference = body, weight, reference
        self._beta, self._weights = beta, weights
        self.path = body.name

    def refresh(self) -> None:
        """Take over changed weights."""
        self._body.refresh()

    def count(self, rows: Sequence[JudgedRow]) -> int:
        """Number of replies."""
        return len(rows)

    @torch.no_grad()
    def micro_batches(self, rows: Sequence[JudgedRow], *, tokens: int) -> list[Sequence[JudgedRow]]:
        """The rows, in their order, cut where the next one would make more than `tokens` padded tokens. They are the rows of one step."""
        groups = [JudgedGroup(group) for group in two_by_two(rows, tokens=tokens)]
        drift = sum(float((reply_logprobs(self._body, self._weight, [row.mismatched for row in group]) - self._before(group)[:, 1]).sum())
                    for group in groups)
        for group in groups:
            group.reference_point = max(0.0, drift / len(rows))
        return list(groups)

    def loss(self, rows: Sequence[JudgedRow]) -> torch.Tensor:
        """Sum of the replies' losses. A float64 scalar. `rows` is a group of `micro_batches`."""
        assert isinstance(rows, JudgedGroup)
        return self._losses(rows, self._logprobs(rows)).sum()

    @torch.no_grad()
    def measure(self, rows: Sequence[JudgedRow], *, tokens: int) -> Measured:
        """The mean loss, the bits a byte of the wanted replies (None without one), and the share of replies that are right."""
        total, nats = 0.0, 0.0
        margins = []
        for group in self.micro_batches(by_length(rows), tokens=tokens):
            assert isinstance(group, JudgedGroup)
            logprobs = self._logprobs(group)
            wanted = _wanted(group, logprobs.device)
            total, nats = total + float(self._losses(group, logprobs).sum()), nats - float(logprobs[wanted].sum())
            ahead = logprobs - self._before(group)[:, 0] - group.reference_point
            margins.append(torch.where(wanted, ahead, -ahead))
        liked = [row.reply for row in rows if row.wanted]
        return Measured(loss=total / len(rows), bits_per_byte=bits_a_byte(nats, liked) if liked else None,
                        score=share_right(torch.cat(margins)))

    def _losses(self, group: JudgedGroup, logprobs: torch.Tensor) -> torch.Tensor:
        return kto_loss(logprobs - self._before(group)[:, 0], _wanted(group, logprobs.device), reference_point=group.reference_point,
                        beta=self._beta, weights=self._weights)

    def _logprobs(self, rows: Sequence[JudgedRow]) -> torch.Tensor:
        return reply_logprobs(self._body, self._weight, [row.reply for row in rows])

    def _before(self, rows: Sequence[JudgedRow]) -> torch.Tensor:
        return torch.tensor([self._reference[row.id] for row in rows], dtype=torch.float64, device=self._weight.device)


def balanced(rows: Sequence[JudgedRow]) -> tuple[float, float]:
    """Weights of wanted and unwanted replies: 1 for the more frequent kind, and so much for the other that both weigh the same.

    Source: Ethayarajh et al. 2024, section 4.2: lambda_D n_D / (lambda_U n_U) = 1, the lower end of
    what it advises. Both 1 where one kind is missing.
    """
    wanted = sum(row.wanted for row in rows)
    unwanted = len(rows) - wanted
    if not wanted or not unwanted:
        return 1.0, 1.0
    return max(1.0, unwanted / wanted), max(1.0, wanted / unwanted)


def two_by_two(rows: Sequence[S], *, tokens: int) -> list[Sequence[S]]:
    """The rows, in their order, cut where the next one would make more than `tokens` tokens of two padded sequences each."""
    return cut_padded(rows, tokens=tokens, length=lambda row: 2 * row.longest)


def bits_a_byte(nats: float, rows: Sequence[TrainingRow]) -> float:
    """The loss in bits by the UTF-8 bytes of the replies."""
    return nats / math.log(2) / max(1, sum(row.reply_bytes for row in rows))


def _wanted(rows: Sequence[JudgedRow], device: torch.device) -> torch.Tensor:
    return torch.tensor([row.wanted for row in rows], device=device)
