"""BLEU and chrF over many drafts, by sacrebleu, from sums over rows: so that documents can be resampled for an interval."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from tutelage.core.records import Language

Floats = NDArray[np.float64]
# Without the right tokeniser a Chinese sentence is one word, and BLEU is 0 where it should be 66.
TOKENISERS: dict[Language, str] = {"en": "13a", "zh": "zh"}


class CorpusMetric:
    """A metric of all drafts together: a function of sums over rows. 0 to 100, higher is better.

    BLEU: Papineni et al. 2002; chrF: Popovic 2015; both as sacrebleu computes them (Post 2018, arXiv:1804.08771).
    """

    def __init__(self, scorer: BLEU | CHRF) -> None:
        self._scorer = scorer
        scorer.corpus_score(["a"], [["a"]])  # only then does its signature know that there is one reference
        self.signature = str(scorer.get_signature())  # everything that another person needs to compute the same number

    def sums(self, drafts: Sequence[str], *references: Sequence[str]) -> Floats:
        """What each row adds to the sums, shape (rows, counts). Each of `references` has one text a row."""
        return np.asarray(self._scorer._extract_corpus_statistics(list(drafts), [list(texts) for texts in references]), dtype=np.float64)

    def score(self, total: Floats) -> float:
        """The metric of summed counts, shape (counts,)."""
        return float(self._scorer._compute_score_from_stats([round(count) for count in total]).score)

    def of(self, drafts: Sequence[str], *references: Sequence[str]) -> float:
        """The metric of all drafts."""
        return self.score(self.sums(drafts, *references).sum(axis=0))


@cache
def bleu(language: Language) -> CorpusMetric:
    """BLEU with the language's tokeniser."""
    return CorpusMetric(BLEU(tokenize=TOKENISERS[language]))


@cache
def chrf() -> CorpusMetric:
    """chrF: runs of up to six characters, in any language."""
    return CorpusMetric(CHRF())
