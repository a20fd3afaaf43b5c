"""Single rows: macro-F1 of their types, how many are won and lost, and what two drafts have otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from tutelage.core.language import text
from tutelage.scores.page_rows import changes, wins_section
from tutelage.scores.plot_results import Wins
from tutelage.scores.results import RowMeasure, Shown
from tutelage.scores.type_f1 import macro_f1, type_sums
from tutelage.scores.wins import wins

ASKED = ["payment"] * 4 + ["term"] * 2 + ["notice"]
NAMED = ["payment", "payment", "term", "other", "term", "payment", "term"]


def say(key: str, **facts: object) -> str:
    return text(f"scores.{key}", "en", **facts)


def row(number: int, candidate: str, **measured: object) -> RowMeasure:
    given = {"nats": 1.0, "bits_per_byte": 1.0, "reply_tokens": 2, "size_bytes": 4, **measured}
    return RowMeasure.model_validate({"row": f"r{number}", "candidate": candidate, "document_id": "d", "clause_type": "payment", **given})


def shown(**drafts: str) -> Shown:
    return Shown(row="r", clause_type="payment", keywords=(), language="en", source="s", text="x", drafts=drafts, predicted={},
                 bits_per_byte={})


def test_macro_f1_by_hand_and_as_scikit_learn_has_it() -> None:
    types = ["notice", "payment", "term"]
    found = macro_f1(type_sums(ASKED, NAMED, types).sum(axis=0))
    # payment: 2 right, 3 named, 4 asked: 2 x 2 / 7 = 0.571; term: 1 right, 3 named, 2 asked: 2 / 5 = 0.4; notice: 0. Mean 0.324.
    assert found == pytest.approx(100 * (4 / 7 + 2 / 5) / 3)
    assert found == pytest.approx(100 * f1_score(ASKED, NAMED, labels=types, average="macro", zero_division=0))


def test_types_that_a_resample_does_not_ask_for_do_not_count_and_nothing_gives_nothing() -> None:
    sums = type_sums(ASKED, NAMED, ["notice", "payment", "term"])
    assert macro_f1(sums[:2].sum(axis=0)) == 100.0  # two clauses of payment, both named so
    assert macro_f1(np.zeros(9)) == 0.0


def test_rows_are_won_tied_and_lost_by_the_good_direction_of_each_metric() -> None:
    base = [row(1, "base", nats=4.0, rouge_l=0.5), row(2, "base", nats=4.0, rouge_l=0.5), row(3, "base", nats=4.0)]
    copy = [row(1, "copy", nats=3.0, rouge_l=0.4), row(2, "copy", nats=5.0, rouge_l=0.5), row(3, "copy", nats=2.0)]
    found = {one.metric: one for one in wins({"base": base, "copy": copy}, base="base")}
    assert set(found) == {"bits_per_byte", "rouge_l"}  # perplexity says the same as bits per byte, a corpus metric has no rows
    assert found["bits_per_byte"] == Wins(metric="bits_per_byte", candidate="copy", versus="base", n=3, wins=2, ties=0, losses=1)
    assert found["rouge_l"] == Wins(metric="rouge_l", candidate="copy", versus="base", n=2, wins=0, ties=1, losses=1)


def test_the_page_shows_won_and_lost_and_nothing_where_nothing_was_compared() -> None:
    one = Wins(metric="rouge_l", candidate="<copy>", versus="base", n=9, wins=5, ties=1, losses=3)
    page = wins_section([one], say)
    assert "Won and lost, row by row, against base" in page
    assert '<td>ROUGE-L</td><th scope="row">&lt;copy&gt;</th><td>5</td><td>1</td><td>3</td><td>9</td>' in page
    assert wins_section([], say) == ""


def test_what_two_drafts_have_otherwise_is_marked_and_escaped() -> None:
    page = changes(shown(base="The Buyer pays <b>.", copy="The Buyer shall pay <b>."), candidate="copy", base="base", say=say)
    assert "What copy wrote otherwise than base" in page
    assert "The Buyer <del>pays</del><ins>shall pay</ins> &lt;b&gt;." in page
    assert changes(shown(base="same", copy="same"), candidate="copy", base="base", say=say) == ""
    assert changes(shown(base="alone"), candidate="copy", base="base", say=say) == ""
