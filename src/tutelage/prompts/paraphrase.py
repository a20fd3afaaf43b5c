"""The prompt that asks a model to say a clause in other words."""

from __future__ import annotations

from tutelage.core.records import Language, Message

WISHES: dict[Language, str] = {
    "en": "Rewrite this contract clause in other words. Keep its meaning and every number, period, party and negation. "
          "Give only the rewritten clause.",
    "zh": "换一种说法改写下面的合同条款。意思、数字、期限、当事人和否定词都不变。只输出改写后的条款。",
}


def paraphrase_messages(text: str, language: Language) -> tuple[Message, ...]:
    """One user message that asks for the same clause in other words. No system message: not every chat format has one."""
    return (Message(role="user", content=f"{WISHES[language]}\n\n{text}"),)
