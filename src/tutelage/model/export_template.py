"""A chat format as a Jinja template, for servers that render for themselves; ours never do."""

from __future__ import annotations

from json import dumps

from tutelage.core.chat import ChatFormat


def chat_template(chat_format: ChatFormat) -> str:
    """The template that frames turns as `core.chat` does, special tokens spelled out."""
    lead, turns, opening = "", "messages", ""
    if "system" not in chat_format.roles:  # a system message leads the user's first one
        lead, turns, opening = '(lead if loop.first else "") + ', "turns", _leading(chat_format)
    begin = f"{{{{ {dumps(chat_format.begin)} }}}}"
    if chat_format.instruct:
        return f"{opening}{begin}{{% for message in {turns} %}}{_instruct_turn(chat_format, lead)}{{% endfor %}}"
    names = ", ".join(f"{dumps(role)}: {dumps(name)}" for role, name in chat_format.roles.items())
    start, gap = dumps(chat_format.start), dumps(chat_format.head_end + chat_format.head_gap)
    end = dumps(chat_format.end) + (f" + {dumps(chat_format.turn_gap)}" if chat_format.turn_gap else "")
    reply = dumps(f"{chat_format.start}{chat_format.roles['assistant']}{chat_format.head_end}{chat_format.head_gap}")
    return (f"{{% set names = {{{names}}} %}}{opening}{begin}{{% for message in {turns} %}}"
            f"{{{{ {start} + names[message['role']] + {gap} + {lead}message['content'] + {end} }}}}"
            f"{{% endfor %}}{{% if add_generation_prompt %}}{{{{ {reply} }}}}{{% endif %}}")


def _leading(chat_format: ChatFormat) -> str:
    """Takes a leading system message out of the turns and frames it as `lead`."""
    opened = f"{dumps(chat_format.system_open)} + " if chat_format.system_open else ""
    return ("{% set lead = \"\" %}{% set turns = messages %}{% if messages[0]['role'] == 'system' %}"
            f"{{% set lead = {opened}messages[0]['content'] + {dumps(chat_format.system_close)} %}}"
            "{% set turns = messages[1:] %}{% endif %}")


def _instruct_turn(chat_format: ChatFormat, lead: str) -> str:
    marks = chat_format.instruct
    assert marks is not None
    space = "" if marks.special else " "
    start = dumps(chat_format.start + space)
    if marks.begins:
        start = f'("" if loop.first else {dumps(chat_format.begin)}) + {start}'
    before = f"{dumps(space)} + " if space else ""
    return (f"{{% if message['role'] == 'user' %}}{{{{ {start} + {lead}message['content'] + {dumps(space + marks.close)} }}}}"
            f"{{% else %}}{{{{ {before}message['content'] + {dumps(marks.trail + chat_format.end)} }}}}{{% endif %}}")
