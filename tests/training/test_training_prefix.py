"""What frozen layers compute is kept once, in 16 bits, and read from then on; a kill changes no bit of it."""

import pytest
import torch
from training_stage import make_dataset, run_training, small_examples

from tutelage.core.chat import CHATML
from tutelage.core.files import read_rows
from tutelage.engine.torch_base import load_causal
from tutelage.engine.vocabulary import Vocabulary
from tutelage.training.adapters import trainable
from tutelage.training.batches import MicroBatch, by_length, micro_batches
from tutelage.training.bodies import choose_body, head_weight
from tutelage.training.checkpoint import CurveRow
from tutelage.training.losses import head_loss
from tutelage.training.methods import METHODS
from tutelage.training.prefix import KEPT, STATES, PrefixStates, from_16_bits, to_16_bits
from tutelage.training.rows import render_row
from tutelage.training.settings import TrainingSettings

WIDTH, TOKENS = 8, 400


def last_layer(base, **changed):
    settings = TrainingSettings(method="last_layers", last_layers=1, **changed)
    return METHODS["last_layers"].attach(load_causal(base), settings)


def kept(rows, folder, *, compute=None, fingerprint="weights"):
    """A store whose states tell the token, the place and the group: 8 numbers a position. It notes what it computes."""
    computed = []

    def made(batch):
        computed.append([row.id for row in batch.rows])
        numbers = torch.arange(1, WIDTH + 1) / 7
        return batch.packed_ids[:, None] + batch.packed_places[:, None] / 1000 + numbers

    store = PrefixStates(rows, folder, width=WIDTH, tokens=TOKENS, compute=compute or made, fingerprint=fingerprint)
    return store, computed


def test_sixteen_bits_keep_eleven_bits_of_each_number_whatever_the_size_of_its_position():
    torch.manual_seed(0)
    states = torch.randn(50, 640) * torch.logspace(-6, 6, 50)[:, None]
    states[:, 7] *= 1000  # a few very large ones, as decoders have
    again = from_16_bits(to_16_bits(states), 640)
    assert ((again - states).abs() <= states.abs() / 2048 + states.abs().amax(1, keepdim=True) * 2.0**-39).all()
    assert not torch.equal(again, states)


def test_powers_of_two_zeros_and_one_large_number_come_back_as_they_were():
    states = torch.tensor([[0.0, 0.0, 0.0], [1.0, -0.5, 2.0**-20], [1e9, 0.0, -1e9], [3e38, 0.0, 0.0]])
    again = from_16_bits(to_16_bits(states), 3)
    assert torch.equal(again[:2], states[:2])
    assert torch.allclose(again, states, rtol=2.0**-11)


def test_states_come_back_packed_as_the_micro_batch_is_and_are_computed_once(rows, tmp_path):
    store, computed = kept(rows, tmp_path)
    batch = MicroBatch(tuple(by_length(rows)[3:7]))
    assert batch.shared > 1
    first = store.states(batch)
    expected = batch.packed_ids[:, None] + batch.packed_places[:, None] / 1000 + torch.arange(1, WIDTH + 1) / 7
    assert torch.allclose(first, expected, rtol=2.0**-11)
    times = len(computed)
    assert torch.equal(store.states(batch), first)
    assert len(computed) == times > 0
    for row in rows:
        store.states(MicroBatch((row,)))
    assert sorted(name for group in computed for name in group) == sorted(row.id for row in rows)  # each row once


def test_a_row_that_is_not_among_those_kept_is_not_answered_for(rows, tmp_path):
    store, computed = kept(rows[1:], tmp_path)
    assert store.states(MicroBatch((rows[0], rows[1]))) is None
    assert computed == []


def test_after_a_kill_groups_that_were_finished_are_read_and_others_computed_again(rows, tmp_path):
    store, computed = kept(rows, tmp_path)
    groups = micro_batches(by_length(rows), tokens=TOKENS)
    assert len(groups) >= 3
    before = [store.states(group) for group in groups[:2]]
    assert (tmp_path / KEPT).read_bytes() == bytes([1, 1]) + bytes(len(groups) - 2)
    (tmp_path / KEPT).write_bytes(bytes([1]) + bytes(len(groups) - 1))  # as if killed before the second was marked
    again, computed_again = kept(rows, tmp_path)
    assert [torch.equal(again.states(group), states) for group, states in zip(groups[:2], before, strict=True)] == [True, True]
    assert computed_again == [[row.id for row in groups[1].rows]]
    assert computed == [[row.id for row in group.rows] for group in groups[:2]]


def test_other_rows_or_other_weights_start_empty(rows, tmp_path):
    store, _ = kept(rows, tmp_path)
    store.states(MicroBatch((rows[0],)))
    for other in ({"rows": rows[:-1]}, {"rows": rows, "fingerprint": "others"}):
        again, computed = kept(**({"folder": tmp_path} | other))
        again.states(MicroBatch((rows[0],)))
        assert len(computed) == 1


def test_the_file_is_as_large_as_the_rows_need(rows, tmp_path):
    store, _ = kept(rows, tmp_path)
    for row in rows:
        store.states(MicroBatch((row,)))
    assert store.size_bytes == sum(len(row.inputs) for row in rows) * (2 * WIDTH + 4) == (tmp_path / STATES).stat().st_size


def losses(model, body, rows, tokens=TOKENS):
    """Loss a learned token and gradients of all rows."""
    body.refresh()
    learned, total = sum(row.trained for row in rows), 0.0
    for batch in micro_batches(by_length(rows), tokens=tokens):
        loss = head_loss(body.hidden(batch), head_weight(model), batch.targets) / learned
        loss.backward()
        total += loss.item()
    found = {name: weight.grad.clone() for name, weight in trainable(model).items()}
    model.zero_grad()
    return total, found


def test_kept_states_change_loss_and_gradients_by_their_rounding_alone(base, rows, tmp_path):
    model = last_layer(base)
    body = choose_body(model)
    assert body.frozen_layers == 1
    expected_loss, expected = losses(model, body, rows[:12])
    assert body.keep_prefix(rows, tmp_path, tokens=TOKENS)
    for _ in range(2):  # computed, then read
        loss, found = losses(model, body, rows[:12])
        assert loss != expected_loss
        assert loss == pytest.approx(expected_loss, rel=1e-4)  # numbers are off by 1 in 4,000 at random
        for name, gradient in expected.items():
            assert (found[name] - gradient).norm() <= 2e-3 * gradient.norm(), name


def test_frozen_layers_are_not_computed_again(base, rows, tmp_path):
    model = last_layer(base)
    body = choose_body(model)
    body.keep_prefix(rows, tmp_path, tokens=TOKENS)
    expected, _ = losses(model, body, rows[:12])
    with torch.no_grad():
        model.model.layers[0].mlp.down_proj.weight.fill_(float("nan"))
    again, _ = losses(model, body, rows[:12])
    assert again == expected
    strange = render_row(small_examples()[0].model_copy(update={"id": "new"}), CHATML, Vocabulary(base))
    assert losses(model, body, [strange])[0] != losses(model, body, [strange])[0]  # not kept: computed, and so no number


def test_where_the_first_layer_learns_nothing_is_kept(base, rows, tmp_path):
    for settings in ({"method": "lora"}, {"method": "full"}, {"method": "frozen_embeddings"}, {"method": "last_layers", "last_layers": 2}):
        chosen = TrainingSettings(**settings)
        body = choose_body(METHODS[chosen.method].attach(load_causal(base), chosen))
        assert body.frozen_layers == 0
        assert not body.keep_prefix(rows, tmp_path, tokens=TOKENS)
    chosen = TrainingSettings(method="lora", layers=1)
    assert choose_body(METHODS["lora"].attach(load_causal(base), chosen)).frozen_layers == 1


def test_a_training_with_kept_states_learns_what_one_without_learns(base, tmp_path):
    runs = {}
    for cached in (True, False):
        work = tmp_path / str(cached)
        made = run_training(work, base, make_dataset(work, small_examples()), method="last_layers", last_layers=1, prefix_cache=cached)
        runs[cached] = read_rows(made.file("curve.jsonl"), CurveRow)
    kept, computed = ([row.loss or row.validation_loss for row in runs[cached]] for cached in (True, False))
    assert kept != computed
    assert kept == pytest.approx(computed, rel=1e-3)
    assert kept[-1] < kept[1] - 0.01


def test_rows_that_are_seen_once_are_not_kept(base, tmp_path):
    work = tmp_path / "work"
    dataset = make_dataset(work, small_examples())
    short = {"method": "last_layers", "last_layers": 1, "maximum_steps": 3}  # 3 steps of 4 rows: the 12 training rows once
    made = [run_training(work, base, dataset, prefix_cache=cached, **short).file("curve.jsonl") for cached in (True, False)]
    kept, computed = ([row.loss for row in read_rows(curve, CurveRow)] for curve in made)
    assert kept == computed
