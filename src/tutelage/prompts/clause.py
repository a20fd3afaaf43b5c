"""THE prompt of a clause draft: the dataset trains with it, drafting and the pages ask with it."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.errors import InputError
from tutelage.core.language import catalogue
from tutelage.core.records import Language, Message

NAMES = "text.clause_type."  # the types' names in the message catalogue
ROLE: dict[Language, str] = {"en": "You draft contract clauses.", "zh": "你起草合同条款。"}


def clause_messages(clause_type: str, keywords: Sequence[str], language: Language, *, name: str = "") -> tuple[Message, ...]:
    """System and user message that ask for one clause of a type, about some keywords, in a language.

    `name` names a type that only a user's own labels know. At most 60 tokens with six usual keywords: every token of it
    is paid in each training row. Raises InputError for a type that does not exist and has no name.
    """
    names = catalogue()
    if NAMES + clause_type in names:
        name = names[NAMES + clause_type][language]
    elif not name:
        known = ", ".join(key.removeprefix(NAMES) for key in names if key.startswith(NAMES))
        raise InputError(f"there is no clause type {clause_type!r}. Choose one of: {known}.")
    words = [" ".join(keyword.split()) for keyword in keywords if keyword.strip()]
    if language == "zh":
        wish = f"用中文撰写条款。类型：{name}。" + (f"关键词：{'、'.join(words)}。" if words else "")
    else:
        wish = f"Write a clause in English. Type: {name}." + (f" Keywords: {', '.join(words)}." if words else "")
    return Message(role="system", content=ROLE[language]), Message(role="user", content=wish)
