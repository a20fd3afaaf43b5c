"""Which texts are not worth learning, with numbers worked by hand."""

import pytest

from tutelage.documents.filters import Dropped, duplicated, repetition, symbols, too_long, too_many_tokens, top_runs, unfit, words_of
from tutelage.documents.settings import DocumentsSettings

SETTINGS = DocumentsSettings(sources=("x",))
WORDS = [f"{first}{second}" for first in ("alpha", "beta", "gamma", "delta", "omega") for second in "abcdefghijklmnopqrstuvwxyz"]
PLAIN = " ".join(WORDS)


def _repetition(text: str, language: str = "en") -> Dropped | None:
    return repetition(text, words_of(text, language))


def _symbols(text: str, language: str = "en") -> Dropped | None:
    return symbols(text, words_of(text, language))


def test_shares_of_duplicates_count_pieces_and_characters() -> None:
    # Three lines of ten letters and more, one of them again; brackets and short lines do not count. 1 of 4 lines, 12 of 50 characters.
    lines = ["first line a", "second line b", "first line a", "third line cc", "}", "short", "}"]
    share, characters = duplicated(lines)
    assert (share, characters) == (1 / 4, 12 / 50)
    assert duplicated(["}", "--------------------"]) == (0.0, 0.0)


def test_the_most_frequent_run_is_found_with_its_share_of_the_characters() -> None:
    # "to be" occurs twice in 6 words of 2, 2, 2, 3, 2, 2 letters: 2 * 4 of 13 characters. No run of three occurs twice.
    assert list(top_runs(["to", "be", "or", "not", "to", "be"], [2, 3])) == [(("to", "be"), 8 / 13)]
    # "a b c" twice in "a b c a b c": 6 of 6 characters; of the runs of two, "a b" and "b c" occur twice: the first of the longest.
    assert list(top_runs(["a", "b", "c"] * 2, [2, 3])) == [(("a", "b"), 4 / 6), (("a", "b", "c"), 1.0)]
    assert list(top_runs(["one"], [2])) == []


def test_a_text_that_repeats_its_lines_is_dropped_with_its_numbers() -> None:
    # 130 words twice, on two lines: half of the lines, which is allowed; a third time: two thirds.
    assert _repetition(f"{PLAIN}\n{PLAIN}") is None
    dropped = _repetition(f"{PLAIN}\n{PLAIN}\n{PLAIN}")
    assert dropped == Dropped("repetitive", "duplicate lines: 67% of them and 67% of their characters (50% allowed). "
                              "documents.repetition switches this off.")


def test_a_text_in_which_one_phrase_is_everywhere_is_dropped() -> None:
    # 150 words, each followed by a phrase of two words: the phrase has 150 of 450 places.
    looping = " ".join(f"{word} buy now" for word in WORDS)
    dropped = _repetition(looping)
    assert dropped is not None
    # 130 words of 5.8 letters on average, and 130 times 6 letters: 780 of 780 + 728.
    letters = sum(map(len, WORDS))
    assert dropped.detail.startswith(f"most frequent run of 2: 'buy now' has {780 / (780 + letters):.0%} of the characters (20% allowed)")
    # In a short text a defined term may be as frequent.
    assert _repetition(" ".join(f"{word} buy now" for word in WORDS[:40])) is None


def test_chinese_is_judged_by_characters() -> None:
    characters = "".join(chr(0x4e00 + 7 * number) for number in range(500))
    assert _repetition(characters, "zh") is None
    looping = "".join(f"{characters[number]}甲方应当支付" for number in range(200))
    dropped = _repetition(looping, "zh")
    assert dropped is not None
    assert dropped.reason == "repetitive"
    # Each run of four begins at another place of the phrase: 方应当支, 甲方应当 and so on; the first of the most frequent is told.
    assert "run of 4: '甲方应当' has 57% of the characters" in dropped.detail


@pytest.mark.parametrize(("text", "detail"), [
    (" ".join(f"{word} #tag" for word in WORDS), "# and ellipses a word: 0.50 (0.10 allowed)"),
    (" ".join(f"{word} ..." for word in WORDS), "# and ellipses a word: 0.50 (0.10 allowed)"),
    ("\n".join(f"• {word}" for word in WORDS), "lines that begin with a bullet: 1.00 (0.90 allowed)"),
    ("\n".join(f"{word} {word} {word} {word} {word} {word} {word} {word} {word} {word} {word}..." for word in WORDS),
     "lines that end in an ellipsis: 1.00 (0.30 allowed)"),
    (" ".join(f"{word} 12 34" for word in WORDS), "words with a letter: 0.33 (at least 0.60)"),
    (" ".join("a" for _ in range(60)), "mean length of a word: 1.0 characters (3 to 10 allowed)"),
    (" ".join(f"{word}{word}{word}" for word in WORDS), "mean length of a word: 17.4 characters (3 to 10 allowed)")])
def test_what_is_no_running_text_is_dropped_with_its_number(text: str, detail: str) -> None:
    assert _symbols(text) == Dropped("symbols", f"{detail}. documents.symbols switches this off.")


@pytest.mark.parametrize("text", [
    PLAIN, "\n".join(f"# {word} stands in a comment" for word in WORDS), "\n".join(f"* {word} stands in a comment" for word in WORDS),
    "\n".join(f"{word} of the contract ............ 12" for word in WORDS), "# # # ... ... •"])
def test_comments_tables_of_contents_and_short_texts_stay(text: str) -> None:
    assert _symbols(text) is None


def test_filters_can_be_switched_off_and_limits_are_told() -> None:
    text = " ".join(f"{word} 12 34 and the" for word in WORDS)
    assert unfit(f"{text}\n{text}\n{text}", "en", SETTINGS) is not None
    assert unfit(f"{text}\n{text}\n{text}", "en", SETTINGS.model_copy(update={"repetition": False, "symbols": False})) is None
    short = DocumentsSettings(sources=("x",), max_characters=100, max_tokens=12)
    assert too_long(101, short) == Dropped("too long", "It has 101 characters; documents.max_characters is 100.")
    assert too_long(100, short) is too_long(10**9, SETTINGS) is None
    assert too_many_tokens(1_300, short) == Dropped(
        "too many tokens", "It has 1,300 tokens of the base model; documents.max_tokens is 12.")
    assert too_many_tokens(12, short) is too_many_tokens(10**9, SETTINGS) is None
    assert unfit(PLAIN, "en", short) == Dropped("too long", f"It has {len(PLAIN)} characters; documents.max_characters is 100.")
