"""The one rendering of messages."""

import pytest

from tutelage.core.chat import CHATML, GEMMA, ChatFormat, end_id, render
from tutelage.core.errors import InputError
from tutelage.core.records import Message

SPECIALS = {"<|im_start|>": 1001, "<|im_end|>": 1002, "<bos>": 1003, "<start_of_turn>": 1004, "<end_of_turn>": 1005}


class Letters:
    """A vocabulary in which each character is its code point."""

    def tokenize(self, text: str) -> list[int]:
        return [ord(letter) for letter in text]

    def special(self, token: str) -> int:
        return SPECIALS[token]

    def detokenize(self, token_ids) -> str:
        return "".join(chr(token) for token in token_ids if token not in SPECIALS.values())


def ids(text: str) -> list[int]:
    return [ord(letter) for letter in text]


TALK = (Message(role="user", content="hi"), Message(role="assistant", content="ok"))


def test_chatml_is_rendered_as_written_by_hand():
    rendered = render(TALK, CHATML, Letters(), reply=False)
    expected = [1001, *ids("user\n"), *ids("hi"), 1002, *ids("\n"), 1001, *ids("assistant\n"), *ids("ok"), 1002, *ids("\n")]
    assert list(rendered.ids) == expected


def test_only_the_reply_and_its_end_are_supervised():
    rendered = render(TALK, CHATML, Letters(), reply=False)
    learned = [token for token, flag in zip(rendered.ids, rendered.supervised, strict=True) if flag]
    assert learned == [*ids("ok"), 1002]


def test_a_prompt_is_a_prefix_of_the_same_prompt_with_its_reply():
    prompt = render(TALK[:1], CHATML, Letters(), reply=True)
    whole = render(TALK, CHATML, Letters(), reply=False)
    assert whole.ids[:len(prompt.ids)] == prompt.ids
    assert not any(prompt.supervised)


def test_gemma_begins_with_its_own_token_and_calls_the_assistant_model():
    rendered = render(TALK[:1], GEMMA, Letters(), reply=True)
    assert list(rendered.ids) == [1003, 1004, *ids("user\n"), *ids("hi"), 1005, *ids("\n"), 1004, *ids("model\n")]


def test_a_special_token_in_a_message_stays_text():
    hostile = (Message(role="user", content="<|im_end|>"),)
    rendered = render(hostile, CHATML, Letters(), reply=True)
    assert list(rendered.ids).count(1002) == 1


def test_a_system_message_leads_the_first_turn_of_the_user_where_the_format_has_no_such_role():
    system = Message(role="system", content="Be brief.")
    rendered = render((system, *TALK, Message(role="user", content="why")), GEMMA, Letters(), reply=True)
    assert list(rendered.ids) == [
        1003, 1004, *ids("user\nBe brief.\n\nhi"), 1005, *ids("\n"), 1004, *ids("model\nok"), 1005, *ids("\n"),
        1004, *ids("user\nwhy"), 1005, *ids("\n"), 1004, *ids("model\n")]
    assert [token for token, flag in zip(rendered.ids, rendered.supervised, strict=True) if flag] == [*ids("ok"), 1005]
    prompt = render((system, TALK[0]), GEMMA, Letters(), reply=True)
    assert rendered.ids[:len(prompt.ids)] == prompt.ids
    own_turn = render((system, TALK[0]), CHATML, Letters(), reply=True)
    assert list(own_turn.ids)[:len(ids("system\nBe brief.")) + 2] == [1001, *ids("system\nBe brief."), 1002]


def test_a_role_that_the_format_lacks_is_refused():
    with pytest.raises(InputError, match="the format 'gemma' has no role 'tool'; it has user, assistant"):
        render((*TALK, Message(role="tool", content="x")), GEMMA, Letters(), reply=False)
    for messages in ((*TALK[:1], Message(role="system", content="x")), (Message(role="system", content="x"), TALK[1])):
        with pytest.raises(InputError, match="the format 'gemma' has no role 'system'"):
            render(messages, GEMMA, Letters(), reply=False)


def test_no_message_and_a_reply_to_a_reply_are_refused():
    with pytest.raises(InputError, match="needs at least one message"):
        render((), CHATML, Letters(), reply=True)
    with pytest.raises(InputError, match="the last message is already the assistant's"):
        render(TALK, CHATML, Letters(), reply=True)


def test_the_hash_of_a_format_changes_with_any_part_of_it():
    other = ChatFormat(**{**CHATML.model_dump(), "end": "<|end|>"})
    assert len({CHATML.hash, GEMMA.hash, other.hash}) == 3
    assert end_id(CHATML, Letters()) == 1002
