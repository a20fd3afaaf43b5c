"""Moderation: word lists in both languages, the small model, and what happens when something cannot be checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from tutelage.cli.main import app
from tutelage.core.errors import ArtifactError, InputError
from tutelage.guard.moderation import CATEGORIES, WORDS, Moderator, open_moderator, worst
from tutelage.guard.moderation_model import STEP, WINDOW, language_of, read_model, windows, write_model
from tutelage.guard.moderation_rows import ModerationRow, read_rows
from tutelage.guard.moderation_training import train
from tutelage.guard.moderation_words import patterns


def made_rows() -> list[ModerationRow]:
    """30 texts for and 30 against in each language, told apart by one word that no list holds."""
    rows = []
    for number in range(30):
        rows += [ModerationRow(text=f"the {word} went home at {number} o'clock", labels={"violence": bad})
                 for word, bad in (("grumblefish", True), ("gardener", False))]
        rows += [ModerationRow(text=f"第{number}号{word}回家了", labels={"hate": bad}) for word, bad in (("坏蛋怪", True), ("园丁", False))]
    return rows


@pytest.fixture(scope="module")
def model():
    return train(made_rows())


def flagged(text: str) -> set[str]:
    return {category for category, is_found in Moderator().moderate(text).categories.items() if is_found}


@pytest.mark.parametrize("text, categories", [
    ("You are a pathetic man", {"harassment"}), ("KILL  YOURSELF!", {"harassment"}), ("I’ll kill you tonight", {"harassment/threatening"}),
    ("I want to die", {"self-harm", "self-harm/intent"}), ("how to make a pipe bomb", {"illicit/violent"}),
    ("he stabbed him and blood sprayed", {"violence", "violence/graphic"}), ("they had sex", {"sexual"}),
    ("a 12 year old had sex", {"sexual", "sexual/minors"}), ("你这个垃圾，去死吧", {"harassment"}), ("我想自杀", {"self-harm/intent"}),
    ("如何自制炸弹", set()), ("教你自制炸药", {"illicit/violent"}),
    ("The Supplier shall deliver the goods within thirty days; Scunthorpe, assessment, cocktail.", set()),
    ("甲方应当在收到发票之日起三十日内付款。", set()), ("", set()),
])
def test_phrases_are_found_as_whole_words_in_any_case_and_office_texts_are_left_alone(text, categories):
    assert flagged(text) == categories


def test_the_lists_speak_of_known_categories_only_and_are_there_in_both_languages():
    assert set(patterns()) == set(CATEGORIES) - {"sexual/minors"}
    assert all(len(pattern.pattern.split("|")) > 15 for pattern in patterns().values())


def test_the_words_alone_say_yes_or_no_and_name_themselves():
    found = Moderator().moderate("fuck you")
    assert (Moderator().name, found.flagged, found.scores["harassment"], found.scores["hate"]) == (WORDS, True, 1.0, 0.0)
    assert tuple(found.categories) == tuple(found.scores) == CATEGORIES


def test_a_trained_model_tells_unseen_texts_apart_in_the_language_that_it_learned(model):
    moderator = Moderator(model)
    bad, good = (moderator.moderate(f"the {word} went home at 77 o'clock") for word in ("grumblefish", "gardener"))
    assert (bad.categories["violence"], good.flagged) == (True, False)
    assert 0 < good.scores["violence"] < 0.5 < bad.scores["violence"] < 1
    assert moderator.moderate("第77号坏蛋怪回家了").categories["hate"]
    assert moderator.moderate("第77号坏蛋怪回家了").scores["violence"] == 0.0  # learned in English only
    assert {(head.category, head.language, head.positives, head.negatives) for head in model.heads} == {
        ("violence", "en", 30, 30), ("hate", "zh", 30, 30)}
    assert train(made_rows()).id == model.id


def test_one_bad_sentence_is_found_in_a_long_text(model):
    long = "the gardener went home. " * 400
    assert not Moderator(model).moderate(long).flagged
    assert Moderator(model).moderate(long + "the grumblefish went home at 7 o'clock. " * 40 + long).flagged
    assert "".join(part[:STEP] for part in windows(long)[:-1]) + windows(long)[-1] == long
    assert max(map(len, windows(long))) == WINDOW


def test_a_model_comes_back_from_its_file_as_it_was_and_a_changed_one_is_refused(model, tmp_path):
    path = tmp_path / "work" / "moderation.npz"
    assert open_moderator(path).name == WORDS
    write_model(model, path)
    assert open_moderator(path).name == f"tutelage-moderation-{model.id}"
    assert open_moderator(path).moderate("a grumblefish") == Moderator(model).moderate("a grumblefish")
    with np.load(path) as stored:
        arrays = dict(stored)
    arrays["weights"][0, 0] += 1
    np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match=r"was changed after it was trained.*then the word lists answer alone"):
        read_model(path)
    path.write_bytes(b"PK nothing")
    with pytest.raises(ArtifactError, match=r"moderation\.npz: is no moderation model"):
        open_moderator(path)


def test_a_text_that_is_too_long_is_refused_not_called_harmless():
    with pytest.raises(InputError, match="has 100001 characters; at most 100000 are moderated"):
        Moderator().moderate("x" * 100_001)


def test_the_parts_of_one_input_count_together():
    found = worst([Moderator().moderate("fuck you"), Moderator().moderate("they had sex")])
    assert {category for category, is_found in found.categories.items() if is_found} == {"harassment", "sexual"}


def test_too_few_rows_are_refused():
    with pytest.raises(InputError, match="no category has 20 texts for and 20 against in one language"):
        train(made_rows()[:40])


def test_the_language_of_a_text_is_told_by_its_letters():
    assert [language_of(text) for text in ("plain", "纯中文", "本合同由 Supplier 签署。", "the word 中 in a sentence", "")] == [
        "en", "zh", "zh", "en", "en"]


def test_rows_of_three_shapes_are_read_and_anything_else_names_its_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"prompt": "a", "H": 1, "S": 0}\n\n{"text": "b", "label": 0}\n{"text": "c", "labels": {"sexual": true}}\n', "utf-8")
    assert [row.labels for row in read_rows(path, CATEGORIES)] == [{"sexual": False, "hate": True}, {"hate": False}, {"sexual": True}]
    for line, said in (('{"text": "b", "label": 3}', r"rows\.jsonl:1: is no labelled text"), ("no", "1: is no labelled text"),
                       ('{"text": "c", "labels": {"rude": true}}', "'rude' is no category; the categories are harassment")):
        path.write_text(line, "utf-8")
        with pytest.raises(InputError, match=said):
            list(read_rows(path, CATEGORIES))
    with pytest.raises(InputError, match="cannot be read"):
        list(read_rows(tmp_path / "none.jsonl", CATEGORIES))


def test_one_command_trains_the_model_and_says_what_it_learned(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row.model_dump()) + "\n" for row in made_rows()), "utf-8")
    done = CliRunner().invoke(app, ["moderation", str(path), "--work", str(tmp_path / "work")])
    assert done.exit_code == 0, done.output
    assert "violence (en): 30 texts for, 30 against; flagged from" in done.output
    assert "was trained on 120 texts" in done.output
    assert open_moderator(tmp_path / "work" / "moderation.npz").name.startswith("tutelage-moderation-")
