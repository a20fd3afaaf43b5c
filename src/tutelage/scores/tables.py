"""One metric over one set of rows: values of every candidate by document, and the resamples that all its intervals share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from tutelage.scores import statistics
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import Floats

# Each resample of a corpus metric is computed one by one in Python.
CORPUS_RESAMPLES = 2_000


class Table(Protocol):
    """A metric over rows of documents, for all candidates."""

    n: int
    documents: int

    def value(self, name: str) -> float:
        """The metric of a candidate over all rows."""
        ...

    def resampled(self, name: str) -> Floats:
        """The same in each resample of documents; all candidates see the same resamples."""
        ...

    def p_value(self, one: str, other: str) -> float:
        """Two-sided p that two candidates differ."""
        ...


class RatioTable:
    """A sum over a sum (or e to the power of it). `columns` has a numerator and denominator a row, `documents` the row's document."""

    def __init__(self, documents: Sequence[str], columns: Mapping[str, Sequence[tuple[float, float]]], settings: ScoresSettings, *,
                 is_exp: bool) -> None:
        self.values = {name: [numerator for numerator, _ in column] for name, column in columns.items()}
        self.n, self._settings, self._is_exp = len(documents), settings, is_exp
        self._groups = {name: statistics.group(documents, [one for one, _ in column], [other for _, other in column])
                        for name, column in columns.items()}
        ratios = statistics.resampled_ratios(list(self._groups.values()), resamples=settings.bootstrap, seed=settings.seed)
        self._resampled: dict[str, Floats] = dict(zip(self._groups, np.exp(ratios) if is_exp else ratios, strict=True))
        self.documents = len(next(iter(self._groups.values())).numerators)

    def value(self, name: str) -> float:
        """The metric of a candidate over all rows."""
        ratio = self._groups[name].ratio
        return float(np.exp(ratio)) if self._is_exp else ratio

    def resampled(self, name: str) -> Floats:
        """The same in each resample of documents."""
        return self._resampled[name]

    def p_value(self, one: str, other: str) -> float:
        """By flips of the documents' signs: both candidates have the same denominators."""
        flips = self._groups[one].numerators - self._groups[other].numerators
        return statistics.flip_p_value(flips, resamples=self._settings.bootstrap, seed=self._settings.seed)


class CorpusTable:
    """A function of sums over rows. `sums` has shape (rows, counts) a candidate."""

    def __init__(self, documents: Sequence[str], sums: Mapping[str, Floats], score: Callable[[Floats], float],
                 settings: ScoresSettings) -> None:
        self.n, self._score, self._seed = len(documents), score, settings.seed
        names, places = np.unique(np.asarray(documents), return_inverse=True)
        self.documents = len(names)
        self._resamples = min(settings.bootstrap, CORPUS_RESAMPLES)
        self._groups: dict[str, Floats] = {}
        for name, rows in sums.items():
            self._groups[name] = np.zeros((len(names), rows.shape[1]))
            np.add.at(self._groups[name], places, rows)
        scores = statistics.resampled_scores(list(self._groups.values()), score, resamples=self._resamples, seed=self._seed)
        self._resampled: dict[str, Floats] = dict(zip(self._groups, scores, strict=True))

    def value(self, name: str) -> float:
        """The metric of a candidate over all rows."""
        return self._score(self._groups[name].sum(axis=0))

    def resampled(self, name: str) -> Floats:
        """The same in each resample of documents."""
        return self._resampled[name]

    def p_value(self, one: str, other: str) -> float:
        """By approximate randomisation: documents are swapped between the candidates."""
        return statistics.swap_p_value(self._groups[one], self._groups[other], self._score, resamples=self._resamples, seed=self._seed)
