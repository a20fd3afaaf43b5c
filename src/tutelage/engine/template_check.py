"""Whether a model's own chat template frames turns as the chat format does by which it is trained and served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers.utils.chat_template_utils import render_jinja_template

from tutelage.core.chat import ChatFormat, render
from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.engine.vocabulary import Vocabulary, open_tokenizer

TURNS = (Message(role="user", content="one"), Message(role="assistant", content="two"),
         Message(role="user", content="three"), Message(role="assistant", content="four"))
SYSTEM = Message(role="system", content="zero")


def check_template(template: str, chat_format: ChatFormat, folder: Path, *, begin: int | None, place: str) -> None:
    """Raise InputError if the special tokens of a conversation differ in kind or order: such a model would answer badly.

    `folder` holds the tokenizer, `begin` is the token that the template calls bos_token. Plain words that a template adds, such as
    today's date, are no difference. Raises InputError as well for a template that cannot be rendered.
    """
    vocabulary = Vocabulary(folder)
    names = {token: name for name, token in vocabulary.specials.items()}
    messages = (SYSTEM, *TURNS) if "system" in chat_format.roles else TURNS
    try:
        rendered: Any = render_jinja_template([[message.model_dump() for message in messages]], chat_template=template,
                                              bos_token=names.get(begin, "") if begin is not None else "", eos_token=chat_format.end)
    except Exception as error:
        raise InputError(f"{place}: its chat template cannot be rendered ({error}), so it is not known whether it agrees with the chat "
                         f"format {chat_format.name!r}. Correct it, or delete it if chat.json is right.") from error
    theirs = [names[token] for token in open_tokenizer(folder).encode(rendered[0][0], add_special_tokens=False).ids if token in names]
    ours = [names[token] for token in render(messages, chat_format, vocabulary, reply=False).ids if token in names]
    if theirs != ours:
        raise InputError(f"{place}: its chat template frames a conversation by {' '.join(theirs) or 'no special token'}, the chat format "
                         f"{chat_format.name!r} by {' '.join(ours) or 'none'}. A model trained so answers badly. Correct chat.json, "
                         "or delete the template if chat.json is right.")
