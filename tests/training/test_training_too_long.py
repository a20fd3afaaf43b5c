"""Rows over the limit: cut in the middle of the prompt, split into pieces, or left out; what was lost is told."""

import json

import pytest
from class_rows import class_example, class_examples
from preference_rows import pairs
from training_stage import make_dataset, make_example, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.events import Recorder
from tutelage.pipeline.memory import times_learned
from tutelage.training.fitting import GAP, Fitter, shorten
from tutelage.training.rows import render_row, render_text, text_pieces
from tutelage.training.settings import TrainingSettings

LONG = make_example("long", "Write a clause. " + "The notice shall be sent again. " * 60 + "Keywords: notice.", "The notice is final.")


def limited(limit, too_long="truncate", **changed):
    return TrainingSettings(maximum_tokens=limit, too_long=too_long, **changed)


def test_a_cut_prompt_keeps_its_beginning_its_end_and_the_whole_reply_with_its_end_of_turn(vocabulary):
    whole = render_row(LONG, CHATML, vocabulary)
    (cut,) = Fitter(limited(120), lambda example: render_row(example, CHATML, vocabulary)).fit(LONG, whole)
    assert 110 < len(cut.ids) <= 120  # as little as will do
    assert cut.targets == whole.targets
    assert cut.targets[-1] == vocabulary.special(CHATML.end)
    text = vocabulary.detokenize(cut.ids)
    assert "You draft contract clauses." in text
    assert "Write a clause. The notice" in text
    assert GAP in text
    assert "Keywords: notice." in text


def test_of_several_messages_the_longest_of_the_user_is_cut_and_a_row_whose_reply_is_too_long_is_left_out(vocabulary):
    asked = make_example("a", "Short.", "Reply. " * 200)
    fitter = Fitter(limited(60), lambda example: render_row(example, CHATML, vocabulary))
    assert fitter.fit(asked, fitter.render(asked)) == ()
    cut = shorten(LONG, lambda example: len(example.messages[1].content) <= 50)
    assert [message.content for message in cut.messages[::2]] == [message.content for message in LONG.messages[::2]]
    # 50 characters: 7 of the gap, 43 of the message, 22 before it and 21 behind.
    assert cut.messages[1].content == LONG.messages[1].content[:22] + GAP + LONG.messages[1].content[-21:]


def test_pieces_of_a_text_learn_each_of_its_tokens_once(vocabulary):
    example = make_example("text", "", "The notice shall be sent again within thirty days. 甲方应当付款。 " * 20)
    for chat_format in (CHATML, CHATML.model_copy(update={"begin": "<|endoftext|>"})):
        whole = render_text(example, chat_format, vocabulary)
        pieces = text_pieces(example, chat_format, vocabulary, limit=50)
        assert len(pieces) == -(-whole.trained // 49) > 5
        assert max(len(piece.ids) for piece in pieces) == 50
        assert tuple(token for piece in pieces for token in piece.targets) == whole.targets
        assert len({piece.id for piece in pieces}) == len(pieces)
        first = 0 if chat_format.begin else len(vocabulary.bytes_of(whole.ids[0]))  # without a beginning the first token is only read
        assert sum(piece.reply_bytes for piece in pieces) == whole.reply_bytes - first


def test_a_training_that_cuts_says_what_was_lost_and_every_row_has_its_fate(tmp_path, base):
    recorder = Recorder()
    giant = make_example("giant", "Write.", "The notice shall be sent again. " * 60)
    made = run_training(tmp_path, base, make_dataset(tmp_path, [*small_examples(), LONG, giant]), recorder, maximum_tokens=200,
                        too_long="truncate", maximum_steps=1)
    summary = json.loads(made.file("training.json").read_text())
    lost = summary["lost"]
    assert (lost["cut"], lost["left_out"], lost["split"]) == (1, 1, 0)
    assert summary["tokens_lost"] == lost["cut_tokens"] + lost["left_out_tokens"] > 500
    assert made.manifest.counts["tokens_lost"] == summary["tokens_lost"]
    fates = {(fate.row, fate.what) for fate in made.history()}
    assert {("long", "kept"), ("long", "edited"), ("giant", "dropped")} <= fates
    told = [event.facts for event in recorder.events if event.key == "training.cut"]
    assert told == [{"rows": 1, "tokens": lost["cut_tokens"], "limit": 200}]
    page = made.file("report.en.html").read_text("utf-8")
    assert f"1 rows are longer than 200 tokens and were cut; {lost['cut_tokens']:,} tokens of them are lost." in page


def test_a_training_on_texts_splits_them_and_loses_nothing(tmp_path, base):
    rows = [row.model_copy(update={"task": "pretraining", "messages": row.messages[-1:]}) for row in small_examples()]
    text = make_example("novel", "", "The notice shall be sent again. " * 30)
    rows.append(text.model_copy(update={"task": "pretraining", "messages": text.messages[-1:]}))
    dataset, recorder = make_dataset(tmp_path, rows), Recorder()
    made = run_training(tmp_path, base, dataset, recorder, task="pretraining", too_long="split", maximum_tokens=100, batch_rows=8,
                        maximum_steps=2)
    summary = json.loads(made.file("training.json").read_text())
    (split,) = [fate for fate in made.history() if fate.what == "split"]
    assert (split.row, split.became[0]) == ("novel", "novel/1")
    assert summary["tokens_lost"] == 0
    assert summary["lost"]["split"] == 1
    assert summary["train"]["rows"] == 12 + len(split.became)
    assert made.manifest.counts["in"] == made.manifest.counts["kept"] + made.manifest.counts["split"] == 19
    assert [event.facts["rows"] for event in recorder.events if event.key == "training.split"] == [1]
    cut = run_training(tmp_path, base, dataset, task="pretraining", too_long="truncate", maximum_tokens=100, maximum_steps=1)
    assert json.loads(cut.file("training.json").read_text())["train"]["longest"] == 100
    assert set(times_learned(dataset, made)) <= {row.id for row in rows}
    assert times_learned(dataset, made)["novel"] >= 1


def test_pairs_and_classes_are_cut_as_well(tmp_path, base):
    long = "The notice shall be sent again. " * 40
    pair = pairs()[0]
    prompt = pair.messages[-2].model_copy(update={"content": long})
    rows = [*pairs(), pair.model_copy(update={"id": "longpair", "messages": (*pair.messages[:-2], prompt, pair.messages[-1])})]
    made = run_training(tmp_path, base, make_dataset(tmp_path, rows), task="orpo", maximum_tokens=150, too_long="truncate", maximum_steps=1)
    assert json.loads(made.file("training.json").read_text())["lost"]["cut"] == 1
    named = [*class_examples(), class_example("longtext", "pay invoice " + long + " euros", "payment", "held_out")]
    changed = {"task": "classification", "method": "full", "maximum_steps": 4, "validate_every": 4, "learning_rate": 2e-3}
    judged = run_training(tmp_path, base, make_dataset(tmp_path, named), maximum_tokens=100, too_long="truncate", **changed)
    assert json.loads(judged.file("training.json").read_text())["classes"]["rows"] == 7  # a long held-out text is measured too


def test_only_plain_texts_can_be_split():
    with pytest.raises(ValueError, match=r"too_long is 'split', but the task sft learns from prompts .*only pretraining can split"):
        limited(100, "split")
    assert limited(100, "split", task="pretraining").too_long == "split"
