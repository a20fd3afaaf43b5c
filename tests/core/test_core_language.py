"""The message catalogue."""

import pytest

from tutelage.core.errors import TutelageError
from tutelage.core.language import blanks, text


def test_a_text_is_filled_in_both_languages():
    assert text("run.left", "en", time="3:05") == "3:05 left"
    assert text("run.left", "zh", time="3:05") == "剩余 3:05"


def test_a_missing_fact_is_an_error_not_a_hole():
    with pytest.raises(TutelageError, match=r"'run\.left' needs time; it got nothing"):
        text("run.left", "en")


def test_an_unknown_text_and_an_unknown_language_are_errors():
    with pytest.raises(TutelageError, match=r"no text 'run\.lft'"):
        text("run.lft")
    with pytest.raises(TutelageError, match="has no language 'de'; it has en, zh"):
        text("run.left", "de", time="1")


def test_blanks_are_found():
    assert blanks("{a} and {b:.2f}, not {{c}}") == {"a", "b"}


def test_a_fact_that_is_the_key_of_a_text_is_told_in_the_language_of_the_whole():
    facts = {"removed": 3, "rows": 9, "reason_key": "documents.reason.too_short"}
    assert "were dropped as “too short”" in text("documents.many_dropped", "en", **facts)
    assert "因“过短”被舍弃" in text("documents.many_dropped", "zh", **facts)
    tried = text("model.tried", "en", name="q8_0", megabytes=145, reason_key="model.copy.too_large", figure=145, limit=90)
    assert tried == "q8_0, 145 MB: refused: its file has 145 MB; at most 90 are asked for"  # its own blanks are filled too
    with pytest.raises(TutelageError, match=r"there is no text 'documents.reason.none'"):
        text("documents.many_dropped", "en", removed=3, rows=9, reason_key="documents.reason.none")
