"""What a student is told by its teacher: the divergence, what lies outside the top k, the cache, and the layers it starts from."""

import math

import pytest
import torch
import torch.nn.functional as F

from tutelage.core.errors import InputError
from tutelage.engine.fewer_layers import as_trained, count_layers, keep_layers, kept_layers, write_student
from tutelage.engine.torch_base import load_causal
from tutelage.training.objectives.distillation_loss import (
    Taught,
    distil_loss,
    distil_terms,
    divergence,
    mixed,
    mixed_terms,
    rows_at_once,
    taught_by,
)
from tutelage.training.teacher import TeacherCache

OUTCOMES = 50


def logits(seed, rows=7):
    return torch.randn(rows, OUTCOMES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)) * 3


def test_with_all_outcomes_the_divergence_is_that_of_torch():
    teacher, student = logits(1), logits(2)
    taught = taught_by(teacher, k=OUTCOMES, temperature=2.0)
    found, _ = divergence(student, taught, temperature=2.0)
    right = F.kl_div(F.log_softmax(student / 2, 1), F.log_softmax(teacher / 2, 1), reduction="sum", log_target=True)
    assert float(found) == pytest.approx(float(right), rel=1e-6)  # the teacher's answer is fp32


def test_what_is_outside_the_top_counts_as_one_outcome_by_hand():
    """Teacher 1/2, 1/4, 1/8, 1/8 with k = 1: 1/2 and a rest of 1/2. Student 1/4, 1/4, 1/4, 1/4: 1/4 and a rest of 3/4."""
    teacher = torch.tensor([[1 / 2, 1 / 4, 1 / 8, 1 / 8]], dtype=torch.float64).log()
    taught = taught_by(teacher, k=1, temperature=1.0)
    found, _ = divergence(torch.zeros(1, 4, dtype=torch.float64), taught, temperature=1.0)
    assert float(found) == pytest.approx(0.5 * math.log(2) + 0.5 * math.log(2 / 3), abs=1e-6)


def test_fewer_outcomes_never_give_a_larger_divergence_and_an_equal_student_gives_none():
    teacher, student = logits(1), logits(2)
    found = [float(divergence(student, taught_by(teacher, k=k, temperature=1.5), temperature=1.5)[0]) for k in (1, 4, 16, OUTCOMES)]
    assert found == sorted(found)
    assert found[0] < 0.9 * found[-1]
    for k in (1, 4, OUTCOMES):
        assert float(divergence(teacher, taught_by(teacher, k=k, temperature=1.5), temperature=1.5)[0]) == pytest.approx(0, abs=1e-5)


def plain(hidden, weight, targets, taught, temperature, share):
    """The same loss with all logits at once, for autograd."""
    said = hidden @ weight.T
    scaled = F.log_softmax(said / temperature, 1)
    chances = taught.logprobs.double().exp()
    soft = (chances * (taught.logprobs.double() - scaled.gather(1, taught.ids))).sum()
    rest, left = taught.rest.double().exp(), 1 - scaled.exp().gather(1, taught.ids).sum(1)
    if taught.ids.shape[1] < weight.shape[0]:
        soft = soft + (rest * (rest.log() - left.log())).sum()
    return share * temperature**2 * soft + (1 - share) * F.cross_entropy(said, targets, reduction="sum")


@pytest.mark.parametrize("k", [1, 8, OUTCOMES])
@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_loss_and_gradients_are_those_of_the_plain_formula(k, share):
    draw = torch.Generator().manual_seed(3)
    parts = [torch.randn(*shape, dtype=torch.float64, generator=draw) for shape in ((300, 6), (OUTCOMES, 6))]
    targets = torch.randint(OUTCOMES, (300,), generator=draw)
    taught = taught_by(logits(4, rows=300), k=k, temperature=2.0)
    assert rows_at_once(OUTCOMES) < 300  # more than one chunk
    results = []
    for loss_of in (lambda h, w: distil_loss(h, w, targets, taught, temperature=2.0, share=share),
                    lambda h, w: plain(h, w, targets, taught, 2.0, share)):
        hidden, weight = (part.clone().requires_grad_() for part in parts)
        loss = loss_of(hidden, weight)
        (loss * 0.5).backward()
        results.append((loss.detach(), hidden.grad, weight.grad))
    for found, right in zip(*results, strict=True):
        assert torch.allclose(found, right, rtol=1e-5, atol=1e-6)  # the teacher's probabilities sum to 1 within fp32


def test_a_frozen_output_layer_gets_no_gradient():
    hidden, weight = torch.randn(5, 6, requires_grad=True), torch.randn(OUTCOMES, 6)
    distil_loss(hidden, weight, torch.arange(5), taught_by(torch.randn(5, OUTCOMES), k=3, temperature=1.0), temperature=1.0,
                share=0.5).backward()
    assert hidden.grad is not None
    assert weight.grad is None


def test_the_terms_without_a_gradient_mix_to_the_loss():
    hidden, weight, targets = torch.randn(300, 6), torch.randn(OUTCOMES, 6), torch.randint(OUTCOMES, (300,))
    taught = taught_by(torch.randn(300, OUTCOMES), k=5, temperature=3.0)
    terms = distil_terms(hidden, weight, targets, taught, temperature=3.0)
    loss = distil_loss(hidden, weight, targets, taught, temperature=3.0, share=0.3)
    assert float(mixed(terms, temperature=3.0, share=0.3)) == pytest.approx(float(loss), rel=1e-6)
    assert float(terms.nats) == pytest.approx(float(F.cross_entropy(hidden @ weight.T, targets, reduction="sum")), rel=1e-5)


def test_a_student_that_is_sure_of_the_top_gives_finite_numbers():
    """The student leaves nothing to the rest in fp32; the teacher's rest is tiny but there."""
    student = torch.tensor([[200.0, 0.0, 0.0]])
    taught = taught_by(torch.tensor([[5.0, 0.0, 0.0]]), k=1, temperature=1.0)
    terms, gradient = mixed_terms(student, torch.tensor([0]), taught, temperature=1.0, share=0.5)
    assert torch.isfinite(terms.divergence)
    assert torch.isfinite(gradient).all()


class Row:
    """A row of a length."""

    def __init__(self, name, positions):
        self.id, self.ids, self.trained, self.longest = name, (0,) * positions, positions, positions


def teacher_of(rows, taught, asked):
    """Answers from one table, row after row, and notes which rows were asked about."""
    starts, start = {}, 0
    for row in rows:
        starts[row.id] = start
        start += row.trained

    def say(part):
        asked.append([row.id for row in part])
        return Taught.joined([taught.part(starts[row.id], starts[row.id] + row.trained) for row in part])
    return say


@pytest.mark.parametrize("outcomes", [OUTCOMES, 70_000])
def test_the_cache_gives_what_was_said_within_16_bits_and_the_chances_sum_to_one(tmp_path, outcomes):
    rows = [Row(f"r{number}", 1 + number % 4) for number in range(150)]
    count = sum(row.trained for row in rows)
    said = taught_by(torch.randn(count, outcomes) * 4, k=6, temperature=2.0)
    cache = TeacherCache(tmp_path, outcomes=outcomes)
    asked = []
    cache.fill(rows, [row.trained for row in rows], lambda: teacher_of(rows, said, asked))
    assert [len(part) for part in asked] == [64, 64, 22]
    assert said.ids.max() > 65_535 or outcomes == OUTCOMES
    chosen = [rows[149], rows[3], rows[64]]
    found, right = cache.taught(chosen, torch.device("cpu")), teacher_of(rows, said, asked)(chosen)
    assert torch.equal(found.ids, right.ids)
    assert (found.logprobs.exp() - right.logprobs.exp()).abs().max() < 1e-3
    assert (found.logprobs.exp().sum(1) + found.rest.exp() - 1).abs().max() < 1e-6


def test_what_was_said_before_a_kill_is_not_asked_again(tmp_path):
    rows = [Row(f"r{number}", 2) for number in range(130)]
    said, asked = taught_by(torch.randn(260, OUTCOMES), k=3, temperature=1.0), []
    TeacherCache(tmp_path, outcomes=OUTCOMES).fill(rows, [2] * 130, lambda: teacher_of(rows, said, asked))
    last = max(tmp_path.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    last.unlink()
    again = TeacherCache(tmp_path, outcomes=OUTCOMES)
    asked.clear()
    again.fill(rows, [2] * 130, lambda: teacher_of(rows, said, asked))
    assert asked == [["r128", "r129"]]
    third = TeacherCache(tmp_path, outcomes=OUTCOMES)
    third.fill(rows, [2] * 130, lambda: pytest.fail("the teacher was opened although all answers were there"))
    assert torch.equal(third.taught(rows[:5], torch.device("cpu")).ids, again.taught(rows[:5], torch.device("cpu")).ids)


def test_the_cache_takes_4_bytes_an_outcome_and_2_a_position(tmp_path):
    rows = [Row("r", 1000)]
    said = taught_by(torch.randn(1000, OUTCOMES), k=16, temperature=1.0)
    TeacherCache(tmp_path, outcomes=OUTCOMES).fill(rows, [1000], lambda: teacher_of(rows, said, []))
    assert next(tmp_path.iterdir()).stat().st_size == pytest.approx(1000 * (4 * 16 + 2), abs=400)  # and the names of the tensors


def test_the_layers_that_are_kept_are_those_of_distilbert():
    assert kept_layers(12, 6) == (0, 2, 4, 7, 9, 11)
    assert kept_layers(6, 3) == (0, 2, 5)
    assert kept_layers(30, 15)[:3] == (0, 2, 4)
    assert kept_layers(30, 15)[-1] == 29
    assert len(set(kept_layers(30, 15))) == 15
    assert kept_layers(4, 1) == (0,)
    assert kept_layers(4, 4) == (0, 1, 2, 3)


def test_a_student_deeper_than_its_teacher_is_refused():
    with pytest.raises(InputError, match=r"training\.student_layers: is 7, but the base, which is the teacher, has 6 layers.*at most 6"):
        kept_layers(6, 7)


def test_a_student_has_its_teachers_own_layers_and_is_the_same_when_read_back(base, tmp_path):
    teacher = load_causal(base)
    last = teacher.get_decoder().layers[1]
    student = keep_layers(load_causal(base), (1,))
    assert count_layers(student) == student.config.num_hidden_layers == 1
    assert torch.equal(student.get_decoder().layers[0].mlp.up_proj.weight, last.mlp.up_proj.weight)
    ids = torch.tensor([[1, 50, 60, 70]])
    expected = student(input_ids=ids).logits
    student.save_pretrained(tmp_path / "student")
    assert torch.equal(load_causal(tmp_path / "student")(input_ids=ids).logits, expected)
    cached = [student(input_ids=ids, use_cache=used).logits for used in (True, False)]
    assert torch.equal(cached[0], cached[1])
    write_student(tmp_path, (1,))
    assert torch.equal(as_trained(load_causal(base), tmp_path)(input_ids=ids).logits, expected)
    assert count_layers(as_trained(load_causal(base), tmp_path / "student")) == 2
