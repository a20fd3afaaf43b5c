"""What must hold before a training may start, told with the ids of the rows that break it; and the report of lengths."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic

from tutelage.core.errors import InputError
from tutelage.core.history import Fate
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.text.leaks import check_leaks, common_runs
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
    """Rows that passed. `lost` counts the tokens of all rows that were left out."""

    train: tuple[R, ...]
    validation: tuple[R, ...]
    lost_rows: int
    lost_tokens: int


def prepare(making: Making, settings: TrainingSettings, examples: Iterable[Example], *, tasks: Sequence[str],
            render: Callable[[Example], R], check: Callable[[Sequence[R]], None]) -> Ready[R]:
    """Train and validation rows, rendered and checked; each gets its fate. Held-out rows are only compared with these.

    `tasks` are those that examples may be of. Raises InputError, with row ids, where a row or the whole cannot be trained on,
    LeakFound where one gives a held-out row away.
    """
    examples = list(examples)
    check_tasks(examples, tasks)
    check_leaks(examples, common_runs(making.parents["dataset"]))
    taken = [example for example in examples if example.part != "held_out"]
    making.ledger.rows_in(example.id for example in taken)
    rendered = [render(example) for example in taken]
    check(rendered)
    long = [row for row in rendered if row.longest > settings.maximum_tokens]
    if long and settings.too_long == "refuse":
        raise InputError(f"training.maximum_tokens: {_named(long)} more than {settings.maximum_tokens} tokens (the longest: "
                         f"{max(row.longest for row in long)}). Raise maximum_tokens, or set too_long: drop.")
    used: dict[str, list[R]] = {"train": [], "validation": []}
    for example, row in zip(taken, rendered, strict=True):
        if row.longest > settings.maximum_tokens:
            making.ledger.record(Fate(row=row.id, what="dropped", reason="longer than maximum_tokens", name=example.heading,
                                      detail=f"{row.longest} tokens; {settings.maximum_tokens} allowed"))
        else:
            making.ledger.record(Fate(row=row.id, what="kept", reason=f"used for {example.part}", name=example.heading))
            used[example.part].append(row)
    for part, rows in used.items():
        if not rows:
            raise InputError(f"training: there is no {part} row ({len(taken)} rows came in, {len(long)} were longer than "
                             f"{settings.maximum_tokens} tokens). Give more documents, or raise training.maximum_tokens.")
    return Ready(tuple(used["train"]), tuple(used["validation"]), len(long), sum(len(row.ids) for row in long))


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


def check_rows(rows: Sequence[TrainingRow], *, end: int | None) -> None:
    """Raise InputError for rows that teach nothing, do not teach the model to stop, or teach nearly nothing.

    `end` is the token that ends a turn, None where rows have no turns.
    """
    if empty := [row for row in rows if not row.trained]:
        raise InputError(f"training: {_named(empty)} no learned token: the last message must be the assistant's. Correct the dataset.")
    if end is not None and (endless := [row for row in rows if not _turns_end(row, end)]):
        raise InputError(f"training: {_named(endless)} a reply whose end-of-turn token is not learned, so the model would never stop. "
                         "Correct chat.json of the base model.")
    if thin := [row for row in rows if row.trained < LEAST_SHARE * len(row.ids)]:
        raise InputError(f"training: {_named(thin)} under {LEAST_SHARE:.0%} learned tokens; nearly all computing would teach nothing. "
                         "Shorten the prompts, or drop these rows.")


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
