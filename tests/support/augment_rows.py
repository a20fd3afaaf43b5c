"""Clauses of ours as training rows, for the tests of augmentation."""

from __future__ import annotations

from tutelage.core.files import short_hash
from tutelage.core.records import Example, Language, Message, Part
from tutelage.prompts.clause import clause_messages

NOTICE = "Either party may terminate this Agreement upon thirty (30) days' prior written notice to the other party."
TRANSFER = "The Licensee shall not transfer the Software in whole or in part without the prior written consent of the Licensor."
PAYMENT = ("The Buyer shall pay each invoice within forty-five (45) days after receipt of it. In the event that an amount is not paid in "
           "time, it bears interest at 3% per month, and the Supplier may suspend the Services upon ten (10) days' written notice.")
PAYMENT_ZH = ("甲方应当在收到发票后三十日内向乙方支付人民币100,000元（大写：壹拾万元整），逾期付款的，"
              "每逾期一日按照未付金额的万分之五支付违约金。")
TRANSFER_ZH = "未经甲方书面同意，乙方不得将本合同项下的权利义务全部或者部分转让给第三方；乙方擅自转让的，甲方有权立即解除本合同。"
REWORDED_ZH = ("在未经甲方书面同意时，乙方不得将其本合同项下权利义务的部分或者全部转让给第三方；"
               "乙方私自转让的，甲方有权即刻解除本合同。")


def row(text: str, clause_type: str, language: Language, *, part: Part = "train", words: tuple[str, ...] = ("notice",),
        unit: str = "u1", permission: str = "everyone") -> Example:
    messages = (*clause_messages(clause_type, words, language), Message(role="assistant", content=text))
    return Example(id=short_hash(text, part), messages=messages, clause_type=clause_type, keywords=words, language=language, heading="",
                   document_id="d1", source="a contract of ours", start=10, end=10 + len(text), family="f1", part=part, unit=unit,
                   permission=permission)


def clause_rows() -> list[Example]:
    return [row(NOTICE, "termination", "en"), row(TRANSFER, "assignment", "en", unit="u2", permission="client:acme"),
            row(PAYMENT, "fees_payment", "en"), row(PAYMENT_ZH, "fees_payment", "zh", words=("违约金",)),
            row(TRANSFER_ZH, "assignment", "zh", words=("转让",))]
