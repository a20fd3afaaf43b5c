"""Search in the library: what is found, in what order, and why."""

import math
import random
import time

import pytest

from tutelage.core.records import LibraryClause
from tutelage.drafting.glossary import TERMS, translations
from tutelage.drafting.library import load_shipped
from tutelage.drafting.search import Library, search, split_keywords, terms

SHIPPED = Library(load_shipped())


def clause(name: str, text: str, *, title: str = "", keywords: tuple[str, ...] = (), clause_type: str = "term",
           language: str = "en") -> LibraryClause:
    return LibraryClause.model_validate({"id": name, "clause_type": clause_type, "language": language, "title": title, "text": text,
                                         "source": "ours", "licence": "CC0-1.0", "keywords": keywords})


@pytest.mark.parametrize("keyword, first", [
    ("保密期限", "zh-confidentiality-term"), ("违约金", "zh-liquidated-damages"), ("违约责任", "zh-breach-general"),
    ("竞业限制", "zh-non-compete"), ("不可抗力", "zh-force-majeure"), ("仲裁", "zh-dispute-arbitration"),
    ("个人信息保护", "zh-personal-information"),
    ("知识产权归属", "zh-ip-ownership"), ("可分割性", "zh-severability"), ("付款", "zh-payment"),
    ("confidentiality period", "en-confidentiality-term"), ("liability cap", "en-liability-cap"), ("governing law", "en-governing-law"),
    ("termination for convenience", "en-termination-convenience"), ("force majeure", "en-force-majeure"),
    ("late payment", "en-late-payment"),
    ("notice", "en-notices"), ("sub-processor", "en-data-processing"),
])
def test_the_clause_that_a_lawyer_expects_stands_first(keyword: str, first: str) -> None:
    assert SHIPPED.search(keyword)[0].clause.id == first


def test_a_chinese_keyword_finds_english_clauses_by_translation_and_says_so() -> None:
    hits = SHIPPED.search("保密期限", language="en")
    assert hits[0].clause.id == "en-confidentiality-term"
    assert "保密期限 = confidentiality period" in hits[0].matched
    assert {hit.clause.language for hit in hits} == {"en"}


def test_an_english_keyword_finds_chinese_clauses_by_translation() -> None:
    hit = SHIPPED.search("Liquidated Damages", language="zh")[0]
    assert hit.clause.id == "zh-liquidated-damages"
    assert hit.matched == ("Liquidated Damages = 违约金",)


def test_what_is_found_in_its_own_words_stands_before_translations() -> None:
    hits = SHIPPED.search("保密期限")
    assert [hit.clause.language for hit in hits[:2]] == ["zh", "en"]
    assert hits[0].matched == ("保密期限",)


def test_scores_are_bm25_worked_by_hand() -> None:
    found = search([clause("a", "alpha beta"), clause("b", "alpha alpha"), clause("c", "gamma delta")], "alpha")
    # N = 3, df = 2, all texts are as long as usual: idf = ln(1 + 1.5 / 2.5), value = tf * 2.2 / (tf + 1.2)
    idf = math.log(1.6)
    assert [hit.clause.id for hit in found] == ["b", "a"]
    assert found[0].score == pytest.approx(idf * 2 * 2.2 / 3.2, abs=5e-4)
    assert found[1].score == pytest.approx(idf * 2.2 / 2.2, abs=5e-4)


def test_title_and_keywords_weigh_more_than_text() -> None:
    rows = [clause("text", "insurance policy here"), clause("title", "policy here and", title="Insurance terms"),
            clause("keyword", "policy here and", keywords=("insurance cover",))]
    assert [hit.clause.id for hit in search(rows, "insurance")] == ["keyword", "title", "text"]


def test_the_asked_type_lifts_and_stays_when_nothing_else_matches() -> None:
    rows = [clause("a", "notice of payment", clause_type="notices"), clause("b", "notice of payment", clause_type="fees_payment"),
            clause("c", "nothing alike", clause_type="fees_payment")]
    found = search(rows, "payment", clause_type="fees_payment")
    assert [(hit.clause.id, hit.matched) for hit in found] == [("b", ("payment",)), ("a", ("payment",)), ("c", ())]
    assert [hit.clause.id for hit in search(rows, "unheard", clause_type="fees_payment", language="en")] == ["b", "c"]
    assert search(rows, "unheard", clause_type="fees_payment", language="zh") == []


def test_half_as_much_again_for_the_asked_type_outweighs_a_second_mention() -> None:
    rows = [clause("other", "payment payment", clause_type="notices"), clause("asked", "payment today", clause_type="fees_payment"),
            clause("none", "nothing alike", clause_type="notices")]
    assert search(rows, "payment")[0].clause.id == "other"
    found = search(rows, "payment", clause_type="fees_payment")
    # N = 3, df = 2, equal lengths: tf 1 gives idf, tf 2 gives idf * 4.4 / 3.2
    assert [(hit.clause.id, hit.score) for hit in found] == [
        ("asked", pytest.approx(1.5 * math.log(1.6) + 0.01, abs=5e-4)), ("other", pytest.approx(math.log(1.6) * 4.4 / 3.2, abs=5e-4))]


def test_a_clause_that_has_the_whole_keyword_stands_before_one_with_its_words() -> None:
    rows = [clause("words", "x y", keywords=("notice", "period")), clause("whole", "x y", keywords=("notice period",)),
            clause("none", "z w")]
    found = search(rows, "notice period")
    assert [hit.clause.id for hit in found] == ["whole", "words"]
    assert found[0].score - found[1].score == pytest.approx(6.0, abs=1e-3)


def test_clauses_far_below_the_best_hit_are_left_out_unless_of_the_asked_type() -> None:
    rows = [clause("best", "audit of the records", title="Audit", keywords=("audit",)),
            clause("mention", "an audit among very many other words " * 3, clause_type="notices"), clause("none", "nothing alike")]
    assert [hit.clause.id for hit in search(rows, "audit")] == ["best"]
    assert [hit.clause.id for hit in search(rows, "audit", clause_type="notices")] == ["best", "mention"]


def test_a_clause_with_one_of_two_words_does_not_count_as_matched() -> None:
    found = search([clause("both", "force majeure"), clause("one", "force of law, force and force")], "force majeure")
    assert found[0].clause.id == "both"
    assert all(hit.matched == () for hit in found[1:])


def test_several_keywords_add_up() -> None:
    rows = [clause("one", "audit records"), clause("two", "audit insurance")]
    found = search(rows, "audit, insurance")
    assert [(hit.clause.id, hit.matched) for hit in found] == [("two", ("audit", "insurance")), ("one", ("audit",))]


def test_plurals_and_case_and_width_do_not_matter() -> None:
    assert terms("Parties' FEES, taxes, ＡＵＤＩＴＳ and policies; this basis; bonus; process") == [
        "party", "fee", "tax", "audit", "policy", "basis", "bonus", "process"]
    rows = [clause("a", "The fee is due.")]
    assert search(rows, "FEES")[0].clause.id == "a"


def test_chinese_is_indexed_by_pairs_of_characters() -> None:
    assert terms("保密期限，税 clause") == ["clause", "保密", "密期", "期限", "税"]


@pytest.mark.parametrize("typed, parted", [
    ("保密期限 违约金，付款；通知", ("保密期限", "违约金", "付款", "通知")),
    ("late payment, interest;late payment", ("late payment", "interest")),
    (["保密期限、竞业", " ", "data  breach"], ("保密期限", "竞业", "data breach")), ("", ()), (" ,，\n", ()),
])
def test_keywords_are_parted_as_people_type_them(typed: str | list[str], parted: tuple[str, ...]) -> None:
    assert split_keywords(typed) == parted


def test_nothing_is_found_in_an_empty_library_or_for_no_keyword() -> None:
    assert Library(()).search("payment", clause_type="term") == []
    assert SHIPPED.search("") == []
    assert SHIPPED.search("zzzz qqqq") == []


def test_no_more_than_the_limit_is_given() -> None:
    assert len(SHIPPED.search("agreement", limit=3)) == 3


def test_the_glossary_has_about_eighty_terms_and_reads_both_ways() -> None:
    assert len(TERMS) >= 80
    assert len({term for term, _ in TERMS}) == len(TERMS)
    for term, names in TERMS:
        assert set(names) <= set(translations(term)), term
        assert term in {other for name in names for other in translations(name)}, term


def test_the_longest_term_of_a_keyword_is_translated() -> None:
    assert translations("保密期限届满") == ("confidentiality period", "term of confidentiality")
    assert translations("trade secrets") == ("商业秘密",)
    assert translations("天气") == ()
    assert translations("weather") == ()


def test_a_query_over_five_thousand_clauses_takes_less_than_thirty_milliseconds() -> None:
    shuffled = random.Random(0)
    shipped = load_shipped()
    many = [each.model_copy(update={"id": f"{each.id}-{copy}", "text": shuffled.choice(shipped).text})
            for copy in range(5000 // len(shipped) + 1) for each in shipped][:5000]
    library = Library(many)
    seconds = []
    for _ in range(7):
        started = time.perf_counter()
        library.search("保密期限, termination for cause, liability cap", clause_type="confidentiality")
        seconds.append(time.perf_counter() - started)
    assert sorted(seconds)[3] < 0.030
