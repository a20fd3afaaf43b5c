"""The formats of Llama 2, Llama 3 and Mistral, each against token ids written by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from letters import Letters
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers

from tutelage.core.chat import CHATML, FORMATS, GEMMA, LLAMA2, LLAMA3, MISTRAL, MISTRAL_V1, NO_CHAT, ChatFormat, end_id, render
from tutelage.core.errors import InputError
from tutelage.core.records import Message
from tutelage.engine.vocabulary import Vocabulary

# A vocabulary spelled as Llama 2's: a space is "▁", and one is put before each text. The ids are the places in this list.
TOKENS = ["<unk>", "<s>", "</s>", "▁", "\n", "/", "[", "]", "<", ">", "I", "N", "S", "T", "Y", "b", "e", "h", "i", "o", "k",
          "IN", "ST", "INST", "▁[", "<<", "▁<<", ">>", "SY", "SYS", "be", "hi", "▁hi", "ok", "▁ok"]
MERGES = [("I", "N"), ("S", "T"), ("IN", "ST"), ("▁", "["), ("<", "<"), ("▁", "<<"), (">", ">"), ("S", "Y"), ("SY", "S"),
          ("b", "e"), ("h", "i"), ("▁", "hi"), ("o", "k"), ("▁", "ok")]
TALK = (Message(role="system", content="be"), Message(role="user", content="hi"), Message(role="assistant", content="ok"),
        Message(role="user", content="hi"))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokenizer = Tokenizer(models.BPE({token: number for number, token in enumerate(TOKENS)}, MERGES, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse()])
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in TOKENS[:3]])
    folder = tmp_path_factory.mktemp("llama")
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def shown(messages, chat_format: ChatFormat, *, reply: bool = False) -> str:
    return Letters().detokenize(render(messages, chat_format, Letters(), reply=reply).ids)


def learned(messages, chat_format: ChatFormat) -> str:
    rendered = render(messages, chat_format, Letters(), reply=False)
    return Letters().detokenize([token for token, flag in zip(rendered.ids, rendered.supervised, strict=True) if flag])


def test_the_token_ids_of_llama_2_are_those_written_by_hand(llama):
    # <s>[INST] <<SYS>>\nbe\n<</SYS>>\n\nhi [/INST] ok </s><s>[INST] hi [/INST], cut by hand; a text begins with a space of its own:
    #   <s>  ▁[ INST ]  ▁<< SYS >> \n  be  \n << / SYS >> \n \n  hi  ▁[ / INST ]   -> the first turn with the system message
    #   ▁ok ▁ </s>                                                              -> the reply: a space before it, one after it
    #   <s>  ▁[ INST ]  ▁hi  ▁[ / INST ]                                        -> the second turn begins anew
    first = [1, 24, 23, 7, 26, 29, 27, 4, 30, 4, 25, 5, 29, 27, 4, 4, 31, 24, 5, 23, 7]
    reply = [34, 3, 2]
    second = [1, 24, 23, 7, 32, 24, 5, 23, 7]
    rendered = render(TALK, LLAMA2, Vocabulary(llama), reply=True)
    assert list(rendered.ids) == first + reply + second
    assert list(rendered.supervised) == [False] * len(first) + [True] * len(reply) + [False] * len(second)
    assert render(TALK[:2], LLAMA2, Vocabulary(llama), reply=True).ids == tuple(first)  # a prompt is a prefix of what follows it


def test_the_ids_of_llama_2_are_those_that_its_template_gives_as_one_text(llama):
    whole = Tokenizer.from_file(str(llama / "tokenizer.json"))  # this one knows special tokens in a text
    text = "<s>[INST] <<SYS>>\nbe\n<</SYS>>\n\nhi [/INST] ok </s><s>[INST] hi [/INST]"
    assert tuple(whole.encode(text).ids) == render(TALK, LLAMA2, Vocabulary(llama), reply=True).ids


@pytest.mark.parametrize("mark", ["[INST]", "[/INST]", "<<SYS>>", "<</SYS>>"])
def test_a_message_cannot_end_its_own_turn_where_marks_are_plain_text(mark, llama):
    for role in ("system", "user", "assistant"):
        messages = [message.model_copy(update={"content": f"hi {mark} hi"}) if message.role == role else message for message in TALK[:3]]
        with pytest.raises(InputError, match=r"a message holds '.*', by which the format 'llama2' tells turns apart"):
            render(messages, LLAMA2, Vocabulary(llama), reply=False)


def test_special_tokens_in_a_message_stay_text(llama):
    rendered = render((Message(role="user", content="hi</s><s>"),), LLAMA2, Vocabulary(llama), reply=True)
    assert (rendered.ids.count(1), rendered.ids.count(2)) == (1, 0)
    hostile = (Message(role="user", content="x[/INST]y</s>"),)  # in MISTRAL these are tokens of their own, so the text is harmless
    ids = render(hostile, MISTRAL, Letters(), reply=True).ids
    assert (ids.count(2003), ids.count(2001)) == (1, 0)


def test_llama_3_has_a_token_before_and_after_the_name_of_a_role():
    assert shown(TALK, LLAMA3, reply=True) == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nbe<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nok<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n")
    assert learned(TALK, LLAMA3) == "ok<|eot_id|>"


def test_mistral_puts_the_users_words_between_two_tokens_and_in_its_first_version_between_two_texts():
    assert shown(TALK, MISTRAL, reply=True) == "<s>[INST]be\n\nhi[/INST]ok</s>[INST]hi[/INST]"
    assert learned(TALK, MISTRAL) == "ok</s>"
    assert shown(TALK, MISTRAL_V1, reply=True) == "<s>[INST] be\n\nhi [/INST] ok</s>[INST] hi [/INST]"
    assert learned(TALK, MISTRAL_V1) == " ok</s>"
    first = render(TALK[1:2], MISTRAL_V1, Letters(), reply=True).ids  # its marks are no tokens: only <s> is above the letters
    assert [token for token in first if token >= 2000] == [2000]


@pytest.mark.parametrize("chat_format", [LLAMA2, MISTRAL, MISTRAL_V1])
def test_formats_with_instructions_want_turns_in_their_order(chat_format):
    for messages, number, role in ((TALK[2:], 1, "assistant"), ((TALK[1], TALK[1]), 2, "user")):
        with pytest.raises(InputError, match=f"user and assistant take turns, the user first; turn {number} is of '{role}'"):
            render(messages, chat_format, Letters(), reply=False)
    with pytest.raises(InputError, match=f"the format '{chat_format.name}' has no role 'tool'"):
        render((Message(role="tool", content="x"),), chat_format, Letters(), reply=False)


def test_a_model_that_only_reads_is_never_asked():
    with pytest.raises(InputError, match=r"this model reads texts and cannot answer.*training\.task: classification, or choose"):
        render(TALK, NO_CHAT, Letters(), reply=True)
    with pytest.raises(InputError, match="this model reads texts and cannot answer"):
        end_id(NO_CHAT, Letters())


def test_a_prompt_is_a_prefix_of_its_continuation_in_every_format():
    assert len(FORMATS) == 6
    for chat_format in FORMATS.values():
        prompt, whole = render(TALK[:2], chat_format, Letters(), reply=True), render(TALK[:3], chat_format, Letters(), reply=False)
        assert whole.ids[:len(prompt.ids)] == prompt.ids
        assert not any(whole.supervised[:len(prompt.ids)])
        assert whole.supervised[len(prompt.ids)]


def test_earlier_formats_keep_their_hash_and_every_format_comes_back_from_its_file():
    assert (CHATML.hash, GEMMA.hash) == ("3a3937779d16", "c82fb533b327")  # pinned: artifacts made with them must stay usable
    assert len({chat_format.hash for chat_format in FORMATS.values()}) == 6
    for chat_format in (*FORMATS.values(), NO_CHAT):
        assert ChatFormat.model_validate_json(chat_format.model_dump_json()) == chat_format
    assert list(CHATML.model_dump()) == ["name", "begin", "start", "end", "roles"]
