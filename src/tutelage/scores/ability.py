"""General ability: sixty small questions with answers that a rule can check, asked before and after, to see what tuning costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Literal

from tutelage.core.chat import ChatFormat, end_id, render
from tutelage.core.engine import Engine
from tutelage.core.errors import ContextTooLong, InputError
from tutelage.core.records import Answer, Language, Message, Record, Sampling
from tutelage.scores import statistics
from tutelage.scores.ability_results import AbilityAnswer, AbilityDifference, AbilityScore, AbilityScores
from tutelage.scores.checks import is_met
from tutelage.scores.results import Check
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Interval

Group = Literal["english", "chinese", "arithmetic", "instructions", "refusal"]
GROUPS: tuple[Group, ...] = ("english", "chinese", "arithmetic", "instructions", "refusal")
ALL = "all"
FILE = "ability.jsonl"
MOST_TOKENS = 48
BATCH = 16


class AbilityItem(Record):
    """A question and what its answer must be."""

    id: str
    group: Group
    language: Language
    prompt: str
    checks: tuple[Check, ...]

    def is_right(self, answer: str) -> bool:
        """Whether the answer meets every check."""
        return all(is_met(check.kind, check.value, answer, negated=check.negated) for check in self.checks)


def load_items() -> tuple[AbilityItem, ...]:
    """The fixed set, in its order."""
    text = files("tutelage.scores").joinpath("data", FILE).read_text("utf-8")
    return tuple(AbilityItem.model_validate_json(line) for line in text.splitlines())


def ask_items(engine: Engine, chat_format: ChatFormat, items: Sequence[AbilityItem],
              progress: Callable[[int], None]) -> tuple[AbilityAnswer, ...]:
    """Every item answered greedily and without a repetition penalty. An item that the format or the context cannot hold is left out.

    `progress` hears how many items were done since the last call.
    """
    sampling, end = Sampling(max_tokens=MOST_TOKENS), end_id(chat_format, engine)
    found: list[AbilityAnswer] = []
    for begin in range(0, len(items), BATCH):
        batch = items[begin:begin + BATCH]
        for item, answer in zip(batch, _answers(engine, chat_format, batch, sampling, end), strict=True):
            if answer is not None:
                found.append(AbilityAnswer(item=item.id, answer=answer.text, is_right=item.is_right(answer.text)))
        progress(len(batch))
    return tuple(found)


def judge_ability(answers: Mapping[str, Sequence[AbilityAnswer]], pairs: Sequence[tuple[str, str]],
                  settings: ScoresSettings) -> AbilityScores | None:
    """Shares of right answers by candidate and group, and the paired differences asked for by `pairs`, over the items that all answered.

    None where nothing was asked. Shares have Wilson's interval, differences Newcombe's and exact McNemar, as those of drafts.
    """
    right = {name: {one.item: one.is_right for one in found} for name, found in answers.items()}
    items = [item for item in load_items() if all(item.id in found for found in right.values())]
    if not items or not right:
        return None
    groups: list[tuple[str, list[str]]] = [(ALL, [item.id for item in items])]
    groups += [(group, [item.id for item in items if item.group == group]) for group in GROUPS]
    scores, differences = [], []
    for group, ids in groups:
        if not ids:
            continue
        for name, found in right.items():
            count = sum(found[item] for item in ids)
            between = statistics.wilson(count, len(ids), settings.alpha)
            scores.append(AbilityScore(candidate=name, group=group, n=len(ids), right=count, low=between.low, high=between.high))
        differences += [_difference(group, [(right[one][item], right[other][item]) for item in ids], one, other, settings)
                        for one, other in pairs]
    return AbilityScores(scores=tuple(scores), differences=tuple(differences))


def _difference(group: str, pairs: Sequence[tuple[bool, bool]], one: str, other: str, settings: ScoresSettings) -> AbilityDifference:
    counts = {kind: pairs.count(kind) for kind in ((True, True), (True, False), (False, True), (False, False))}
    only_one, only_other = counts[True, False], counts[False, True]
    between = statistics.paired_share_interval(counts[True, True], only_one, only_other, counts[False, False], settings.alpha)
    p_value = statistics.mcnemar_p_value(only_one, only_other)
    verdict = statistics.verdict(Interval(between.low, between.high), p_value, lower_is_better=False, alpha=settings.alpha)
    return AbilityDifference(candidate=one, versus=other, group=group, n=len(pairs), only_candidate=only_one, only_versus=only_other,
                             difference=(only_one - only_other) / len(pairs), low=between.low, high=between.high, p_value=p_value,
                             verdict=verdict)


def _answers(engine: Engine, chat_format: ChatFormat, items: Sequence[AbilityItem], sampling: Sampling, end: int) -> list[Answer | None]:
    """Answers in order, None where an item cannot be put to the model."""
    prompts: list[tuple[int, ...] | None] = []
    for item in items:
        try:
            prompts.append(render((Message(role="user", content=item.prompt),), chat_format, engine, reply=True).ids)
        except InputError:
            prompts.append(None)
    fitting = [prompt for prompt in prompts if prompt is not None and len(prompt) + MOST_TOKENS <= engine.context_length]
    try:
        replies = iter(engine.generate(fitting, sampling, end_ids=(end,)) if fitting else [])
    except ContextTooLong:
        return [None] * len(items)
    return [next(replies) if prompt in fitting else None for prompt in prompts]
