"""The Jinja template in a GGUF file, for servers that render for themselves, spells what we render."""

from __future__ import annotations

import jinja2
import pytest
from letters import Letters

from tutelage.core.chat import FORMATS, ChatFormat, render
from tutelage.core.records import Message
from tutelage.model.export_template import chat_template

TALK = tuple(Message(role=role, content=f'A {role}\'s "words"') for role in ("system", "user", "assistant", "user"))


@pytest.mark.parametrize("chat_format", FORMATS.values(), ids=list(FORMATS))
def test_the_template_of_every_format_spells_what_we_render(chat_format: ChatFormat) -> None:
    assert len(FORMATS) == 6
    template, vocabulary = jinja2.Environment().from_string(chat_template(chat_format)), Letters()
    for messages in (TALK, TALK[:2], TALK[1:2]):
        spelled = template.render(messages=[message.model_dump() for message in messages], add_generation_prompt=True)
        assert spelled == vocabulary.detokenize(render(messages, chat_format, vocabulary, reply=True).ids)
