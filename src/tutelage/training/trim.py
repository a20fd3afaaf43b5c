"""Training on fewer tokens: before anything is learned the base is written again with the tokens that its training rows use."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from tutelage.core.files import write_whole
from tutelage.core.history import Ledger
from tutelage.core.records import Example, Record
from tutelage.core.store import Making
from tutelage.engine.bases import folder_chat_format
from tutelage.engine.kinds import read_config
from tutelage.engine.vocabulary import ADAPTER_MARK, VOCABULARY_MARK, Vocabulary
from tutelage.training.preflight import Ready
from tutelage.training.rows import Row
from tutelage.training.settings import TrainingSettings
from tutelage.training.tasks import TASKS

FOLDER = "trimmed"  # of the base that was trained on, in the scratch folder and then in the artifact, beside what was learned


class Trim(Protocol):
    """Writes a model folder again with fewer tokens, whole or not at all."""

    def __call__(self, base: Path, folder: Path, counted: Collection[int], *, least: int) -> None:
        """Write `base` to `folder` with the tokens `counted`, what any text needs besides, and the commonest others up to `least`."""
        ...


class Trimmed(Record):
    """What became of the vocabulary before the training: its size, and the tokens of the same `validation_rows` before and after.

    `rows` are the training rows whose tokens were counted. No validation row, held-out row or planted test text is among them.
    """

    rows: int
    vocabulary_before: int
    vocabulary: int
    validation_rows: int
    validation_tokens_before: int
    validation_tokens: int

    @property
    def more(self) -> float:
        """Share by which the validation rows got longer."""
        return self.validation_tokens / self.validation_tokens_before - 1


@dataclass(frozen=True)
class Start:
    """The model folder that is trained on. With a trimmed vocabulary also the rows as the `whole` one spells them, its size, and the ids of
    the validation examples.
    """

    folder: Path
    whole: Ready[Any] | None = None
    vocabulary_before: int = 0
    validation: frozenset[str] = frozenset()

    def told(self, ready: Ready[Any], vocabulary: Vocabulary) -> Trimmed | None:
        """What became of the vocabulary, beside the rows that are trained on. None where it is the base's own."""
        if self.whole is None:
            return None
        before, after = (self._tokens(rows.validation) for rows in (self.whole, ready))
        both = before.keys() & after.keys()  # a row may have become too long
        return Trimmed(rows=len(self.whole.train), vocabulary_before=self.vocabulary_before, vocabulary=vocabulary.size,
                       validation_rows=len(both), validation_tokens_before=sum(before[name] for name in both),
                       validation_tokens=sum(after[name] for name in both))

    def _tokens(self, rows: Iterable[Row]) -> Counter[str]:
        """Tokens by example; a text may have become several rows."""
        found: Counter[str] = Counter()
        for row in rows:
            found[row.id if row.id in self.validation else row.id.rpartition("/")[0]] += len(row.ids)
        return found


def find_start(making: Making, settings: TrainingSettings, examples: Sequence[Example], *, base: Path, trim: Trim) -> Start:
    """The base itself or, if the settings ask for it, its trimmed form in the scratch folder, which a killed run finds again.

    Raises what the task's rows raise, and InputError for a base whose vocabulary cannot be trimmed.
    """
    if settings.trim == "none":
        return Start(base)
    vocabulary, folder = Vocabulary(base), making.scratch / FOLDER
    seen = [example for example in examples if example.part != "held_out" and example.origin != "canary"]
    whole = TASKS[settings.task].prepare(replace(making, ledger=Ledger()), settings, seen, folder_chat_format(base), vocabulary)
    if not folder.is_dir():
        trim(base, folder, {token for row in whole.train for token in row.ids}, least=settings.trim_tokens)
    return Start(folder, whole, vocabulary.size, frozenset(example.id for example in seen if example.part == "validation"))


def mark_adapter(adapter: Path, base: Path) -> None:
    """Say in the folder of what was learned which trimmed vocabulary it goes with."""
    write_whole(adapter / ADAPTER_MARK, json.dumps({VOCABULARY_MARK: read_config(base)[VOCABULARY_MARK]}))
