"""The prompt that asks a model to translate a clause."""

from __future__ import annotations

from tutelage.core.records import Language, Message

# In the language that the reply must have: small models answer in the language they are asked in.
WISHES: dict[Language, str] = {
    "en": "Translate this contract clause into English. Keep every number, period, party and negation. Give only the translation.",
    "zh": "把下面的合同条款译成中文。数字、期限、当事人和否定词都不能少。只输出译文。",
}


def translate_messages(text: str, target: Language) -> tuple[Message, ...]:
    """One user message that asks for `text` in another language. No system message: not every chat format has one."""
    return (Message(role="user", content=f"{WISHES[target]}\n\n{text}"),)
