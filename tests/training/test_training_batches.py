"""Batches: every row once an epoch, sorted by length, the same for the same seed."""

from tutelage.training.batches import BatchOrder, MicroBatch, by_length, micro_batches
from tutelage.training.rows import TrainingRow
from tutelage.training.schedule import is_sane, learning_rate
from tutelage.training.settings import TrainingSettings


def row(name: str, prompt: int, reply: int, first: int = 10) -> TrainingRow:
    ids = tuple(range(first, first + prompt + reply))
    return TrainingRow(id=name, ids=ids, supervised=(False,) * prompt + (True,) * reply, reply_bytes=reply)


ROWS = [row(f"r{number:02d}", 3, 1 + number % 5) for number in range(11)]


def test_an_epoch_goes_through_every_row_once():
    order = BatchOrder(ROWS, batch_rows=4, seed=5)
    assert order.steps_per_epoch == 3
    for epoch in range(2):
        seen = [entry.id for step in range(3) for entry in order.batch(3 * epoch + step)]
        assert sorted(seen) == [entry.id for entry in ROWS]


def test_the_order_depends_on_the_seed_alone_and_differs_by_epoch():
    first, again, other = (BatchOrder(ROWS, batch_rows=4, seed=seed) for seed in (5, 5, 6))
    ids = [[entry.id for entry in order.batch(step)] for order in (first, again, other) for step in (0, 3)]
    assert ids[0] == ids[2]
    assert ids[1] == ids[3]
    assert ids[0] != ids[1]
    assert ids[0] != ids[4]


def test_a_batch_is_sorted_by_length_and_cut_by_padded_tokens():
    batch = by_length(ROWS)
    assert [len(entry.ids) for entry in batch] == sorted(len(entry.ids) for entry in ROWS)
    groups = micro_batches(batch, tokens=12)
    assert [entry for group in groups for entry in group.rows] == batch
    assert all(max(len(entry.ids) for entry in group.rows) * len(group.rows) <= 12 for group in groups)
    assert len(micro_batches([row("long", 40, 5)], tokens=12)) == 1


def test_targets_and_positions_name_the_learned_tokens():
    batch = MicroBatch((row("a", 2, 2, first=10), row("b", 2, 3, first=20)))
    assert batch.targets.tolist() == [12, 13, 22, 23, 24]
    assert batch.padded_ids.tolist() == [[10, 11, 12, 0], [20, 21, 22, 23]]
    assert batch.padded_positions.tolist() == [1, 2, 5, 6, 7]


def test_the_common_beginning_of_packed_rows_is_read_once():
    first = TrainingRow(id="a", ids=(1, 2, 3, 7, 8), supervised=(False, False, False, True, True), reply_bytes=2)
    second = TrainingRow(id="b", ids=(1, 2, 4, 9), supervised=(False, False, False, True), reply_bytes=1)
    batch = MicroBatch((first, second))
    assert batch.shared == 2
    assert batch.packed_ids.tolist() == [1, 2, 3, 7, 4]
    assert batch.packed_places.tolist() == [0, 1, 2, 3, 2]
    assert batch.packed_positions.tolist() == [2, 3, 4]
    assert batch.targets.tolist() == [7, 8, 9]


def test_the_step_size_rises_then_falls_to_nothing():
    settings = TrainingSettings(base="x", learning_rate=1e-3, warmup_steps=2, maximum_steps=12, schedule="linear")
    rates = [learning_rate(step, settings) for step in range(12)]
    assert rates[:3] == [1e-3 / 3, 2e-3 / 3, 1e-3]
    assert rates[7] == 0.5e-3  # halfway: 5 of 10 steps after the warm-up
    assert rates == sorted(rates[:3]) + sorted(rates[3:], reverse=True)


def test_full_tuning_rates_are_outside_what_is_sane_for_lora():
    assert is_sane("lora", 5e-4)
    assert not is_sane("lora", 1e-5)
    assert not is_sane("lora", 1e-2)
