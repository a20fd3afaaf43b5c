"""Which of several near-duplicates is kept, and which documents are contained in others or say the same."""

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.errors import InputError
from tutelage.core.records import Document
from tutelage.documents.dedupe import Alike, Contained, Giant, Twin, TwinSearch, twins
from tutelage.text.similarity import jaccard, shingles

WORDS = [f"w{number}" for number in range(30)]


def _document(name: str, text: str, language: str = "en") -> Document:
    return Document(id=name, name=name, source="x", source_sha256="", title="", language=language, text=text)


def _searched(texts: list[str], threshold: float = 0.8, **settings: float | bool | Path) -> TwinSearch:
    search = TwinSearch(threshold, **settings)
    search.add([_document(f"{number:06}", text) for number, text in enumerate(texts)])
    return search


def test_the_longest_is_kept_and_of_equally_long_ones_the_first_by_name() -> None:
    # 30 words have 26 runs of five; without the last two there are 24 of them: J = 24 / 26.
    long, short = " ".join(WORDS), " ".join(WORDS[:28])
    assert twins([_document("a", short), _document("b", long)], 0.8) == [Twin(0, 1, 24 / 26, is_exact=False, containment=1.0)]
    assert twins([_document("b", long), _document("a", long), _document("c", short)], 0.8) == [
        Twin(0, 1, 1.0, is_exact=True, containment=1.0), Twin(2, 1, 24 / 26, is_exact=False, containment=1.0)]


def test_the_same_words_with_other_punctuation_are_a_near_duplicate_not_an_exact_one() -> None:
    text = " ".join(WORDS)
    assert twins([_document("a", text), _document("b", text + ".")], 0.8) == [Twin(0, 1, 1.0, is_exact=False, containment=1.0)]


def test_equal_texts_without_words_are_exact_copies_and_different_ones_are_not_twins() -> None:
    assert twins([_document("b", "--"), _document("a", "--"), _document("c", "==")], 0.8) == [Twin(0, 1, 1.0, True, 1.0)]


def test_a_copy_of_a_document_that_goes_names_the_one_that_is_kept() -> None:
    long, short = " ".join(WORDS), " ".join(WORDS[:28])
    found = twins([_document("a", short), _document("b", short), _document("c", long)], 0.8)
    assert found == [Twin(0, 2, 24 / 26, False, 1.0), Twin(1, 2, 24 / 26, False, 1.0)]


def test_a_chain_of_resemblance_does_not_swallow_its_far_end() -> None:
    # 26, 23 and 20 runs, each set inside the one before: J is 23/26 = 0.885, 20/23 = 0.870, and 20/26 = 0.769 from end to end.
    chain = [_document(str(length), " ".join(WORDS[:length])) for length in (30, 27, 24)]
    assert twins(chain, 0.8) == [Twin(1, 0, 23 / 26, is_exact=False, containment=1.0)]


def test_the_share_that_is_contained_counts_the_shorter_one() -> None:
    # Runs of five: 26 of w0..w29; 25 words of it and 3 others have 24, of which 21 are shared: J = 21 / 29, contained 21 / 24.
    other = [*WORDS[:25], "x", "y", "z"]
    assert twins([_document("a", " ".join(WORDS)), _document("b", " ".join(other))], 0.7) == [Twin(1, 0, 21 / 29, False, 21 / 24)]


def test_a_clause_inside_a_longer_document_is_reported_and_not_dropped() -> None:
    longer = " ".join([*WORDS, *(f"x{number}" for number in range(40))])
    texts = [" ".join(WORDS[:12]), longer, " ".join([*WORDS[20:], "y"]), "w1 w3 w5 w7 w9 w11"]
    # w20..w29 and y: 6 of 7 runs are in the longer one.
    assert _searched(texts, containment=0.8).contained() == [Contained(0, 1, 1.0), Contained(2, 1, 6 / 7)]
    assert _searched(texts, containment=0.8).twins() == []
    assert _searched(texts, containment=0.9).contained() == [Contained(0, 1, 1.0)]
    assert _searched(texts).contained() == []


def test_the_same_clause_with_other_names_and_figures_is_reported_and_not_dropped() -> None:
    texts = ["The Licensee shall pay to Acme Widgets, Inc. the sum of US$5,000 within thirty (30) days after the invoice of the Licensor.",
             "The Tenant shall pay to Blue River Foods LLC the sum of US$750 within ten days after the invoice of the Landlord.",
             "Neither party is liable for a delay that is caused by war, strike, flood or any other event beyond its control."]
    search = _searched(texts, alike=True)
    assert search.twins() == []
    assert search.alike() == [Alike(1, 0, 1.0)]
    assert _searched(texts).alike() == []


def test_a_giant_cluster_is_told_with_its_size_and_share() -> None:
    # 60 versions of one form and 140 texts of their own: 61 of 201 rows with the form itself.
    form = [f"f{number}" for number in range(60)]
    versions = [" ".join([*form[:-1], f"name{number}"]) for number in range(60)]
    others = [" ".join(f"o{number}x{place}" for place in range(20)) for number in range(140)]
    assert _searched([" ".join([*form, "longest"]), *versions, *others]).giant == Giant(0, 61, 61 / 201)
    assert _searched([" ".join([*form, "longest"]), *versions[:49], *others]).giant is None
    assert _searched([*versions, *others, *(f"p{number} q r s t u" for number in range(600))]).giant is None
    assert _searched([]).giant is None


def test_a_hundred_thousand_equal_texts_take_no_longer_than_different_ones() -> None:
    # Pairs of all with all would be five thousand million.
    started = time.perf_counter()
    found = _searched(["the same twelve words stand here again and again and again"] * 100_000).twins()
    assert len(found) == 99_999
    assert time.perf_counter() - started < 20


def test_thousands_that_resemble_one_another_are_compared_with_the_kept_one_only() -> None:
    form = [f"f{number}" for number in range(40)]
    texts = [" ".join([*form, f"name{number}"]) for number in range(10_000)]
    started = time.perf_counter()
    found = _searched(texts).twins()
    # Each has 37 runs and shares 36 with each other one: J = 36 / 38. The longest are those with names of four digits.
    assert len(found) == 9_999
    assert {(twin.kept, twin.similarity) for twin in found} == {(1000, 36 / 38)}
    assert time.perf_counter() - started < 15


def test_batches_scratch_files_and_the_order_of_rows_change_nothing(tmp_path: Path) -> None:
    source = random.Random(7)
    bases = [source.choices(WORDS, k=source.randint(8, 30)) for _ in range(40)]
    texts = [" ".join([*base[:source.randint(6, 30)], source.choice(WORDS)]) for base in bases for _ in range(8)]
    documents = [_document(f"{number:03}", text) for number, text in enumerate(texts)]
    expected = twins(documents, 0.6)
    assert len(expected) > 50
    search = TwinSearch(0.6, scratch=tmp_path, containment=0.8)
    for start in range(0, len(documents), 37):
        search.add(documents[start:start + 37])
    assert search.twins() == expected
    assert search.contained() == _searched(texts, 0.6, containment=0.8).contained() != []
    assert list(tmp_path.iterdir()) == []
    order = list(range(len(documents)))
    source.shuffle(order)
    shuffled = twins([documents[position] for position in order], 0.6)
    assert sorted(twin._replace(dropped=order[twin.dropped], kept=order[twin.kept]) for twin in shuffled) == expected


@given(st.lists(st.text("甲乙丙", min_size=4, max_size=9), max_size=12), st.sampled_from([0.4, 0.8]))
def test_those_kept_differ_and_each_that_goes_names_the_one_it_resembles_most(texts: list[str], threshold: float) -> None:
    documents = [_document(f"{number:02}", text, "zh") for number, text in enumerate(texts)]
    found = twins(documents, threshold)
    sets = [shingles(text, "zh") for text in texts]
    kept = [position for position in range(len(texts)) if position not in {twin.dropped for twin in found}]
    assert all(jaccard(sets[a], sets[b]) < threshold for a in kept for b in kept if a < b)
    for twin in found:
        assert twin.kept in kept
        assert twin.similarity == jaccard(sets[twin.dropped], sets[twin.kept]) >= threshold
        assert len(texts[twin.kept]) >= len(texts[twin.dropped])
        assert twin.containment == len(set(sets[twin.dropped]) & set(sets[twin.kept])) / min(len(sets[twin.dropped]), len(sets[twin.kept]))
        longer = [other for other in kept if len(texts[other]) > len(texts[twin.dropped])]
        assert all(jaccard(sets[twin.dropped], sets[other]) <= twin.similarity for other in longer)


@pytest.mark.parametrize("settings", [{"threshold": 0}, {"threshold": 0.8, "containment": 1.5}])
def test_a_share_outside_0_to_1_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(InputError, match="it must be above 0 and at most 1"):
        TwinSearch(**settings).contained()
