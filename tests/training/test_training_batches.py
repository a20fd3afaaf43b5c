"""Which rows are learned together, and what of them the model reads."""

import random

import torch

from tutelage.training.batches import BatchOrder, MicroBatch, micro_batches
from tutelage.training.rows import TrainingRow


def row(name: str, ids: list[int], learned: list[int]) -> TrainingRow:
    return TrainingRow(id=name, ids=tuple(ids), supervised=tuple(place in learned for place in range(len(ids))), reply_bytes=1)


def many(count: int) -> list[TrainingRow]:
    draw = random.Random(0)
    return [row(f"r{number}", [1] * (length := draw.randint(5, 60)), [length - 2]) for number in range(count)]


def test_inputs_end_before_the_last_learned_token_and_each_learned_token_has_its_predecessor():
    """Ids 10..15, learned are 13 and 14: the model reads 10 to 13; positions 2 and 3 predict 13 and 14."""
    one = row("a", [10, 11, 12, 13, 14, 15], [3, 4])
    assert one.inputs == (10, 11, 12, 13)
    assert one.predicting == (2, 3)
    assert one.targets == (13, 14)


def test_an_epoch_takes_each_row_once_and_the_next_epoch_in_another_order():
    order = BatchOrder(many(10), batch_rows=4, seed=7)
    assert order.steps_per_epoch == 3
    epochs = [[row.id for step in steps for row in order.batch(step)] for steps in ((0, 1, 2), (3, 4, 5))]
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(f"r{number}" for number in range(10))
    assert set(order.batch(0)) != set(order.batch(3))


def test_the_order_depends_on_the_seed_alone():
    first, again, other = (BatchOrder(many(40), batch_rows=4, seed=seed) for seed in (1, 1, 2))
    assert [first.batch(step) for step in range(12)] == [again.batch(step) for step in range(12)]
    assert [first.batch(step) for step in range(12)] != [other.batch(step) for step in range(12)]


def test_rows_of_a_batch_stand_by_length():
    lengths = [len(row.ids) for row in BatchOrder(many(40), batch_rows=16, seed=0).batch(1)]
    assert lengths == sorted(lengths)


def test_micro_batches_hold_at_most_their_tokens_with_padding_and_a_longer_row_stands_alone():
    """Lengths 4, 5, 5, 30 with 15 tokens: 4+5+5 pad to 3 x 5 = 15 and fit; 30 does not fit anywhere."""
    rows = [row(str(number), [1] * length, [2]) for number, length in enumerate((4, 5, 5, 30))]
    assert [len(batch.rows) for batch in micro_batches(rows, tokens=15)] == [3, 1]
    assert [len(batch.rows) for batch in micro_batches(rows, tokens=14)] == [2, 1, 1]


def test_padding_stands_on_the_right_and_is_never_a_target():
    batch = MicroBatch((row("a", [5, 6, 7], [2]), row("b", [5, 8, 9, 4, 3], [3, 4])))
    assert batch.padded_ids.tolist() == [[5, 6, 0, 0], [5, 8, 9, 4]]
    assert batch.padded_positions.tolist() == [1, 6, 7]
    assert batch.targets.tolist() == [7, 4, 3]


def test_a_shared_beginning_is_packed_once_and_places_go_on_from_it():
    """Both rows begin with 5 6; the first then reads 7, the second 8 9."""
    batch = MicroBatch((row("a", [5, 6, 7, 1], [3]), row("b", [5, 6, 8, 9, 2], [4])))
    assert batch.shared == 2
    assert batch.packed_ids.tolist() == [5, 6, 7, 8, 9]
    assert batch.packed_places.tolist() == [0, 1, 2, 2, 3]
    assert batch.packed_positions.tolist() == [2, 4]
    assert torch.equal(batch.targets, torch.tensor([1, 2]))


def test_the_shared_beginning_ends_before_the_first_position_that_predicts():
    """The rows are equal, but position 1 of each predicts a learned token of its own."""
    batch = MicroBatch((row("a", [5, 6, 7, 8], [2, 3]), row("b", [5, 6, 7, 8], [2, 3])))
    assert batch.shared == 1
    assert MicroBatch(batch.rows[:1]).shared == 0
