"""The tasks of learning from preferences: DPO and ORPO from pairs of replies, KTO from judged replies."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from tutelage.core.chat import ChatFormat, end_id
from tutelage.core.errors import InputError
from tutelage.core.records import Example
from tutelage.core.store import Making
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.bodies import Body, PaddedBody, choose_body, head_weight
from tutelage.training.objectives.preference import (
    REFERENCE,
    JudgedObjective,
    PairObjective,
    balanced,
    reference_logprobs,
    weigh_dpo,
    weigh_orpo,
)
from tutelage.training.pair_rows import JudgedRow, PairRow, mismatched_replies, render_judged, render_pair
from tutelage.training.preflight import Ready, check_rows, prepare
from tutelage.training.preview import SHOWN, PreviewRow, preview
from tutelage.training.settings import TrainingSettings


def prepare_pairs(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                  vocabulary: Vocabulary) -> Ready[PairRow]:
    """Rows of two replies to one prompt."""
    end = end_id(chat_format, vocabulary)
    return prepare(making, settings, examples, tasks=("preference",), render=lambda example: render_pair(example, chat_format, vocabulary),
                   check=lambda rows: check_rows([one for row in rows for one in row.sequences], end=end, specials=vocabulary.specials))


def prepare_judged(making: Making, settings: TrainingSettings, examples: Sequence[Example], chat_format: ChatFormat,
                   vocabulary: Vocabulary) -> Ready[JudgedRow]:
    """Rows of one reply that was wanted or not. Raises InputError if all training rows are of one kind."""
    end, others = end_id(chat_format, vocabulary), mismatched_replies(examples)
    ready = prepare(making, settings, examples, tasks=("feedback",),
                    render=lambda example: render_judged(example, others[example.id], chat_format, vocabulary),
                    check=lambda rows: check_rows([one for row in rows for one in row.sequences], end=end, specials=vocabulary.specials))
    if len({row.wanted for row in ready.train}) == 1:
        kind = "wanted" if ready.train[0].wanted else "unwanted"
        raise InputError(f"training: all {len(ready.train)} training rows are {kind} replies; training.task: kto learns from wanted and "
                         "unwanted ones together. Give rows of the other kind too.")
    return ready


def dpo_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[PairRow], base_folder: Path, scratch: Path,
                  plain: bool) -> PairObjective:
    """DPO against the base, whose log-probabilities are computed once."""
    body, weight = _parts(model, plain)
    reference = reference_logprobs(scratch / REFERENCE, body, weight, [*ready.train, *ready.validation], tokens=settings.micro_batch_tokens)
    return PairObjective(body, weight, weigh_dpo(reference, beta=settings.beta))


def orpo_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[PairRow], base_folder: Path, scratch: Path,
                   plain: bool) -> PairObjective:
    """ORPO, which needs no reference."""
    body, weight = _parts(model, plain)
    return PairObjective(body, weight, weigh_orpo(weight=settings.odds_weight))


def kto_objective(model: torch.nn.Module, settings: TrainingSettings, *, ready: Ready[JudgedRow], base_folder: Path, scratch: Path,
                  plain: bool) -> JudgedObjective:
    """KTO against the base, whose log-probabilities are computed once."""
    body, weight = _parts(model, plain)
    reference = reference_logprobs(scratch / REFERENCE, body, weight, [*ready.train, *ready.validation], tokens=settings.micro_batch_tokens)
    return JudgedObjective(body, weight, reference, beta=settings.beta, weights=balanced(ready.train))


def preview_pairs(rows: Sequence[PairRow], vocabulary: Vocabulary) -> list[PreviewRow]:
    """The first pairs, the chosen reply before the rejected one."""
    return preview([one for row in rows[:SHOWN] for one in row.sequences], vocabulary)


def preview_judged(rows: Sequence[JudgedRow], vocabulary: Vocabulary) -> list[PreviewRow]:
    """The first judged replies."""
    return preview([row.reply for row in rows[:SHOWN]], vocabulary)


def _parts(model: torch.nn.Module, plain: bool) -> tuple[Body, torch.Tensor]:
    """The body, with the model's weights as they are, and the output layer."""
    body = PaddedBody(model) if plain else choose_body(model)
    body.refresh()
    return body, head_weight(model)
