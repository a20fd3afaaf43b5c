"""Rules of the recipe: their order, their guards, and the one that articles recommend."""

import pytest

from tutelage.core.edits import apply, revert
from tutelage.core.errors import InputError
from tutelage.documents.paragraphs import paragraphs, script_of, survey
from tutelage.documents.rules import RuleFailed, chinese_only_would_delete, rewrite, rules_of
from tutelage.documents.settings import DocumentsSettings

ENGLISH = ("The tenant shall pay the rent on the first day of each month, and the landlord shall keep the roof and the walls "
           "of the house in good repair for as long as this lease runs.")
GERMAN = ("Der Mieter zahlt die Miete am ersten Tag des Monats und hält die Wohnung in einem guten Zustand, der Vermieter sorgt für das "
          "Dach und die Wände des Hauses, solange dieser Vertrag läuft.")
CHINESE = "甲方应当在收到发票之日起三十日内支付全部费用，乙方应当对知悉的商业秘密承担保密义务。"


def _settings(**changes: object) -> DocumentsSettings:
    return DocumentsSettings.model_validate({"sources": ("x",), **changes})


def _rewritten(text: str, is_document: bool = True, **changes: object) -> str:
    done = rewrite(text, _settings(**changes), is_document=is_document)
    assert apply(text, done.steps) == done.text
    assert revert(done.text, done.steps) == text
    return done.text


def test_own_rules_run_in_order_and_keep_what_their_brackets_found() -> None:
    rules = ({"name": "stamp", "find": r"^DRAFT \d+$"}, {"name": "dates", "find": r"(\d+)/(\d+)/(\d{4})", "replace": r"\3-\1-\2"},
             {"name": "years", "find": "2024-", "replace": "(2024) "})
    assert _rewritten("DRAFT 12\nSigned on 3/12/2024.\nDRAFT 7 stays.", replace=rules) == "Signed on (2024) 3-12.\nDRAFT 7 stays."
    done = rewrite("DRAFT 12\nSigned on 3/12/2024.", _settings(replace=rules), is_document=True)
    assert [step.rule for step in done.steps] == ["replace:stamp", "replace:dates", "replace:years", "outer_blank_lines"]
    assert done.changes == {"replace:stamp": 1, "replace:dates": 1, "replace:years": 1, "outer_blank_lines": 1}


def test_a_pattern_that_never_ends_is_stopped_and_named() -> None:
    with pytest.raises(RuleFailed, match=r"takes more than 2 s on this text. Do not nest \+ or \*") as failed:
        _rewritten("a" * 60 + "!", replace=({"name": "slow", "find": r"(a|aa|aaa|a+)+(a|aa)+$"},))
    assert failed.value.rule == "slow"


def test_a_rule_that_lets_the_text_grow_is_stopped() -> None:
    with pytest.raises(RuleFailed, match="more than 4 times as long"):
        _rewritten("a" * 1_000, replace=({"name": "grow", "find": "a", "replace": "b" * 900},))


def test_a_pattern_that_the_second_engine_refuses_is_an_error_before_the_work() -> None:
    settings = _settings(replace=({"name": "odd", "find": "[[:nonsense:]]"},))
    with pytest.raises(InputError, match=r"documents.replace: the pattern '\[\[:nonsense:\]\]' of 'odd' cannot be used \(unknown property"):
        rules_of(settings)


def test_what_the_rule_for_chinese_only_deletes_is_counted_by_kind() -> None:
    # 12 and 3 are three digits, ACME four letters; （ ） ， 。 four marks; 㐀 is a rare character; spaces count nowhere.
    text = "甲方（ACME）应付 12 元，㐀某付3元。"
    assert chinese_only_would_delete(text) == {"digits": 3, "letters": 4, "punctuation": 4, "rare_characters": 1}
    assert _rewritten(f"{text}\n乙方同意", chinese_only="delete") == "甲方应付元某付元\n乙方同意"
    assert _rewritten(text, chinese_only="count") == text


def test_traditional_characters_become_simplified_ones_on_request() -> None:
    assert _rewritten("違約責任由乙方承擔，賠償 ACME。", simplified=True) == "违约责任由乙方承担，赔偿 ACME。"
    assert _rewritten("違約責任") == "違約責任"


def test_pages_are_looked_for_in_documents_only() -> None:
    text = "Confidential\nThe rent is due."
    assert _rewritten(text) == "The rent is due."
    assert _rewritten(text, boilerplate=False) == text
    assert _rewritten(text, is_document=False) == text


def test_long_paragraphs_in_other_languages_go_on_request() -> None:
    text = f"{ENGLISH}\n\n{GERMAN}\n\nHerr Weber, Am Markt 3\n\n{CHINESE}"
    assert _rewritten(text) == text
    assert _rewritten(text, other_paragraphs="drop") == f"{ENGLISH}\n\n\nHerr Weber, Am Markt 3\n\n{CHINESE}"
    assert _rewritten(text, other_paragraphs="drop", languages=("zh",)) == f"Herr Weber, Am Markt 3\n\n{CHINESE}"


def test_paragraphs_are_blocks_or_the_lines_of_a_text_without_blank_lines() -> None:
    text = "one\ntwo\n \nthree"
    assert [text[start:end] for start, end in paragraphs(text)] == ["one\ntwo", "three"]
    lines = "第一条\n第二条\n"
    assert [lines[start:end] for start, end in paragraphs(lines)] == ["第一条", "第二条"]
    assert list(paragraphs("")) == []


def test_languages_and_scripts_of_paragraphs_are_counted() -> None:
    found = survey(f"{ENGLISH}\n\n{GERMAN}\n\n{CHINESE}\n\n1.2 %\n\nMr Weber", "en")
    assert found.languages == {"en": 2, "other": 1, "zh": 1, "none": 1}
    assert found.scripts == {"Latin": 3, "Han": 1, "none": 1}
    assert [script_of(text) for text in ("Лицензиар", "이 계약", "使用者は複製することができます", "ሰላም", "12 %", "Größe")] == [
        "Cyrillic", "Hangul", "Kana", "other", "none", "Latin"]
