"""The prompt that asks a model which of two drafts answers a request better, to be answered with one letter."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.records import Language, Message

# In the language of the drafts. The two places are letters, the same in both languages, so that one rule reads all answers.
WISHES: dict[Language, str] = {
    "en": "Two drafts answer the same request for a contract clause. Which one would a careful lawyer rather start from? Look at whether "
          "it is the clause that was asked for, says everything that was asked, invents nothing and could be signed as it stands. Length "
          "alone is no merit. Answer with one letter and nothing else: A, B, or T if neither is better.",
    "zh": "下面两份草稿回应同一条款起草要求。谨慎的律师更愿意以哪一份为底稿？请看：是不是所要的条款，要求的内容是否齐全，有没有凭空添加，"
          "能否直接签署。篇幅长短本身不是优点。只回答一个字母，不要写别的：A、B，难分高下则写 T。",
}
PARTS: dict[Language, tuple[str, str, str]] = {"en": ("Request", "Draft A", "Draft B"), "zh": ("起草要求", "草稿 A", "草稿 B")}


def preferred_messages(request: Sequence[Message], first: str, second: str, language: Language) -> tuple[Message, ...]:
    """One user message with what was asked (its last message) and both drafts, the first as A. No system message: not every chat format
    has one.
    """
    asked, one, other = PARTS[language]
    texts = ((asked, request[-1].content), (one, first), (other, second))
    return (Message(role="user", content="\n\n".join([WISHES[language], *(f"[{name}]\n{text}" for name, text in texts)])),)
