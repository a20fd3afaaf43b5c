"""Trains the small model of harm on labelled texts: weights by regularised logistic regression, thresholds on rows held out of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from scipy.special import expit

from tutelage.core.errors import InputError
from tutelage.guard.moderation_model import SIZE, Head, ModerationModel, counted, language_of
from tutelage.guard.moderation_rows import ModerationRow

LEAST_ROWS = 20  # for and against, in one language; with fewer the word lists answer alone
FOLDS = 4
STRENGTH = 1e-3  # of the penalty on weights
LONGEST_READ = 2000  # characters of a row that are learned from


def train(rows: Sequence[ModerationRow], *, seed: int = 0) -> ModerationModel:
    """A model with a head for each category and language that has enough rows. Raises InputError if none has."""
    counts = [counted(row.text[:LONGEST_READ]) for row in rows]
    languages = np.array([language_of(row.text) for row in rows])
    idf = _idf(counts)
    matrix = _matrix(counts, idf)
    heads: list[Head] = []
    weights: list[np.ndarray] = []
    for language in ("en", "zh"):
        for category in sorted({name for row in rows for name in row.labels}):
            known = np.array([number for number, row in enumerate(rows) if category in row.labels and languages[number] == language])
            if not len(known):
                continue
            labels = np.array([rows[number].labels[category] for number in known])
            positives = int(labels.sum())
            if min(positives, len(labels) - positives) < LEAST_ROWS:
                continue
            inside = matrix[known]
            weight, bias = _fit(inside, labels)
            heads.append(Head(category, language, bias, _threshold(inside, labels, seed), positives, len(labels) - positives))
            weights.append(weight)
    if not heads:
        raise InputError(f"{len(rows)} labelled texts: no category has {LEAST_ROWS} texts for and {LEAST_ROWS} against in one language. "
                         "Give more rows.")
    return ModerationModel(heads, np.stack(weights), idf)


def _idf(counts: Sequence[Counter[int]]) -> np.ndarray:
    seen = np.bincount(np.fromiter((place for each in counts for place in each), np.int64), minlength=SIZE)
    return np.where(seen > 0, np.log((1 + len(counts)) / (1 + seen)) + 1, 0.0).astype(np.float16)


def _matrix(counts: Sequence[Counter[int]], idf: np.ndarray) -> csr_matrix:
    """A row of unit length a text."""
    ends = np.cumsum([0, *(len(each) for each in counts)])
    places = np.fromiter((place for each in counts for place in each), np.int64, ends[-1])
    values = (1 + np.log(np.fromiter((count for each in counts for count in each.values()), np.float32, ends[-1]))) * idf[places]
    lengths = np.sqrt(np.add.reduceat(np.append(values**2, 0), np.minimum(ends[:-1], ends[-1]))) if ends[-1] else np.ones(len(counts))
    return csr_matrix((values / np.repeat(lengths, np.diff(ends)), places, ends), shape=(len(counts), SIZE))


def _fit(matrix: csr_matrix, labels: np.ndarray) -> tuple[np.ndarray, float]:
    """Weights and bias; both classes count alike, however many rows they have."""
    share = labels.mean()
    each = np.where(labels, 0.5 / share, 0.5 / (1 - share)) / len(labels)
    signs = np.where(labels, 1.0, -1.0)

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        margins = signs * (matrix @ point[:-1] + point[-1])
        pull = -each * signs * expit(-margins)
        gradient = np.append(matrix.T @ pull + STRENGTH * point[:-1], pull.sum())
        return float(each @ np.logaddexp(0, -margins) + STRENGTH / 2 * (point[:-1] @ point[:-1])), gradient

    found = minimize(loss, np.zeros(SIZE + 1), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return found.x[:-1].astype(np.float16), float(found.x[-1])


def _threshold(matrix: csr_matrix, labels: np.ndarray, seed: int) -> float:
    """The probability from which on texts are flagged: where F1 is best on rows that did not train the weights."""
    folds = np.random.default_rng(seed).permutation(len(labels)) % FOLDS
    scores = np.zeros(len(labels))
    for fold in range(FOLDS):
        held, rest = folds == fold, folds != fold
        if labels[rest].any() and not labels[rest].all():
            weight, bias = _fit(matrix[rest], labels[rest])
            scores[held] = expit(matrix[held] @ weight.astype(np.float64) + bias)
    order = np.argsort(-scores, kind="stable")
    right = np.cumsum(labels[order])
    f1 = 2 * right / (np.arange(1, len(labels) + 1) + labels.sum())
    return float(scores[order[int(f1.argmax())]])
