"""What a few drafts of a copy are worth beside the tuned model's, by the scores' own metric: handed to the stage that makes copies."""

from __future__ import annotations

import json

from tutelage.core.copies import Drafted, Grader, PairedDrafts
from tutelage.core.records import Sampling
from tutelage.scores.checks import FENCE
from tutelage.scores.overlap import rouge_l, tokens
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import percentile_interval
from tutelage.scores.stems import stemmed_tokens
from tutelage.scores.tables import RatioTable

BEFORE, AFTER = "before", "after"


def grader(settings: ScoresSettings) -> Grader:
    """Drafts as the scores draft, judged by ROUGE-L, paired by row and resampled by document; and whether JSON keeps its form."""
    cut = stemmed_tokens if settings.rouge_stems else tokens

    def grade(drafts: PairedDrafts) -> Drafted:
        columns = {name: [(rouge_l(truth, draft, cut).f1, 1.0) for truth, draft in zip(drafts.truths, texts, strict=True)]
                   for name, texts in ((BEFORE, drafts.before), (AFTER, drafts.after))}
        table = RatioTable(drafts.documents, columns, settings, is_exp=False)
        paired = percentile_interval(table.resampled(AFTER) - table.resampled(BEFORE), settings.alpha)
        return Drafted(rows=len(drafts.truths), documents=table.documents, before=table.value(BEFORE), task=table.value(AFTER),
                       difference=table.value(AFTER) - table.value(BEFORE), low=paired.low, high=paired.high,
                       valid_before=valid_share(drafts.truths, drafts.before), valid_share=valid_share(drafts.truths, drafts.after))
    return Grader(Sampling(max_tokens=settings.max_draft_tokens, repetition_penalty=settings.repetition_penalty, seed=settings.seed), grade)


def valid_share(truths: list[str], drafts: list[str]) -> float | None:
    """Share of drafts, 0..1, that are JSON of the form of the true answer, among rows whose true answer is an object or a list; None
    where there is no such row.
    """
    judged = [has_form(form, _read(draft)) for truth, draft in zip(truths, drafts, strict=True)
              if isinstance(form := _read(truth), dict | list)]
    return sum(judged) / len(judged) if judged else None


def has_form(form: object, found: object) -> bool:
    """Whether objects have the same keys, lists only items of a kind that the form's list has, and values are of the same kind."""
    if isinstance(form, dict):
        return isinstance(found, dict) and form.keys() == found.keys() and all(has_form(form[key], found[key]) for key in form)
    if isinstance(form, list):
        return isinstance(found, list) and all(any(has_form(one, other) for one in form) for other in found)
    if isinstance(form, int | float) and not isinstance(form, bool):
        return isinstance(found, int | float) and not isinstance(found, bool)
    return type(form) is type(found)


def _read(answer: str) -> object:
    """What the answer is as JSON, a fence around it apart; a text where it is none."""
    fenced = FENCE.match(answer)
    try:
        return json.loads(fenced[1] if fenced else answer)
    except ValueError:
        return answer
