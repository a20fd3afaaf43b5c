"""The gate of augmentation: what may differ from the parent, and what may not."""

from __future__ import annotations

import pytest
from augment_rows import NOTICE, PAYMENT, PAYMENT_ZH, REWORDED_ZH, TRANSFER, TRANSFER_ZH, row

from tutelage.core.records import Language
from tutelage.dataset.augment.accept import HeldOut, why_refused

GRANT = "Corvell grants Ardent a right to use the Programs of Corvell in the offices of Ardent, without charge to Ardent."
TERM = "This Agreement stays in force until the end of 2031, and the Parties then review the conditions of it together in good faith."
LIST_ZH = "本合同一般包括下列内容：标的物的名称、数量和质量，价款的支付，保密义务、违约责任和争议解决的办法。"


def reason(parent: str, candidate: str, language: Language = "en") -> tuple[str, str]:
    refusal = why_refused(parent, candidate, language)
    return (refusal.reason, refusal.detail) if refusal else ("", "")


def test_the_translation_that_lost_thirty_days_is_refused_and_the_days_are_named() -> None:
    # What a real translation model made of this clause by way of Portuguese.
    lost = "Either of the parties may terminate this Agreement by prior written notice from the other party."
    assert reason(NOTICE, lost) == ("period", "period: P30D is missing")


def test_a_true_rewording_is_accepted() -> None:
    assert reason(NOTICE, "Upon thirty (30) days' prior notice in writing, this Agreement may be terminated by either party against the "
                          "other party.") == ("", "")
    assert reason(TRANSFER_ZH, REWORDED_ZH, "zh") == ("", "")


@pytest.mark.parametrize(("parent", "candidate", "language", "expected"), [
    (TRANSFER, TRANSFER.replace("shall not", "shall"), "en", "polarity"),
    (TRANSFER, TRANSFER.replace("shall not", "need not"), "en", "polarity"),
    (PAYMENT, PAYMENT.replace("shall pay", "may pay"), "en", "polarity"),
    (TRANSFER_ZH, TRANSFER_ZH.replace("乙方不得将", "乙方可以将"), "zh", "polarity"),
    (TRANSFER_ZH, TRANSFER_ZH.replace("未经甲方书面同意", "经甲方书面同意"), "zh", "polarity"),
    (PAYMENT_ZH, PAYMENT_ZH.replace("应当", "可以"), "zh", "polarity"),
    (PAYMENT, PAYMENT.replace("forty-five (45)", "fifty-four (54)"), "en", "period"),
    (PAYMENT, PAYMENT.replace("3%", "8%"), "en", "percentage"),
    (PAYMENT_ZH, PAYMENT_ZH.replace("100,000", "1,000").replace("壹拾万", "壹仟"), "zh", "amount"),
    (PAYMENT_ZH, PAYMENT_ZH.replace("向乙方", "向丙方"), "zh", "party"),
    (NOTICE, NOTICE.replace("days' prior", "days' later"), "en", "bound"),
    (PAYMENT_ZH, PAYMENT_ZH.replace("三十日内", "三十日前"), "zh", "bound"),
    (TRANSFER, TRANSFER.replace("the Software", "the program"), "en", "name"),
    (PAYMENT, PAYMENT.replace("In the event that an amount is not paid", "An amount is not paid"), "en", "condition"),
    (GRANT, GRANT.replace("Corvell grants Ardent", "Ardent grants Corvell"), "en", "order"),
    (GRANT, GRANT.replace("Corvell", "Corvel"), "en", "name"),
    (TERM, TERM.replace("until the end of 2031", "and ends in 2031"), "en", "bound"),
    (PAYMENT, PAYMENT.replace("within forty-five (45) days after receipt of it", "(45 days; within, after receipt of it)")
     .replace("shall pay", "should pay"), "en", "polarity"),
    (PAYMENT, PAYMENT.replace("each invoice", "each invoice of 7 lines"), "en", "number"),
    (GRANT, GRANT.replace("without charge to", "(a) without charge to"), "en", "list"),
    (GRANT, GRANT.replace("to use the Programs", 'of using "the Programs"'), "en", "quotation"),
    (GRANT, GRANT.replace("in the offices", "in your offices"), "en", "person"),
    (GRANT.replace("a right", "with best efforts a right"), GRANT.replace("a right", "with reasonable efforts a right"), "en", "effort"),
    (NOTICE, NOTICE.replace("prior written", "prior to written"), "en", "effort"),
    (PAYMENT_ZH, PAYMENT_ZH.replace("甲方应当", "乙方应当").replace("向乙方", "向甲方"), "zh", "order"),
    (TRANSFER_ZH, TRANSFER_ZH.replace("乙方擅自转让的，", "乙方擅自转让，"), "zh", "condition"),
    (LIST_ZH, LIST_ZH.replace("保密义务、违约责任和争议解决", "若干事项"), "zh", "legal term"),
])
def test_a_change_of_meaning_is_refused_by_its_kind(parent: str, candidate: str, language: Language, expected: str) -> None:
    candidate = candidate.replace("in whole or in part", "wholly or partly").replace("written notice", "notice in writing")
    assert reason(parent, candidate.replace("第三方", "第三人"), language)[0] == expected


def test_a_text_of_another_form_is_refused_before_its_meaning_is_read() -> None:
    assert reason(NOTICE, NOTICE) == ("unchanged", "J = 1.000")
    assert reason(NOTICE, "任何一方可以提前三十日书面通知对方解除本合同。") == ("other language", "zh")
    assert reason(PAYMENT_ZH, PAYMENT_ZH.replace("违约金", "penalty"), "zh") == ("foreign words", "penalty")
    assert reason(NOTICE, "Thirty (30) days' notice.") == ("length", "0.24 of the parent's")  # 25 of 105 characters
    assert reason(NOTICE, NOTICE.replace("other party", "other other party")) == ("stutter", "other")


def test_the_form_allows_half_and_twice_the_length() -> None:
    short = "Each party may end this on thirty days' prior notice."
    assert len(NOTICE) / 2 < len(short) < len(NOTICE) / 1.9
    assert reason(NOTICE, short)[0] != "length"
    assert reason(NOTICE, short[:len(NOTICE) // 2])[0] == "length"


def test_a_candidate_like_a_held_out_row_is_refused_with_that_row() -> None:
    held_out = row("A party may terminate this Agreement upon thirty (30) days' prior written notice to the other party.", "termination",
                   "en", part="held_out")
    refusal = HeldOut([row(TRANSFER, "assignment", "en", part="held_out"), held_out]).resembled(NOTICE, "en")
    # 17 words, 13 runs of five in each; the two that hold the first word differ only in one: 12 shared of 14.
    assert refusal is not None
    assert (refusal.reason, refusal.detail) == ("held out", f"{held_out.id}, J = 0.857")
    assert HeldOut([held_out]).resembled(TRANSFER, "en") is None
    assert HeldOut([]).resembled(NOTICE, "en") is None
