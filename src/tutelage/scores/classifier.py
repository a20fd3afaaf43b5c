"""The independent judge of a draft's clause type: trained on the training rows, never on a candidate's output."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from tutelage.core.records import Example
from tutelage.scores.overlap import tokens

MAX_FEATURES = 30_000
HEADING_WORDS = 8


def without_heading(text: str) -> str:
    """The text without a heading line, so that a draft which merely repeats the asked type as its heading gains nothing.

    A heading is a first line of at most eight tokens that does not end a sentence, with text after it.
    """
    first, _, rest = text.strip().partition("\n")
    is_heading = bool(rest.strip()) and len(tokens(first)) <= HEADING_WORDS and not first.rstrip().endswith((".", ";", "。", "；"))
    return rest.strip() if is_heading else text.strip()


class TypeClassifier:
    """Says the type of a clause from its words: TF-IDF of words and word pairs, then logistic regression; the same every time."""

    def __init__(self, rows: Sequence[Example]) -> None:
        self._pipeline = Pipeline([
            ("tfidf", TfidfVectorizer(tokenizer=tokens, token_pattern=None, lowercase=False, ngram_range=(1, 2), sublinear_tf=True,
                                      max_features=MAX_FEATURES, dtype=np.float32)),
            ("regression", LogisticRegression(C=10.0, class_weight="balanced", max_iter=300)),
        ])
        self._pipeline.fit([without_heading(row.text) for row in rows], [row.clause_type for row in rows])
        self.rows = len(rows)

    @property
    def types(self) -> tuple[str, ...]:
        """The types that it can say."""
        return tuple(str(name) for name in self._pipeline.classes_)

    def predict(self, texts: Sequence[str]) -> list[str]:
        """The most likely type of each text."""
        return [name for name, _ in self.judge(texts)]

    def judge(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The most likely type of each text, and how likely it says that type is, 0..1."""
        if not texts:
            return []
        found = self._pipeline.predict_proba([without_heading(text) for text in texts])
        return [(self.types[place], float(shares[place])) for shares, place in zip(found, found.argmax(axis=1), strict=True)]


def train_classifier(rows: Sequence[Example]) -> TypeClassifier | None:
    """A classifier, or None where the rows have fewer than two types."""
    return TypeClassifier(rows) if len({row.clause_type for row in rows}) > 1 else None
