"""What is asked of an engine, and which rows are drawn."""

import math
from collections.abc import Sequence

import pytest
from fake_scores import FakeEngine, example, made_up_rows, vague_draft

from tutelage.core.chat import CHATML
from tutelage.core.errors import TutelageError
from tutelage.core.records import TokenScore
from tutelage.scores.asked import Prepared, score_rows
from tutelage.scores.measure import Asked, Candidate, choose_drafted, choose_rows, measure, prepare
from tutelage.scores.metrics import bits_per_byte
from tutelage.scores.settings import ScoresSettings

SETTINGS = ScoresSettings(max_draft_tokens=20)


def candidate(engine: FakeEngine) -> Candidate:
    return Candidate(engine.name, "base", lambda: engine, CHATML)


def test_a_row_ends_with_the_token_that_ends_the_turn_and_starts_after_the_prompt() -> None:
    engine = FakeEngine("fake", lambda text: 1.0, vague_draft)
    found = prepare(example(1, "held_out", "payment", "Pay.", "d"), CHATML, engine)
    assert engine.detokenize(found.ids[found.start:]) == "Pay."
    assert found.ids[-1] == engine.special("<|im_end|>")
    assert engine.detokenize(found.ids[:found.start]).endswith("assistant\n")


def test_nats_count_the_reply_and_its_end_only() -> None:
    engine = FakeEngine("fake", lambda text: 0.5, vague_draft)
    row = example(1, "held_out", "payment", "付款。", "d")
    found = measure(candidate(engine), Asked([row], {row.id}), SETTINGS, lambda count: None).rows[0]
    # three characters and the end of the turn at 0.5 nats each; nine bytes of UTF-8
    assert (found.nats, found.reply_tokens, found.size_bytes) == (pytest.approx(2.0), 4, 9)
    assert bits_per_byte(found.nats, found.size_bytes) == pytest.approx(2.0 / math.log(2) / 9)


def test_drafts_are_cut_at_the_limit_and_only_asked_rows_are_drafted() -> None:
    rows = [row for row in made_up_rows() if row.part == "held_out"]
    done: list[int] = []
    engine = FakeEngine("fake", lambda text: 1.0, vague_draft)
    found = measure(candidate(engine), Asked(rows, {rows[0].id, rows[3].id}), SETTINGS, done.append)
    answers = {row.row: row.answer for row in found.rows if row.answer is not None}
    assert set(answers) == {rows[0].id, rows[3].id}
    assert all(len(answer.token_ids) == 20 and answer.finish_reason == "length" for answer in answers.values())
    assert sum(done) == len(rows) + 2
    assert engine.is_closed


def test_rows_that_do_not_fit_the_context_are_named_and_not_cut() -> None:
    short, long = example(1, "held_out", "payment", "Pay.", "d"), example(2, "held_out", "payment", "Pay. " * 100, "d")
    engine = FakeEngine("fake", lambda text: 1.0, vague_draft, context_length=200)
    found = measure(candidate(engine), Asked([short, long]), SETTINGS, lambda count: None)
    assert [row.row for row in found.rows] == [short.id]
    assert found.too_long == (long.id,)


def test_a_prompt_without_room_for_its_draft_is_scored_but_not_drafted() -> None:
    row = example(1, "held_out", "payment", "Pay.", "d")
    engine = FakeEngine("fake", lambda text: 1.0, vague_draft, context_length=80)
    found = measure(candidate(engine), Asked([row], {row.id}), ScoresSettings(max_draft_tokens=64), lambda count: None)
    assert found.rows[0].answer is None


class WrongEngine(FakeEngine):
    """Scores one token too few."""

    def score(self, rows, starts) -> list[list[TokenScore]]:  # type: ignore[no-untyped-def]
        return [scores[1:] for scores in super().score(rows, starts)]


def test_an_engine_that_scores_other_tokens_is_found_out_and_closed() -> None:
    engine = WrongEngine("wrong", lambda text: 1.0, vague_draft)
    with pytest.raises(TutelageError, match="wrong: row held_out-1 was scored on 4 tokens that are not its 5 reply tokens"):
        measure(candidate(engine), Asked([example(1, "held_out", "payment", "Pay.", "d")]), SETTINGS, lambda count: None)
    assert engine.is_closed


def test_the_same_rows_are_drawn_whatever_their_order() -> None:
    rows = [row for row in made_up_rows() if row.part == "held_out"]
    assert choose_rows(rows, 10, 0) == choose_rows(rows[::-1], 10, 0)
    assert choose_rows(rows, 10, 0) != choose_rows(rows, 10, 1)
    assert len(choose_rows(rows, 10, 0)) == 10


def test_drafted_rows_are_spread_over_the_types() -> None:
    rows = [example(number, "held_out", "payment", f"Pay {number}.", "d") for number in range(20)]
    rows += [example(20, "held_out", "termination", "End.", "d"), example(21, "held_out", "audit", "Look.", "d")]
    drafted = choose_drafted(rows, 4)
    assert [row.clause_type for row in drafted].count("payment") == 2
    assert {row.clause_type for row in drafted} == {"payment", "termination", "audit"}


def test_short_rows_are_scored_together_up_to_a_number_of_tokens_and_long_ones_sixteen_at_once() -> None:
    calls: list[list[int]] = []

    class Counts(FakeEngine):
        def score(self, rows: Sequence[Sequence[int]], starts: Sequence[int]) -> list[list[TokenScore]]:
            calls.append([len(row) for row in rows])
            return super().score(rows, starts)

    done: list[int] = []
    engine = Counts("base", lambda text: 1.0, vague_draft)
    long = [Prepared(row, (65,) * 900, 890) for row in made_up_rows(20, 0)]
    short = [Prepared(row.model_copy(update={"id": f"short-{row.id}"}), (65,) * 100, 90) for row in made_up_rows(60, 0)]
    found = score_rows(engine, [*short, *long], done.append)
    # 16 rows of 900; then 4 of them with 12 short ones are 16 rows of 4,800 tokens, too many for more; 40 short ones are 4,000 tokens.
    assert [len(call) for call in calls] == [16, 16, 40, 8]
    assert calls[0] == [900] * 16
    assert (len(found), sum(done)) == (80, 80)
