"""BLEU and chrF from sums over rows: the same numbers as sacrebleu's own, with an interval and a paired test."""

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from tutelage.scores.corpus_metrics import bleu, chrf
from tutelage.scores.settings import ScoresSettings
from tutelage.scores.statistics import percentile_interval
from tutelage.scores.tables import CorpusTable

REFERENCES = ["The Licensee shall pay each invoice within thirty days of receipt.", "Either party may end this agreement by a letter.",
              "The tenant keeps the roof in repair at its own expense.", "Notices must be in writing and reach the other party's office."]
CLOSE = ["The Licensee shall pay each invoice within thirty days.", "Either party may end this agreement by letter.",
         "The tenant keeps the roof in good repair at its expense.", "Notices must be in writing and reach the office of the other party."]
FAR = ["Invoices are due soon after receipt by the Licensee.", "This agreement may be ended by either of the parties.",
       "Repairs of the roof are for the tenant to pay.", "Notices shall be given in writing to the office."]


def test_sums_over_rows_give_sacrebleus_own_numbers():
    assert bleu("en").of(CLOSE, REFERENCES) == pytest.approx(BLEU(tokenize="13a").corpus_score(CLOSE, [REFERENCES]).score, abs=1e-12)
    assert chrf().of(FAR, REFERENCES) == pytest.approx(CHRF().corpus_score(FAR, [REFERENCES]).score, abs=1e-12)


def test_identical_chinese_is_100_only_with_the_chinese_tokeniser():
    text = ["甲方应当在收到发票之日起三十日内付款。"]
    assert bleu("zh").of(text, text) == pytest.approx(100)
    changed = ["甲方应当在收到发票之日起六十日内付款。"]
    assert bleu("en").of(changed, text) == 0
    assert bleu("zh").of(changed, text) > 60


def test_the_signature_names_the_tokeniser_and_the_version():
    assert "tok:zh" in bleu("zh").signature
    assert "version:" in chrf().signature


def test_a_metric_of_all_drafts_has_a_paired_test_by_document():
    many = 12
    documents = [str(number) for number in range(4 * many)]
    references = REFERENCES * many
    sums = {"close": bleu("en").sums(CLOSE * many, references), "far": bleu("en").sums(FAR * many, references),
            "again": bleu("en").sums(FAR * many, references)}
    table = CorpusTable(documents, sums, bleu("en").score, ScoresSettings(bootstrap=1000))
    assert table.value("close") == pytest.approx(bleu("en").of(CLOSE * many, references))
    assert table.p_value("close", "far") < 0.01
    assert table.p_value("far", "again") == 1.0


def test_the_paired_bootstrap_agrees_with_sacrebleus():
    rng = np.random.default_rng(3)
    picks = rng.integers(0, 4, size=80)
    references = [f"{REFERENCES[pick]} {number}" for number, pick in enumerate(picks)]
    first = [f"{(CLOSE if rng.random() < 0.6 else FAR)[pick]} {number}" for number, pick in enumerate(picks)]
    second = [f"{(CLOSE if rng.random() < 0.4 else FAR)[pick]} {number}" for number, pick in enumerate(picks)]
    theirs = PairedTest([("first", first), ("second", second)], {"BLEU": BLEU()}, [references], test_type="bs", n_samples=2000)()[1]["BLEU"]
    sums = {"first": bleu("en").sums(first, references), "second": bleu("en").sums(second, references)}
    table = CorpusTable([str(number) for number in range(80)], sums, bleu("en").score, ScoresSettings(bootstrap=2000))
    interval = percentile_interval(table.resampled("second"))
    # Both intervals rest on 2,000 resamples: ends wander by about half a point.
    assert theirs[1].mean == pytest.approx(float(table.resampled("second").mean()), abs=0.5)
    assert theirs[1].ci == pytest.approx((interval.high - interval.low) / 2, abs=0.6)
