"""The message catalogue."""

import pickle

import pytest

from tutelage.core.errors import GateClosed, Paused, RecipeError, ServiceUnavailable, TutelageError
from tutelage.core.language import blanks, failure, failures, tell_failure, text


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


def test_an_error_made_of_texts_is_told_in_every_language_and_keeps_its_kind():
    error = failure(RecipeError, "recipe.no_file", path="r.yaml")
    assert (type(error), error.exit_code) == (RecipeError, 2)
    assert str(error) == "r.yaml: there is no such recipe file. Write one, or start from recipes/demo.yaml."
    assert tell_failure(error, "zh") == "r.yaml：没有这个配方文件。请新建一个，或从 recipes/demo.yaml 开始。"
    assert tell_failure(error, "en") == str(error)
    both = failures(Paused, [("run.error.paused", {}), ("run.left", {"time": "3:05"})], between=" ")
    assert tell_failure(both, "zh").endswith("执行同一命令即可从停止处继续。 剩余 3:05")
    again = pickle.loads(pickle.dumps(error))  # as it comes from the process of an engine
    assert tell_failure(again, "zh") == tell_failure(error, "zh")


@pytest.mark.parametrize(("kind", "lead"), [
    (TutelageError, "程序出错"), (RecipeError, "配方、文档或参数无法使用"), (GateClosed, "检验未通过"),
    (ServiceUnavailable, "服务没有应答"), (Paused, "已暂停")])
def test_an_error_in_english_alone_is_told_with_its_kind_before_it(kind, lead):
    assert tell_failure(kind("the port is taken."), "zh") == f"{lead}（以下为英文说明）：\nthe port is taken."
    assert tell_failure(kind("the port is taken."), "en") == "the port is taken."
