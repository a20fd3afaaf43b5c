"""What must hold before a training may start, told with the ids of the rows that break it; and the report of lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from tutelage.core.errors import InputError
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.text.leaks import check_leaks, common_runs
from tutelage.training.fitting import Fitter, Lost, add_up, record_fate
from tutelage.training.rows import R, Row, TrainingRow
from tutelage.training.settings import TrainingSettings

LEAST_SHARE = 0.01  # below it nearly all computing goes into tokens that teach nothing
BAR = 64  # tokens a bar of the histogram


class Lengths(Record):
    """Lengths in tokens of the rows that are used. `bars[i]` counts rows of 64 i + 1 to 64 (i + 1) tokens."""

    rows: int
    tokens: int
    trained: int
    median: int
    longest: int
    bars: tuple[int, ...]


@dataclass(frozen=True)
class Ready(Generic[R]):
    """Rows that passed, and what the length limit cost."""

    train: tuple[R, ...]
    validation: tuple[R, ...]
    lost: Lost


def prepare(making: Making, settings: TrainingSettings, examples: Iterable[Example], *, tasks: Sequence[str],
            render: Callable[[Example], R], check: Callable[[Sequence[R]], None],
            pieces: Callable[[Example, int], Sequence[R]] | None = None) -> Ready[R]:
    """Train and validation rows, rendered and checked; each gets its fate. Held-out rows are only compared with these.

    `tasks` are those that examples may be of; `pieces` splits a plain text (see `Fitter`). Raises InputError, with row ids, where a
    row or the whole cannot be trained on, LeakFound where one gives a held-out row away.
    """
    examples = list(examples)
    check_tasks(examples, tasks)
    check_leaks(examples, common_runs(making.parents["dataset"]))
    taken = [example for example in examples if example.part != "held_out"]
    making.ledger.rows_in(example.id for example in taken)
    rendered = [render(example) for example in taken]
    limit = settings.maximum_tokens
    long = [row for row in rendered if row.longest > limit]
    if long and settings.too_long == "refuse":
        raise InputError(f"training.maximum_tokens: {_named(long)} more than {limit} tokens (the longest: "
                         f"{max(row.longest for row in long)}). Raise maximum_tokens, or set too_long: drop or truncate; plain texts can "
                         "be split.")
    used: dict[str, list[R]] = {"train": [], "validation": []}
    lost = []
    fitter = Fitter(settings, render, pieces)
    for example, row in zip(taken, rendered, strict=True):
        rows = fitter.fit(example, row)
        lost.append(record_fate(making.ledger, example, row, rows, limit))
        used[example.part] += rows
    check([*used["train"], *used["validation"]])
    for part, rows in used.items():
        if not rows:
            raise InputError(f"training: there is no {part} row ({len(taken)} rows came in, {len(long)} were longer than "
                             f"{limit} tokens). Give more documents, or raise training.maximum_tokens.")
    return Ready(tuple(used["train"]), tuple(used["validation"]), add_up(lost))


def check_tasks(examples: Sequence[Example], tasks: Sequence[str]) -> None:
    """Raise InputError for rows of another task, or with pictures: nothing here learns from these."""
    others = sorted({example.task for example in examples} - set(tasks))
    if others:
        count = sum(example.task in others for example in examples)
        raise InputError(f"training: the dataset has {count} rows of the task {' and '.join(others)}; this training.task "
                         f"learns from {', '.join(tasks)} rows only. Set dataset.task to one of these, or choose another training.task.")
    if pictured := [example.id for example in examples if example.images]:
        raise InputError(f"training: {len(pictured)} rows show pictures (first: {pictured[0]}); training learns from text only. "
                         "Leave these sources out.")


def check_rows(rows: Sequence[TrainingRow], *, end: int | None, specials: Mapping[str, int]) -> None:
    """Raise InputError for rows that teach nothing, do not teach the model to stop, teach nearly nothing, or begin twice.

    `end` is the token that ends a turn, None where rows have no turns; `specials` are the special tokens by name.
    """
    check_beginnings(rows, specials)
    if empty := [row for row in rows if not row.trained]:
        raise InputError(f"training: {_named(empty)} no learned token: the last message must be the assistant's. Correct the dataset.")
    if end is not None and (endless := [row for row in rows if not _turns_end(row, end)]):
        raise InputError(f"training: {_named(endless)} a reply whose end-of-turn token is not learned, so the model would never stop. "
                         "Correct chat.json of the base model.")
    if thin := [row for row in rows if row.trained < LEAST_SHARE * len(row.ids)]:
        raise InputError(f"training: {_named(thin)} under {LEAST_SHARE:.0%} learned tokens; nearly all computing would teach nothing. "
                         "Shorten the prompts, or drop these rows.")


def check_beginnings(rows: Sequence[Row], specials: Mapping[str, int]) -> None:
    """Raise InputError for rows that begin with the same special token twice: no model was made so, and its answers get worse."""
    names = {token: name for name, token in specials.items()}
    if double := [row for row in rows if len(row.ids) > 1 and row.ids[0] == row.ids[1] and row.ids[0] in names]:
        name = names[double[0].ids[0]]
        raise InputError(f"training: {_named(double)} the token {name} twice at the beginning; once is right, and a model answers worse "
                         f"after two. Leave {name} out of `begin` or `start` in chat.json of the base, or out of the post-processor in "
                         "its tokenizer.json.")


def measure_lengths(rows: Sequence[Row]) -> Lengths:
    """The length report of at least one row."""
    lengths = sorted(len(row.ids) for row in rows)
    bars = [0] * (-(-lengths[-1] // BAR))
    for length in lengths:
        bars[(length - 1) // BAR] += 1
    return Lengths(rows=len(rows), tokens=sum(lengths), trained=sum(row.trained for row in rows), median=lengths[len(lengths) // 2],
                   longest=lengths[-1], bars=tuple(bars))


def _turns_end(row: TrainingRow, end: int) -> bool:
    """Whether each run of learned tokens ends with the end-of-turn token."""
    following = (*row.supervised[1:], False)
    return all(token == end for token, learned, goes_on in zip(row.ids, row.supervised, following, strict=True) if learned and not goes_on)


def _named(rows: Sequence[Row]) -> str:
    names = ", ".join(row.id for row in rows[:5]) + (", ..." if len(rows) > 5 else "")
    return f"row {names} has" if len(rows) == 1 else f"{len(rows)} rows ({names}) have"
