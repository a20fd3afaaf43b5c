"""Which of several near-duplicates is kept."""

from hypothesis import given
from hypothesis import strategies as st

from tutelage.core.records import Document
from tutelage.documents.dedupe import Twin, twins
from tutelage.text.similarity import jaccard, shingles

WORDS = [f"w{number}" for number in range(30)]


def _document(name: str, text: str, language: str = "en") -> Document:
    return Document(id=name, name=name, source="x", source_sha256="", title="", language=language, text=text)


def test_the_longest_is_kept_and_of_equally_long_ones_the_first_by_name() -> None:
    # 30 words have 26 runs of five; without the last two there are 24 of them: J = 24 / 26.
    long, short = " ".join(WORDS), " ".join(WORDS[:28])
    assert twins([_document("a", short), _document("b", long)], 0.8) == [Twin(0, 1, 24 / 26, is_exact=False)]
    assert twins([_document("b", long), _document("a", long), _document("c", short)], 0.8) == [
        Twin(0, 1, 1.0, is_exact=True), Twin(2, 1, 24 / 26, is_exact=False)]


def test_the_same_words_with_other_punctuation_are_a_near_duplicate_not_an_exact_one() -> None:
    text = " ".join(WORDS)
    assert twins([_document("a", text), _document("b", text + ".")], 0.8) == [Twin(0, 1, 1.0, is_exact=False)]


def test_a_copy_of_a_document_that_goes_names_the_one_that_is_kept() -> None:
    long, short = " ".join(WORDS), " ".join(WORDS[:28])
    found = twins([_document("a", short), _document("b", short), _document("c", long)], 0.8)
    assert found == [Twin(0, 2, 24 / 26, is_exact=False), Twin(1, 2, 24 / 26, is_exact=False)]


def test_a_chain_of_resemblance_does_not_swallow_its_far_end() -> None:
    # 26, 23 and 20 runs, each set inside the one before: J is 23/26 = 0.885, 20/23 = 0.870, and 20/26 = 0.769 from end to end.
    chain = [_document(str(length), " ".join(WORDS[:length])) for length in (30, 27, 24)]
    assert twins(chain, 0.8) == [Twin(1, 0, 23 / 26, is_exact=False)]


@given(st.lists(st.text("甲乙丙", min_size=4, max_size=9), max_size=12), st.sampled_from([0.4, 0.8]))
def test_those_kept_differ_and_each_that_goes_resembles_the_one_it_names(texts: list[str], threshold: float) -> None:
    documents = [_document(f"{number:02}", text, "zh") for number, text in enumerate(texts)]
    found = twins(documents, threshold)
    sets = [shingles(text, "zh") for text in texts]
    kept = [position for position in range(len(texts)) if position not in {twin.dropped for twin in found}]
    assert all(jaccard(sets[a], sets[b]) < threshold for a in kept for b in kept if a < b)
    for twin in found:
        assert twin.kept in kept
        assert twin.similarity == jaccard(sets[twin.dropped], sets[twin.kept]) >= threshold
        assert len(texts[twin.kept]) >= len(texts[twin.dropped])
