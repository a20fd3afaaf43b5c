"""Rows of a classification: a text as token ids, and the number of its class; and what was measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from tutelage.core.errors import InputError
from tutelage.core.records import Example, Record
from tutelage.engine.vocabulary import Vocabulary

LEAST_CLASSES = 2


@dataclass(frozen=True)
class ClassRow:
    """A text with the tokens that the tokenizer puts around it. `label` is the place of its class, `name`, among the sorted labels."""

    id: str
    ids: tuple[int, ...]
    label: int
    name: str

    @property
    def longest(self) -> int:
        """Number of tokens."""
        return len(self.ids)

    @property
    def trained(self) -> int:
        """No token is learned."""
        return 0


class ClassScores(Record):
    """How well rows that no training saw are named.

    `accuracy` is the share right with its 95 % interval (Wilson), `macro_f1` the mean over the `classes` that occur, 0..1. `commonest`
    is the share of the most frequent class: what naming all rows so would give.
    """

    rows: int
    classes: int
    accuracy: float
    low: float
    high: float
    macro_f1: float
    commonest: float


def labels_of(examples: Sequence[Example]) -> tuple[str, ...]:
    """The classes of the training rows, sorted. Raises InputError for fewer than two."""
    labels = tuple(sorted({example.label for example in examples if example.part == "train"}))
    if len(labels) < LEAST_CLASSES:
        raise InputError(f"training: the training rows have {len(labels)} class{'' if len(labels) == 1 else 'es'} "
                         f"({', '.join(labels) or 'none'}); a classifier needs at least {LEAST_CLASSES}. Give documents of more kinds.")
    return labels


def classified_text(example: Example) -> str:
    """What a classifier reads of a row: what the user says, without the instructions and the answer."""
    return "\n".join(message.content for message in example.prompt if message.role == "user")


def render_class(example: Example, labels: Sequence[str], vocabulary: Vocabulary) -> ClassRow:
    """The example as a row; its class must be among the labels."""
    return ClassRow(id=example.id, ids=tuple(vocabulary.framed(classified_text(example))), label=labels.index(example.label),
                    name=example.label)


def score_classes(found: Sequence[int], wanted: Sequence[int]) -> ClassScores:
    """Compare the classes that were found with the right ones; at least one row."""
    right = sum(one == other for one, other in zip(found, wanted, strict=True))
    interval = binomtest(right, len(wanted)).proportion_ci(method="wilson")
    f1 = [_f1(number, found, wanted) for number in sorted({*found, *wanted})]
    most = max(wanted.count(number) for number in set(wanted))
    return ClassScores(rows=len(wanted), classes=len(set(wanted)), accuracy=right / len(wanted),
                       low=float(interval.low), high=float(interval.high),
                       macro_f1=sum(f1) / len(f1), commonest=most / len(wanted))


def _f1(number: int, found: Sequence[int], wanted: Sequence[int]) -> float:
    """2 TP / (2 TP + FP + FN): at least one of `found` and `wanted` has the class."""
    both = sum(one == other == number for one, other in zip(found, wanted, strict=True))
    return 2 * both / (found.count(number) + wanted.count(number))
