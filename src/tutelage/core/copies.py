"""What was measured of the copies of one model: `model/evidence.json`, which the model stage writes and the scores show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from tutelage.core.records import Record, Sampling

EVIDENCE = "evidence.json"
CopyState = Literal["holds", "fails", "not enough evidence"]


@dataclass(frozen=True)
class PairedBits:
    """Bits that two models need for the same answers: one entry a row in each field. `documents` groups rows, `sizes` are bytes."""

    documents: Sequence[str]
    before: Sequence[float]
    after: Sequence[float]
    sizes: Sequence[int]


class CopyCost(Record):
    """Bits per byte of a copy minus those of the model before it over the same answers, with the paired interval.

    `state` says whether the copy stays within `margin`: "holds" if the whole interval does, "fails" if all of it lies beyond.
    """

    difference: float
    low: float
    high: float
    margin: float
    state: CopyState


class Weighed(Record):
    """Bits per byte of the copy with their interval, of the model before it, and what lies between them."""

    before: float
    value: float
    low: float
    high: float
    cost: CopyCost


# What is compared, and among how many copies one is picked.
Weigh = Callable[[PairedBits, int], Weighed]


@dataclass(frozen=True)
class PairedDrafts:
    """Drafts of two models for the same prompts, and the true answers: one entry a row in each field. `documents` groups rows."""

    documents: list[str]
    truths: list[str]
    before: list[str]
    after: list[str]


class Drafted(Record):
    """A few drafts of a copy beside the tuned model's for the same `rows` prompts of `documents` documents.

    `task` is the copy's mean ROUGE-L against the true answers (0..1), `before` the tuned model's, `difference` copy minus tuned model with
    its paired interval. `valid_share` is the share of drafts that are JSON of the form of the true answer, `valid_before` the tuned
    model's; None where no true answer is JSON.
    """

    rows: int
    documents: int
    before: float
    task: float
    difference: float
    low: float
    high: float
    valid_before: float | None
    valid_share: float | None


@dataclass(frozen=True)
class Grader:
    """How drafts are made, and what they are worth."""

    sampling: Sampling
    grade: Callable[[PairedDrafts], Drafted]


class Fidelity(Record):
    """How far a copy strays from the fp32 folder that it was written from, over `tokens` tokens of answers.

    `kl_nats` is the mean of KL(folder || copy) a token, `top_1_share` (0..1) how often both find the same token likeliest next.
    A token flips `right_to_wrong` where only the folder finds the true one likeliest, `wrong_to_right` where only the copy does.
    """

    tokens: int
    kl_nats: float
    top_1_share: float
    right_to_wrong: int
    wrong_to_right: int


class Speed(Record):
    """How a copy runs on this machine, measured in a process of its own with `threads` threads.

    `load_seconds` end when it can answer. `peak_rss_mb` (10^6 bytes) is the most that the process held, with room for `streams` answers
    of `context_length` tokens. `first_token_ms` runs from the request to the first text, `token_ms` is each further token. Medians over
    `prompts` prompts; tokens a second are end to end, prompts read included, for `new_tokens` new tokens each.
    """

    threads: int
    load_seconds: float
    peak_rss_mb: float
    first_token_ms: float
    token_ms: float
    tokens_per_second: float
    tokens_per_second_streams: float
    streams: int
    prompts: int
    new_tokens: int
    context_length: int


class CopyEvidence(Record):
    """One copy. `shape` names what was taken from the merged model before it was rounded ("" for nothing), `size_bytes` is its file.

    `quantisation` is "onnx-" and its kind for an ONNX copy, of which `kept` says that it stands beside the one that is served.
    `reason` is a key of the message catalogue with `facts`: why it was kept or refused. `loss` compares with the tuned model as it was
    merged, `rounding` with the folder that the copy was written from, which is the same unless the shape was changed. What was not
    measured is None.
    """

    name: str
    quantisation: str
    shape: str
    kept: bool
    reason: str
    facts: dict[str, str | int | float]
    size_bytes: int
    loss: Weighed | None = None
    rounding: CopyCost | None = None
    fidelity: Fidelity | None = None
    drafts: Drafted | None = None
    speed: Speed | None = None


class Copies(Record):
    """All copies that were tried, in this order. `rows` unseen rows of `documents` documents were compared.

    `larger` is the next larger copy than the kept one, "" if there is none. `target` says in words what was searched for, "" without.
    """

    rows: int
    documents: int
    copies: tuple[CopyEvidence, ...]
    larger: str = ""
    target: str = ""
