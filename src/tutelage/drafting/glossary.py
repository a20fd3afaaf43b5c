"""A small legal glossary of ours, Chinese and English, so that a keyword of one language finds clauses of the other."""

from __future__ import annotations

import re
from functools import cache

TERMS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("保密期限", ("confidentiality period", "term of confidentiality")),
    ("保密义务", ("confidentiality obligation", "duty of confidentiality")),
    ("保密信息", ("confidential information",)),
    ("保密", ("confidentiality",)),
    ("商业秘密", ("trade secret",)),
    ("违约责任", ("liability for breach", "breach of contract")),
    ("违约金", ("liquidated damages",)),
    ("违约", ("breach", "default")),
    ("滞纳金", ("late payment interest", "late charge")),
    ("逾期付款", ("late payment",)),
    ("损害赔偿", ("damages",)),
    ("间接损失", ("indirect damages", "consequential damages")),
    ("责任限制", ("limitation of liability",)),
    ("责任上限", ("liability cap",)),
    ("赔偿", ("indemnification",)),
    ("争议解决", ("dispute resolution",)),
    ("仲裁", ("arbitration",)),
    ("调解", ("mediation",)),
    ("协商", ("negotiation",)),
    ("管辖", ("jurisdiction",)),
    ("法律适用", ("governing law",)),
    ("不可抗力", ("force majeure",)),
    ("情势变更", ("change of circumstances", "hardship")),
    ("付款", ("payment",)),
    ("付款期限", ("payment term", "due date")),
    ("预付款", ("advance payment",)),
    ("发票", ("invoice",)),
    ("税费", ("taxes",)),
    ("费用", ("fees",)),
    ("价格调整", ("price adjustment",)),
    ("知识产权", ("intellectual property",)),
    ("知识产权归属", ("ownership of intellectual property",)),
    ("著作权", ("copyright",)),
    ("专利", ("patent",)),
    ("商标", ("trademark",)),
    ("许可", ("license grant", "licence")),
    ("源代码", ("source code",)),
    ("第三方软件", ("third-party software",)),
    ("个人信息保护", ("data protection", "privacy")),
    ("个人信息", ("personal data", "personal information")),
    ("数据安全", ("data security",)),
    ("数据泄露", ("data breach", "personal data breach")),
    ("竞业限制", ("non-compete", "non-competition")),
    ("经济补偿", ("compensation",)),
    ("禁止招揽", ("non-solicitation",)),
    ("解除", ("termination for cause", "rescission")),
    ("任意解除", ("termination for convenience",)),
    ("终止", ("termination",)),
    ("期限", ("term",)),
    ("续期", ("renewal",)),
    ("通知", ("notices",)),
    ("送达", ("service of notices", "delivery of notice")),
    ("转让", ("assignment",)),
    ("分包", ("subcontracting",)),
    ("完整协议", ("entire agreement",)),
    ("可分割性", ("severability",)),
    ("弃权", ("waiver",)),
    ("变更", ("amendment",)),
    ("存续", ("survival",)),
    ("定义", ("definitions",)),
    ("交付", ("delivery",)),
    ("验收", ("acceptance", "acceptance test")),
    ("质量保证", ("warranty",)),
    ("保修期", ("warranty period",)),
    ("陈述与保证", ("representations and warranties",)),
    ("免责声明", ("disclaimer of warranty",)),
    ("技术支持", ("technical support",)),
    ("维护", ("maintenance",)),
    ("服务水平", ("service level",)),
    ("保险", ("insurance",)),
    ("审计", ("audit",)),
    ("账簿记录", ("books and records",)),
    ("出口管制", ("export control",)),
    ("反腐败", ("anti-corruption", "anti-bribery")),
    ("独立缔约方", ("independent contractor",)),
    ("使用限制", ("use restrictions",)),
    ("反向工程", ("reverse engineering",)),
    ("风险转移", ("risk of loss", "passing of risk")),
    ("所有权", ("title", "ownership")),
    ("定金", ("earnest money", "deposit")),
    ("补救期", ("cure period",)),
    ("书面通知", ("written notice",)),
    ("工作成果", ("work product", "deliverables")),
    ("关联方", ("affiliate",)),
)
_CHINESE = re.compile(r"[\u3400-\u9fff]")


@cache
def translations(keyword: str) -> tuple[str, ...]:
    """The keyword's names in the other language; () if the glossary has none.

    A longer keyword is translated by the longest terms in it: 保密期限届满 by those of 保密期限.
    """
    if _CHINESE.search(keyword):
        return tuple(name for term in _longest(keyword, [term for term, _ in TERMS]) for name in dict(TERMS)[term])
    english = {name: term for term, names in reversed(TERMS) for name in names}
    tidy = f" {_plain(keyword)} "
    spelled = {f" {_plain(name)} ": name for name in english}
    return tuple(dict.fromkeys(english[spelled[name]] for name in _longest(tidy, list(spelled))))


def _longest(text: str, names: list[str]) -> list[str]:
    """The names that occur in the text, without those inside a longer one that occurs."""
    inside = [name for name in names if name in text]
    return [name for name in inside if not any(name != other and name in other for other in inside)]


def _plain(name: str) -> str:
    words = re.findall(r"[a-z0-9]+", name.lower())
    return " ".join(word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word for word in words)
