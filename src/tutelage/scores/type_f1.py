"""Macro-F1 of the clause types of drafts: each type counts the same, however many clauses ask for it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tutelage.scores.statistics import Floats


def type_sums(asked: Sequence[str], named: Sequence[str], types: Sequence[str]) -> Floats:
    """For each row, by type: whether it was asked for and named, named at all, asked for. Shape (rows, 3 * types); other names count as a
    miss of the asked type.
    """
    is_asked, is_named = (np.asarray([[one == name for name in types] for one in column], dtype=np.float64) for column in (asked, named))
    return np.concatenate((is_asked * is_named, is_named, is_asked), axis=1)


def macro_f1(total: Floats) -> float:
    """The mean of F1 over the types that were asked for, 0 to 100, from summed counts. Source: Lewis 1992; as scikit-learn computes it
    with `average="macro"` over these types.
    """
    right, named, asked = total.reshape(3, -1)
    there = asked > 0
    return float(100 * np.mean(2 * right[there] / (named[there] + asked[there]))) if there.any() else 0.0
