"""THE layout of a prompt that shows the model a clause of the library as an example."""

from __future__ import annotations

from collections.abc import Sequence

from tutelage.core.errors import InputError
from tutelage.core.records import Language, Message

LAYOUTS: dict[Language, str] = {
    "en": "{wish}\n\nA clause of the library, as an example:\n{clause}\n\nNow write the clause that is asked for above.",
    "zh": "{wish}\n\n条款库中的一条条款，供参考：\n{clause}\n\n请写出上文所要的条款。",
}


def with_clause(prompt: Sequence[Message], clause: str, language: Language) -> tuple[Message, ...]:
    """The prompt whose last message, the user's, also shows the clause. Raises InputError where the last message is not the user's."""
    if not prompt or prompt[-1].role != "user":
        raise InputError(f"a clause of the library is shown in the user's message; the prompt ends with "
                         f"{prompt[-1].role if prompt else 'nothing'}. Give a prompt that ends with the user's message.")
    wish = LAYOUTS[language].format(wish=prompt[-1].content, clause=clause)
    return *prompt[:-1], Message(role="user", content=wish)
