"""The prompt that asks a model to translate a clause, with the words that must be translated one way."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tutelage.core.records import Language, Message

# In the language that the reply must have: small models answer in the language they are asked in.
WISHES: dict[Language, str] = {
    "en": "Translate this contract clause into English. Keep every number, period, party and negation. Give only the translation.",
    "zh": "把下面的合同条款译成中文。数字、期限、当事人和否定词都不能少。只输出译文。",
}
WORDS: dict[Language, str] = {"en": "Use these words: {}.", "zh": "用词：{}。"}
# Parties and terms that must come back as they were: each Chinese word has an English one of its own.
GLOSSARY: tuple[tuple[str, str], ...] = (
    ("甲方", "Party A"), ("乙方", "Party B"), ("丙方", "Party C"), ("双方", "both parties"), ("各方", "all parties"),
    ("任何一方", "either party"), ("另一方", "the other side"), ("对方", "the other party"), ("一方", "one party"),
    ("当事人", "the parties concerned"), ("第三人", "a third person"), ("第三方", "a third party"), ("债权人", "creditor"),
    ("债务人", "debtor"), ("保证人", "guarantor"), ("出卖人", "vendor"), ("买受人", "purchaser"), ("卖方", "seller"), ("买方", "buyer"),
    ("出租人", "lessor"), ("承租人", "lessee"), ("出借人", "lender"), ("贷款人", "bank"), ("借款人", "borrower"), ("许可人", "licensor"),
    ("被许可人", "licensee"), ("许可方", "licensing party"), ("被许可方", "licensed party"), ("转让人", "assignor"),
    ("受让人", "assignee"), ("委托人", "principal"), ("受托人", "agent"), ("定作人", "client"), ("承揽人", "contractor"),
    ("发包人", "project owner"), ("承包人", "builder"), ("托运人", "shipper"), ("承运人", "carrier"), ("收货人", "consignee"),
    ("寄存人", "depositor"), ("保管人", "custodian"), ("存货人", "bailor"), ("合伙人", "partner"), ("中介人", "broker"),
    ("赠与人", "donor"), ("受赠人", "donee"), ("业主", "flat owner"), ("物业服务人", "property manager"), ("供应商", "supplier"),
    ("披露方", "disclosing party"), ("接收方", "receiving party"), ("违约金", "liquidated damages"), ("定金", "earnest money"),
    ("价款", "price"), ("报酬", "remuneration"), ("标的物", "subject matter"), ("租赁物", "leased property"),
    ("保管物", "deposited property"), ("违约责任", "liability for breach"), ("不可抗力", "force majeure"),
    ("人民法院", "the people's court"), ("仲裁机构", "arbitration institution"), ("书面同意", "written consent"),
    ("书面通知", "written notice"), ("履行期限", "time for performance"), ("不定期", "without a fixed term"), ("抗辩", "defence"),
    ("抵销", "set-off"), ("追偿", "recourse"), ("质量", "quality"), ("数量", "quantity"), ("合理期限", "reasonable period"),
    ("另有约定", "agreed otherwise"), ("没有约定", "not agreed"), ("约定不明确", "not clearly agreed"), ("除外", "excepted"),
)


def terms_in(text: str, language: Language) -> tuple[tuple[str, str], ...]:
    """The pairs of the glossary, Chinese and English, whose word of `language` stands in the text; none within another one."""
    found = []
    left = text if language == "zh" else text.lower()
    for pair in sorted(GLOSSARY, key=lambda pair: -len(pair[0 if language == "zh" else 1])):
        word = pair[0] if language == "zh" else pair[1].lower()
        pattern = re.escape(word) if language == "zh" else rf"\b{re.escape(word)}\b"
        if re.search(pattern, left):
            found.append(pair)
            left = re.sub(pattern, " ", left)
    return tuple(found)


def translate_messages(text: str, target: Language, terms: Sequence[tuple[str, str]] = ()) -> tuple[Message, ...]:
    """One user message that asks for `text` in another language. No system message: not every chat format has one."""
    wish = WISHES[target]
    if terms:
        pairs = [f"{chinese} = {english}" if target == "en" else f"{english} = {chinese}" for chinese, english in terms]
        wish += " " * (target == "en") + WORDS[target].format("; ".join(pairs) if target == "en" else "；".join(pairs))
    return (Message(role="user", content=f"{wish}\n\n{text}"),)
