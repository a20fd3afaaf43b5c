"""What is refused before a training starts, with row ids."""

import shutil

import pytest
import torch
from training_stage import make_dataset, make_example, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.errors import InputError, LeakFound
from tutelage.core.events import Recorder
from tutelage.engine.torch_base import load_causal
from tutelage.training.batches import PADDING, MicroBatch
from tutelage.training.bodies import PaddedBody, head_weight
from tutelage.training.objectives.language import LanguageObjective
from tutelage.training.preflight import check_rows, measure_lengths
from tutelage.training.rows import TrainingRow

END = 2
SPECIALS = {"<s>": 1, "</s>": END}


def row(name: str, ids: tuple[int, ...], learned: tuple[int, ...]) -> TrainingRow:
    return TrainingRow(id=name, ids=ids, supervised=tuple(place in learned for place in range(len(ids))), reply_bytes=1)


def test_a_row_without_a_learned_token_is_refused_by_its_id():
    with pytest.raises(InputError, match="row empty has no learned token: the last message must be the assistant's"):
        check_rows([row("empty", (5, 6, END), ())], end=END, specials=SPECIALS)


def test_a_reply_whose_end_is_not_learned_is_refused():
    said = r"2 rows \(a, b\) have a reply whose end-of-turn token is not learned, so the model would never stop"
    with pytest.raises(InputError, match=said):
        check_rows([row("a", (5, 6, END), (1,)), row("b", (5, 7, END), (1,)), row("fine", (5, 6, END), (1, 2))], end=END, specials=SPECIALS)


def test_under_one_percent_learned_is_refused():
    ids = (*range(10, 210), END)
    with pytest.raises(InputError, match="row thin has under 1% learned tokens"):
        check_rows([row("thin", ids, (200,))], end=END, specials=SPECIALS)


def test_a_row_that_begins_twice_is_refused_by_its_id_and_the_token():
    said = r"row double has the token <s> twice at the beginning; once is right, .*Leave <s> out of `begin` or `start` in chat\.json"
    fine = row("fine", (1, 5, 5, END), (2, 3))
    with pytest.raises(InputError, match=said):
        check_rows([fine, row("double", (1, 1, 6, END), (2, 3))], end=END, specials=SPECIALS)
    check_rows([fine, row("again", (5, 5, END), (1, 2))], end=END, specials=SPECIALS)  # a word may stand twice


def test_a_chat_format_whose_beginning_stands_twice_is_refused_before_the_first_step(tmp_path, base):
    twice = shutil.copytree(base, tmp_path / "twice")
    (twice / "chat.json").write_text(CHATML.model_copy(update={"begin": "<|im_start|>"}).model_dump_json())
    with pytest.raises(InputError, match=r"18 rows \(row00, .*\) have the token <\|im_start\|> twice at the beginning"):
        run_training(tmp_path, twice, make_dataset(tmp_path, small_examples()))


def test_an_end_of_turn_that_is_also_the_padding_token_is_learned_all_the_same(base):
    """Tokens are masked by their place, never by their id: 0 fills rows up, and here ends each reply."""
    assert PADDING == 0
    rows = [row("short", (5, 6, PADDING), (1, 2)), row("long", (5, 7, 8, 9, PADDING), (3, 4))]
    check_rows(rows, end=PADDING, specials=SPECIALS)
    assert MicroBatch(tuple(rows)).targets.tolist() == [6, PADDING, 9, PADDING]
    model = load_causal(base).double()
    objective = LanguageObjective(PaddedBody(model), head_weight(model))
    logits = [model(input_ids=torch.tensor([one.ids])).logits[0].log_softmax(-1) for one in rows]
    expected = -(logits[0][0, 6] + logits[0][1, PADDING] + logits[1][2, 9] + logits[1][3, PADDING])
    assert float(objective.loss(rows).detach()) == pytest.approx(float(expected.detach()), rel=1e-9)


def test_long_rows_are_dropped_and_told_or_refused(tmp_path, base):
    rows = [*small_examples(), make_example("giant", "Write.", "The notice shall be sent again. " * 60)]
    dataset = make_dataset(tmp_path, rows)
    recorder = Recorder()
    made = run_training(tmp_path, base, dataset, recorder, maximum_tokens=200, maximum_steps=1)
    dropped = [fate for fate in made.history() if fate.what == "dropped"]
    assert [fate.row for fate in dropped] == ["giant"]
    assert "200 allowed" in dropped[0].detail
    assert any(event.key == "training.too_long" and event.facts["rows"] == 1 for event in recorder.events)
    with pytest.raises(InputError, match=r"row giant has more than 200 tokens .*Raise maximum_tokens, or set too_long: drop"):
        run_training(tmp_path, base, dataset, maximum_tokens=200, too_long="refuse")


def test_no_validation_row_is_refused(tmp_path, base):
    rows = [example for example in small_examples() if example.part == "train"]
    with pytest.raises(InputError, match="training: there is no validation row"):
        run_training(tmp_path, base, make_dataset(tmp_path, rows))


def test_lengths_are_counted_in_bars_of_64():
    lengths = measure_lengths([row("a", tuple(range(64)), (63,)), row("b", tuple(range(65)), (64,)), row("c", tuple(range(10)), (9,))])
    assert lengths.bars == (2, 1)
    assert (lengths.longest, lengths.median, lengths.tokens, lengths.trained) == (65, 64, 139, 3)


def test_a_row_that_gives_a_held_out_row_away_stops_the_training_before_it_begins(tmp_path, base):
    rows = small_examples()
    planted = make_example("planted", "Write.", rows[0].text, "held_out")
    with pytest.raises(LeakFound, match=r"1 of 18 rows to train on give a held-out row away; none may:\n"
                                        r"  row00 gives held-out planted away: J = 1\.000"):
        run_training(tmp_path, base, make_dataset(tmp_path, [*rows, planted]))
    assert not list((tmp_path / "training").glob("[!.]*"))


def test_rows_of_a_task_that_cannot_be_trained_are_refused_by_the_task(tmp_path, base):
    rows = [row.model_copy(update={"task": "preference", "rejected": "No."}) for row in small_examples()]
    with pytest.raises(InputError, match=r"training: the dataset has 18 rows of the task preference; this training\.task learns from "
                                         "clause, instruction, classification rows only"):
        run_training(tmp_path, base, make_dataset(tmp_path, rows))
